"""What is watched once the model is in service, in temper.yaml.

monitor:
  feed: predictions/             # a table, or a folder of .parquet and .csv files, with the columns of the schema
  time: at                       # when each prediction was made
  id: request                    # tells rows apart; without it a row is known by its values and its time
  score: score                   # the model's score, watched like a column
  window: 1d                     # 15m, 1h, 1d
  false_alarms: 0.05             # share of windows without drift in which anything may alarm
  smallest: 0.1                  # a distance of distributions that is worth an alarm
  grace: 1h                      # how long after a window's end its rows may still come
  alerts: {receivers: [...]}     # whom to tell (temper.config.alerting)
"""

from __future__ import annotations

from pathlib import Path

from temper.config.document import Section
from temper.core.watch import Watch

_KEYS = ("feed", "time", "id", "score", "window", "false_alarms", "smallest", "grace", "alerts")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


def watch_of(document: Section, base: Path) -> Watch | None:
    """What stands under `monitor:`; None where nothing does."""
    section = document.section("monitor").only(*_KEYS)
    if not section.entries:
        return None
    usual = Watch(feed=str(base / section.needed("feed")), time=section.needed("time"))
    window = seconds(section, "window", usual.window)
    false_alarms = section.number("false_alarms", usual.false_alarms)
    smallest = section.number("smallest", usual.smallest)
    if window <= 0:
        raise section.error("monitor.window must be above 0", "window", fix="write 15m, 1h or 1d")
    if not 0 < false_alarms < 1:
        raise section.error("monitor.false_alarms must lie between 0 and 1", "false_alarms")
    if not 0 < smallest < 1:
        raise section.error("monitor.smallest must lie between 0 and 1", "smallest")
    return Watch(
        feed=usual.feed,
        time=usual.time,
        id=section.text("id"),
        score=section.text("score"),
        window=window,
        false_alarms=false_alarms,
        smallest=smallest,
        grace=seconds(section, "grace", usual.grace),
    )


def seconds(section: Section, key: str, usual: float) -> float:
    """A time as people write it."""
    if not section.has(key):
        return usual
    text = section.text(key)
    number, unit = (text[:-1], text[-1:]) if text[-1:] in _UNITS else (text, "s")
    try:
        return float(number) * _UNITS[unit]
    except ValueError:
        raise section.error(f"{section.path}.{key} {text!r} is no time", key, fix="write 15m, 1h, 7d or 90s") from None
