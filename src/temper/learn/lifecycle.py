"""The picture of the lifecycle on the README's first screen, as one inert SVG that follows light and dark."""

from __future__ import annotations

from html import escape

WIDTH, HEIGHT = 1000, 430
_BOX, _TALL, _GAP = 214, 92, 36
_TOP, _BOTTOM = 64, 238
BEFORE = (
    ("Threats and risk", "what could go wrong?", "temper threats --risk"),
    ("Attack and stress", "what breaks it, how surely?", "temper assess"),
    ("Harden", "what mends it?", "temper harden"),
    ("Approve", "who says that it is enough?", "temper approve"),
)
AFTER = (
    ("Red team", "does all of it hold together?", "temper redteam, layers"),
    ("Respond", "what is done when it fails?", "temper respond, drill"),
    ("Monitor", "is it still the same world?", "temper monitor"),
    ("Guard", "what stands before it?", "temper serve"),
)
"""Drawn from left to right; the way goes from right to left."""
_STYLE = """
.box{fill:#fff;stroke:#c7ccd6;stroke-width:1.2}.back{fill:#f4f6fa}.t{font:600 17px sans-serif;fill:#1c2333}
.q{font:13.5px sans-serif;fill:#4a5468}.c{font:12.5px monospace;fill:#0b5cad}.l{font:13px sans-serif;fill:#5b6579}
.a{fill:none;stroke:#5b6579;stroke-width:1.6}.h{fill:#5b6579}.e{fill:#e9f1fb;stroke:#9fc2ea;stroke-width:1.2}
@media (prefers-color-scheme:dark){.box{fill:#171c26;stroke:#3b4558}.back{fill:#0f131a}.t{fill:#eef1f6}.q{fill:#b4bdcc}
.c{fill:#7db8f5}.l{fill:#a3adbd}.a{stroke:#a3adbd}.h{fill:#a3adbd}.e{fill:#14263c;stroke:#2f5f93}}
"""
LABEL = (
    "The lifecycle: threats and risk, attack and stress, harden, approve; then guard, monitor, respond, red team, and "
    "back. All of it writes into one ledger."
)


def picture() -> str:
    """The whole picture."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(LABEL)}"><style>{"".join(_STYLE.split(chr(10)))}</style>',
        f'<rect class="back" width="{WIDTH}" height="{HEIGHT}" rx="14"/>',
        _text(18, 36, "l", "Before release"),
        _text(18, 212, "l", "In production"),
        *(_box(at, _TOP, *box) for at, box in enumerate(BEFORE)),
        *(_box(at, _BOTTOM, *box) for at, box in enumerate(AFTER)),
        *_ways(),
        _ledger(),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _left(at: int) -> int:
    return 18 + at * (_BOX + _GAP)


def _box(at: int, top: int, title: str, question: str, command: str) -> str:
    x = _left(at)
    lines = ((31, "t", title), (55, "q", question), (78, "c", command))
    frame = f'<rect class="box" x="{x}" y="{top}" width="{_BOX}" height="{_TALL}" rx="9"/>'
    return frame + "".join(_text(x + 14, top + down, kind, said) for down, kind, said in lines)


def _text(x: int, y: int, kind: str, said: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(said)}</text>'


def _ways() -> list[str]:
    """From each box to the next, down on the right, and back up on the left."""
    upper, lower = _TOP + _TALL // 2, _BOTTOM + _TALL // 2
    found = []
    for at in range(3):
        right, left = _left(at) + _BOX, _left(at + 1)
        found += [_arrow((right, upper), (left, upper)), _arrow((left, lower), (right, lower))]
    down, up = _left(3) + _BOX // 2, _left(0) + _BOX // 2
    found += [_arrow((down, _TOP + _TALL), (down, _BOTTOM)), _arrow((up, _BOTTOM), (up, _TOP + _TALL))]
    found.append(_text(up + 12, _TOP + _TALL + 26, "l", "residual risk, regression tests, what is stale"))
    found.append(_text(down - 12, _TOP + _TALL + 26, "l", "deployed only as approved", "end"))
    return found


def _arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    """A line with a head at its end, along one axis."""
    (x, y), (to_x, to_y) = start, end
    way_x, way_y = (to_x > x) - (to_x < x), (to_y > y) - (to_y < y)
    tip_x, tip_y = to_x - 3 * way_x, to_y - 3 * way_y
    neck_x, neck_y = tip_x - 9 * way_x, tip_y - 9 * way_y
    head = f"{tip_x},{tip_y} {neck_x + 5 * way_y},{neck_y + 5 * way_x} {neck_x - 5 * way_y},{neck_y - 5 * way_x}"
    return (
        f'<path class="a" d="M{x + 3 * way_x},{y + 3 * way_y}L{neck_x},{neck_y}"/><polygon class="h" points="{head}"/>'
    )


def _ledger() -> str:
    y = _BOTTOM + _TALL + 28
    said = "One ledger of evidence under all of it: every figure, approval, decision and incident"
    frame = f'<rect class="e" x="18" y="{y}" width="{WIDTH - 36}" height="48" rx="9"/>'
    return frame + _text(34, y + 30, "q", said) + _text(WIDTH - 34, y + 30, "c", "temper audit export", "end")
