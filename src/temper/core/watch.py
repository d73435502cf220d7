"""What is watched of a model in service, window by window, and what is found."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

HOUR_OF_WEEK = "hour-of-week"
"""The stratum of a stream that no column tells: the time of a row does."""

PERSISTENT = "persistent"
"""The alarm of scores that have crowded below the threshold over many windows."""

REFUSED = "refused"
"""Requests without a key that holds: what they are counted as, and the alarm of too many."""

ATTEMPTS, EXCHANGES = "attempts", "exchanges"
"""Exchanges with an assistant to which its guard objected: what they are counted as, and the alarm of too many; and
what all exchanges of a window are counted as.
"""
STAGES = ("normaliser", "rules", "linear", "canary", "decoys", "permissions", "egress")
"""Stages of a guard whose objection is a sign that somebody tried. That a question is too long, or an answer holds a
card number, is none.
"""


class Seen(StrEnum):
    """What a window says; NOTHING stands for no rows at all, and like INCONCLUSIVE it is never read as PASS."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NOTHING = "no data"


class Kind(StrEnum):
    """What kind of change a window with an alarm shows; UNKNOWN where the evidence fits none, and is told anyway."""

    ATTACK = "attack-like"
    NATURAL = "natural"
    PIPELINE = "pipeline fault"
    UNKNOWN = "unknown"


class Feed(StrEnum):
    """What predictions are read from: files, the ledger of a gateway, or a database; of an assistant, the exchanges in
    the ledger of its gateway.
    """

    FILES = "files"
    LEDGER = "ledger"
    SQL = "sql"
    EXCHANGES = "exchanges"


@dataclass(frozen=True, slots=True, kw_only=True)
class Streaming:
    """`monitor: stream:` of a temper.yaml: all rows, in order of time, are watched as one stream that alarms without
    reason once in `one_false_alarm_per` rows at most, on average and over all columns. Shifts within the `tolerance` (a
    distance of distribution functions) are harmless; `strata` are columns whose values say what a row may be compared
    with, and `hour-of-week`, which is by the clock of `zone`.
    """

    one_false_alarm_per: int = 1_000_000
    tolerance: float = 0.0
    strata: tuple[str, ...] = ()
    zone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """`monitor:` of a temper.yaml: where predictions come from, and how they are cut and judged.

    `feed` names it, and is its path where it is files or a ledger. `place` is where a database is (its URL may hold a
    password, so it is never told) and `query` what it is asked. With a `manifest`, signed by the holder of
    `public_key`, the reference is what was signed, or nothing is judged.

    `window` is in seconds. `false_alarms` is the share of windows without drift in which anything may alarm. A distance
    of distribution functions below `smallest` is no alarm, and windows too small to show one that large are
    inconclusive. `grace` seconds after its end a window is complete. `client` names the column that says whose a row
    is. `attempts` are the stages of an assistant's guard whose objections are attempts.
    """

    feed: str
    id: str = ""
    client: str = ""
    time: str
    score: str = ""
    window: float = 86_400.0
    false_alarms: float = 0.05
    smallest: float = 0.1
    grace: float = 0.0
    kind: Feed = Feed.FILES
    place: str = field(default="", repr=False)
    query: str = ""
    manifest: str = ""
    public_key: str = ""
    stream: Streaming | None = None
    attempts: tuple[str, ...] = STAGES


@dataclass(frozen=True, slots=True, kw_only=True)
class Shifted:
    """A column of a stream that is not as it was: `how` it is now ("is higher"), `since` about which row (from `low` to
    `high`), and the row at which that was `seen`; `times` are when these four came, in seconds since 1970, where that
    is known. Rows are counted from the beginning of the stream.
    """

    column: str
    how: str
    since: float
    low: float
    high: float
    seen: int
    times: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """A comparison that found drift in a column ("" for all of them together), how far it has moved, and p."""

    comparison: str
    column: str
    value: float
    p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version of a model that answered `rows` rows of a window, the first of them at `since`."""

    name: str
    rows: int
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What one window says. `tests` comparisons were made; `needed` rows would show what is worth an alarm, None where
    no number does. `moved` is how far each column has, from 0 to 1, alarm or not: numbers by the largest distance of
    their distribution functions, categories by Cramer's V; `signs` are those of an attack, alarm or not. `troubles`
    are what no row was right in (a column that is gone), in words, and `notes` what some rows were not right in: these
    count as missing values, and drift decides. Of a FAIL, `kind` is what kind of change it shows, `why` the evidence in
    words, `since` the start of the first window in a row that shows it. `shifts` are what was seen in these rows as a
    part of a stream, which had `streamed` rows when they were over; None: they are not in one. `versions` of the model
    answered, in order of time, where the feed knows them, and `instead` rows were answered by something else.
    `gathered` is the evidence of small campaigns, which the next window goes on from; `events` are how often what is no
    row happened, where the feed counts it.
    """

    start: float
    ends: float
    rows: int
    seen: Seen
    tests: int
    needed: int | None
    alarms: tuple[Alarm, ...] = ()
    troubles: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    kind: Kind | None = None
    why: tuple[str, ...] = ()
    since: float | None = None
    moved: tuple[tuple[str, float], ...] = ()
    gathered: tuple[float, ...] = ()
    shifts: tuple[Shifted, ...] = ()
    streamed: int | None = None
    versions: tuple[Version, ...] = ()
    instead: int = 0
    signs: tuple[Alarm, ...] = ()
    events: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How the values of a column lay in the reference (`before`) and in a window (`now`).

    With `edges`: rows below the first, from each to the next, and above the last. With `names`: rows of each, of which
    the last, "", is everything else. `missing` are rows without a value, before and now. A `threshold` is where scores
    are stopped; `part` says that what lies beyond the edges is not drawn.
    """

    column: str
    before: tuple[int, ...]
    now: tuple[int, ...]
    edges: tuple[float, ...] = ()
    names: tuple[str, ...] = ()
    missing: tuple[int, int] = (0, 0)
    threshold: float | None = None
    part: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """A feed that is watched: by which reference, in windows how long, and when it was last looked at."""

    feed: str
    reference: str
    width: float
    judged: float
