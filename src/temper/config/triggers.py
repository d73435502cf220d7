"""When what was measured is stale and is measured again, in temper.yaml.

monitor:
  triggers:
    age: 90d             # evidence that is older is stale; 0: never for its age
    rows: 1000000        # so many rows seen since; without it never
    labels: 5000         # so many labels that have come since; assessed on these rows
    model: true          # another model answers
    data: true           # the rows or the schema of temper.yaml have changed
    attacks: true        # attacks or threats were added or changed
    alarm: true          # a window or its labels failed
    suite: standard      # how much is done then
    engine: processes
"""

from __future__ import annotations

from temper.config.document import Section
from temper.config.monitor import seconds
from temper.core.evidence import FEWEST, Cause, Triggers

_FLAGS = (Cause.MODEL, Cause.DATA, Cause.ATTACKS, Cause.ALARM)
_SUITES, _ENGINES = ("quick", "standard", "deep"), ("serial", "processes", "ray")


def triggers_of(document: Section) -> Triggers | None:
    """What stands under `monitor: triggers:`; None where nothing does."""
    if not document.section("monitor").has("triggers"):
        return None
    section = document.section("monitor").section("triggers")
    section.only("age", "rows", "labels", *_FLAGS, "suite", "engine")
    usual = Triggers()
    rows, labels = section.whole("rows", usual.rows), section.whole("labels", usual.labels)
    age = seconds(section, "age", usual.age)
    if min(age, rows) < 0:
        raise section.error("monitor.triggers: age and rows are not negative", fix="0 is never")
    if labels and labels < FEWEST:
        raise section.error(f"monitor.triggers.labels must be at least {FEWEST}", "labels", fix="0 is never")
    return Triggers(
        age=age,
        rows=rows,
        labels=labels,
        causes=tuple(cause for cause in _FLAGS if section.flag(cause.value, True)),
        suite=section.word("suite", _SUITES, usual.suite),
        engine=section.word("engine", _ENGINES, usual.engine),
    )
