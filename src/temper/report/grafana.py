"""A Grafana dashboard over what `temper monitor export` writes: state and age first, then which column, then rows."""

from __future__ import annotations

from typing import Any

from temper.core.watch import Seen

_OWN = '{system="$system"}'
_SOURCE = {"type": "prometheus", "uid": "${source}"}
_COLOURS = {Seen.PASS: "green", Seen.FAIL: "red", Seen.INCONCLUSIVE: "yellow", Seen.NOTHING: "orange"}
_PROMISED = f"temper_monitor_promise{_OWN} == 1"
_BURN = "{{promise}} {{rule}} {{while}}"
_PANELS = (
    # title, kind, expression, legend, unit, width, height
    ("What the newest window says", "stat", f"temper_monitor_seen{_OWN} == 1", "{{state}}", "none", 8, 5),
    ("Age of the newest window", "stat", f"time() - temper_monitor_window_end_seconds{_OWN}", "", "s", 4, 5),
    ("Overdue", "stat", f"clamp_min(time() - temper_monitor_due_seconds{_OWN}, 0)", "", "s", 4, 5),
    ("Rows", "stat", f"temper_monitor_rows{_OWN}", "", "short", 4, 5),
    ("Length of a window", "stat", f"temper_monitor_window_seconds{_OWN}", "", "s", 4, 5),
    ("How far columns have moved", "timeseries", f"temper_monitor_distance{_OWN}", "{{column}}", "none", 24, 9),
    ("Alarms by column", "timeseries", f"temper_monitor_alarms{_OWN} > 0", "{{column}}", "short", 12, 8),
    ("Columns gone or of another type", "timeseries", f"temper_monitor_troubles{_OWN}", "", "short", 12, 8),
    ("What windows say", "state-timeline", f"temper_monitor_seen{_OWN}", "{{state}}", "none", 12, 8),
    ("Rows of windows", "timeseries", f"temper_monitor_rows{_OWN}", "", "short", 12, 8),
    ("Promises of answers", "state-timeline", _PROMISED, "{{promise}}: {{state}}", "none", 12, 8),
    ("Budgets burnt, times as fast as they may", "timeseries", f"temper_monitor_burn{_OWN}", _BURN, "short", 12, 8),
    ("Requests a second", "timeseries", f"temper_monitor_requests_per_second{_OWN}", "", "reqps", 6, 8),
    ("Failed", "timeseries", f"temper_monitor_failed_share{_OWN}", "", "percentunit", 6, 8),
    ("Turned away for want of room", "timeseries", f"temper_monitor_overload_share{_OWN}", "", "percentunit", 6, 8),
    ("Time of 99 of 100 answers", "timeseries", f"temper_monitor_latency_p99_seconds{_OWN}", "", "s", 6, 8),
)


def dashboard() -> dict[str, Any]:
    """The document to import; the source of data and the system are chosen in it."""
    return {
        "uid": "temper-monitor",
        "title": "Temper: is what comes in still what the model was made for?",
        "tags": ["temper"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "1m",
        "time": {"from": "now-30d", "to": "now"},
        "templating": {"list": [_sources(), _systems()]},
        "panels": _placed(),
    }


def _sources() -> dict[str, Any]:
    return {"name": "source", "label": "Source", "type": "datasource", "query": "prometheus"}


def _systems() -> dict[str, Any]:
    query = "label_values(temper_monitor_rows, system)"
    return {"name": "system", "label": "System", "type": "query", "datasource": _SOURCE, "query": query, "refresh": 2}


def _placed() -> list[dict[str, Any]]:
    """Panels from left to right, 24 columns a line."""
    found, x, y = [], 0, 0
    for number, (title, kind, expr, legend, unit, width, height) in enumerate(_PANELS, start=1):
        place = {"x": x, "y": y, "w": width, "h": height}
        x, y = (0, y + height) if x + width == 24 else (x + width, y)
        found.append({"id": number, "gridPos": place, **_panel(title, kind, expr, legend, unit)})
    return found


def _panel(title: str, kind: str, expr: str, legend: str, unit: str) -> dict[str, Any]:
    target = {"refId": "A", "expr": expr, "legendFormat": legend or title, "datasource": _SOURCE}
    panel = {"title": title, "type": kind, "datasource": _SOURCE, "targets": [target]}
    colours = [
        {"matcher": {"id": "byRegexp", "options": f"/(^|: ){seen.value}$/"}, "properties": [_fixed(colour)]}
        for seen, colour in _COLOURS.items()
    ]
    options = {"textMode": "name"} if "{{state}}" in legend and kind == "stat" else {}
    overrides = colours if "{{state}}" in legend else []
    return panel | {"options": options, "fieldConfig": {"defaults": {"unit": unit}, "overrides": overrides}}


def _fixed(colour: str) -> dict[str, Any]:
    return {"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}
