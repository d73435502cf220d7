"""What is watched once the model is in service, in temper.yaml.

monitor:
  feed: predictions/             # a table, or a folder of .parquet and .csv files, with the columns of the schema;
                                 # or ledger; or {sql: ..., query: ...} (config/feed)
  time: at                       # when each prediction was made
  id: request                    # tells rows apart; without it a row is known by its values and its time
  score: score                   # the model's score, watched like a column, and beside the model's threshold
  client: account                # whose row it is: whoever tries one case again and again is seen
  window: 1d                     # 15m, 1h, 1d
  false_alarms: 0.05             # share of windows without drift in which anything may alarm
  smallest: 0.1                  # a distance of distributions that is worth an alarm
  manifest: .temper/reference.npz.manifest.json   # with public_key: the reference has to be the one that was signed
  public_key: ops.pub
  stream: {one_false_alarm_per: 1e7, tolerance: 0.05, strata: [hour-of-week, segment], zone: Europe/Rome}
                                 # rows as one stream, besides windows; hours of the week by the clock of a zone
  grace: 1h                      # how long after a window's end its rows may still come
  attempts: [rules, linear]      # of an assistant, with `feed: ledger`: stages whose objections are attempts
  labels: labels/                # a table, or a folder of them: what became of rows, by the column of `id`
  label: fraud                   # the column that holds the class
  maturity: 45d                  # how old a row is when its label should be there; before, none counts
  alerts: {receivers: [...]}     # whom to tell (temper.config.alerting)
  triggers: {age: 30d}           # when what was assessed is assessed again (temper.config.triggers)
  incidents: {escalate: 2h}      # what alarms open incidents (temper.config.alerting)
  burn: {errors: {budget: 0.001}}   # of a ledger: what is promised of answers (temper.config.objectives)
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from zoneinfo import available_timezones

from temper.config.document import Section
from temper.config.feed import feed_of
from temper.core.outcome import Truth
from temper.core.watch import HOUR_OF_WEEK, Streaming, Watch

_SIGNED = ("manifest", "public_key")
_JUDGED = ("window", "false_alarms", "smallest", "grace", "stream")
_KEYS = ("feed", "time", "id", "score", "client", "attempts", *_JUDGED, *_SIGNED)
_TOLD = ("alerts", "incidents", "triggers", "burn")
_LABELS = ("labels", "label", "maturity")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


def watch_of(document: Section, base: Path) -> Watch | None:
    """What stands under `monitor:`; None where nothing does."""
    section = document.section("monitor").only(*_KEYS, *_LABELS, *_TOLD)
    if not section.entries:
        return None
    usual = feed_of(section, document, base)
    window = seconds(section, "window", usual.window)
    false_alarms = section.number("false_alarms", usual.false_alarms)
    smallest = section.number("smallest", usual.smallest)
    if window <= 0:
        raise section.error("monitor.window must be above 0", "window", fix="write 15m, 1h or 1d")
    if not 0 < false_alarms < 1:
        raise section.error("monitor.false_alarms must lie between 0 and 1", "false_alarms")
    if not 0 < smallest < 1:
        raise section.error("monitor.smallest must lie between 0 and 1", "smallest")
    if section.has("manifest") != section.has("public_key"):
        raise section.error("a signed reference needs manifest and public_key", fix="add what is missing")
    return replace(
        usual,
        manifest=str(base / section.text("manifest")) if section.has("manifest") else "",
        public_key=str(base / section.text("public_key")) if section.has("public_key") else "",
        window=window,
        false_alarms=false_alarms,
        smallest=smallest,
        grace=seconds(section, "grace", usual.grace),
        stream=_stream_of(section.section("stream").only("one_false_alarm_per", "tolerance", "strata", "zone")),
    )


def _stream_of(section: Section) -> Streaming | None:
    if not section.entries:
        return None
    usual = Streaming()
    per = section.whole("one_false_alarm_per", usual.one_false_alarm_per)
    tolerance = section.number("tolerance", usual.tolerance)
    if per < 1:
        raise section.error(f"{section.path}.one_false_alarm_per must be 1 row or more", "one_false_alarm_per")
    if not 0 <= tolerance < 1:
        raise section.error(f"{section.path}.tolerance must lie from 0 up to 1", "tolerance")
    strata, zone = section.texts("strata"), section.text("zone", usual.zone)
    if section.has("zone") and HOUR_OF_WEEK not in strata:
        raise section.error(
            f"{section.path}.zone needs strata: {HOUR_OF_WEEK}", "zone", fix="add it, or leave zone out"
        )
    if zone not in available_timezones():
        raise section.error(f"{section.path}.zone {zone!r} is no time zone", "zone", fix="write Europe/Rome, or UTC")
    return Streaming(one_false_alarm_per=per, tolerance=tolerance, strata=strata, zone=zone)


def truth_of(document: Section, base: Path) -> Truth | None:
    """Where labels come from, under `monitor:`; None where nothing says so."""
    section = document.section("monitor")
    if not section.has("labels"):
        for key in _LABELS:
            if section.has(key):
                raise section.error(f"monitor.{key} needs monitor.labels", key, fix="say where labels come from")
        return None
    for key in ("label", "id", "score"):
        if not section.has(key):
            raise section.error(f"monitor.labels needs monitor.{key}", "labels", fix=f"name the column as `{key}:`")
    return Truth(
        labels=str(base / section.text("labels")),
        label=section.text("label"),
        maturity=seconds(section, "maturity", 0.0),
    )


def seconds(section: Section, key: str, usual: float) -> float:
    """A time as people write it."""
    if not section.has(key):
        return usual
    text = section.text(key)
    unit = next((unit for unit in _UNITS if text.endswith(unit)), "")
    try:
        return float(text.removesuffix(unit)) * _UNITS[unit or "s"]
    except ValueError:
        raise section.error(f"{section.path}.{key} {text!r} is no time", key, fix="write 15m, 1h, 7d or 90s") from None
