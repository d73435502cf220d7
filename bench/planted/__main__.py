"""What a user is told of planted weaknesses, and of their sound twins: recall and false findings with intervals.

`python -m bench.planted [room ...] [--quick] [--seeds N] [--seconds S] [--folder F] [--only WORD]`

Every case is asked twice, once weak and once sound, through the public functions or commands at their defaults, in an
empty folder. Answers are appended to F/planted.jsonl one by one; what is there is not asked again, so a round may be
made in pieces of S seconds, and what is printed is of all of it. `--quick` takes the first case of each room. Models,
rows and files are made up (SIMULATED). The rules are docs/decisions/0084.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.planted import cases
from bench.planted._case import Case, Setting
from bench.table import goal, machine, table
from temper.core.errors import TemperError
from temper.kernels.rate import clopper_pearson

_SAID, _LINE = 4, 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was said of one side of a case; `failed` where the bench itself broke, which counts against Temper."""

    room: str
    name: str
    weak: bool
    seed: int
    held_out: bool
    told: tuple[str, ...]
    failed: str
    seconds: float

    @property
    def key(self) -> tuple[str, str, bool, int]:
        """Which question it answers."""
        return self.room, self.name, self.weak, self.seed

    @property
    def wrong(self) -> bool:
        """A miss, a false finding, or no answer."""
        return bool(self.failed) or bool(self.told) != self.weak


def main(words: Sequence[str]) -> int:
    """Ask what was not asked yet, then print all."""
    options = _options(words)
    path = Path(options.folder or tempfile.mkdtemp()) / "planted.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    chosen, known = _chosen(options), {answer.key: answer for answer in _read(path)}
    waiting = [
        (case, weak, seed)
        for case in chosen
        for seed in range(options.seeds)
        for weak in (True, False)
        if (case.room, case.name, weak, seed) not in known
    ]
    until = time.monotonic() + options.seconds
    with path.open("a", encoding="utf-8") as kept:
        for at, (case, weak, seed) in enumerate(waiting):
            if time.monotonic() > until:
                sys.stderr.write(f"{len(waiting) - at} questions wait: run it again with --folder {path.parent}\n")
                break
            answer = asked(case, weak, seed)
            known[answer.key] = answer
            kept.write(json.dumps(asdict(answer)) + "\n")
            kept.flush()
            sys.stderr.write(f"{at + 1}/{len(waiting)} {_line(answer)}\n")
    wanted = {(case.room, case.name) for case in chosen}
    shown([a for a in known.values() if (a.room, a.name) in wanted and a.seed < options.seeds])
    return 0


def asked(case: Case, weak: bool, seed: int) -> Answer:
    """One question, in a folder of its own."""
    began, told, failed = time.process_time(), [], ""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            told = list(case.told(Setting(weak=weak, seed=seed, folder=Path(folder))))
        except TemperError as refusal:  # whoever asks is told, and goes no further
            told = [f"refused: {refusal}"]
        except Exception as crash:  # the round goes on; no answer is a wrong one
            failed = f"{type(crash).__name__}: {crash}"[:_LINE]
    return Answer(
        room=case.room,
        name=case.name,
        weak=weak,
        seed=seed,
        held_out=case.held_out,
        told=tuple(one[:_LINE] for one in told[:_SAID]),
        failed=failed,
        seconds=time.process_time() - began,
    )


def shown(answers: Sequence[Answer]) -> None:
    """The table by room, the same of what was held out, every miss and false finding by name, the goals."""
    print(machine("numpy", "scikit-learn", "torch"))
    names = dict.fromkeys(answer.room for answer in answers)
    lines = [_row(room, [a for a in answers if a.room == room]) for room in names]
    lines += [_row("held out", [a for a in answers if a.held_out]), _row("all", answers)]
    columns = ("room", "weak found", "95 %", "sound accused", "95 %", "cpu s")
    table("planted weaknesses and their sound twins (SIMULATED)", columns, lines)
    for answer in (one for one in answers if one.wrong):
        print(_line(answer))
    weak, sound = [a for a in answers if a.weak], [a for a in answers if not a.weak]
    goal("recall", sum(not a.wrong for a in weak) / max(len(weak), 1), 0.95, at_least=True, digits=3)
    goal("false findings", sum(a.wrong for a in sound) / max(len(sound), 1), 0.05 + 1e-9, digits=3)


def _row(room: str, answers: Sequence[Answer]) -> tuple[str, ...]:
    weak, sound = [a for a in answers if a.weak], [a for a in answers if not a.weak]
    found, accused = sum(not a.wrong for a in weak), sum(a.wrong for a in sound)
    seconds = f"{sum(a.seconds for a in answers):.0f}"
    return (
        room,
        f"{found}/{len(weak)}",
        _ends(found, len(weak)),
        f"{accused}/{len(sound)}",
        _ends(accused, len(sound)),
        seconds,
    )


def _ends(count: int, n: int) -> str:
    if n == 0:
        return "-"
    low, high = clopper_pearson(count, n)
    return f"[{100 * low:.1f}, {100 * high:.1f}]"


def _line(answer: Answer) -> str:
    side = "weak" if answer.weak else "sound"
    what = "" if not answer.wrong else "NO ANSWER " if answer.failed else "MISSED " if answer.weak else "ACCUSED "
    said = answer.failed or "; ".join(answer.told) or "nothing told"
    held = " (held out)" if answer.held_out else ""
    return f"{what}{answer.room}: {answer.name}{held}, {side}, seed {answer.seed}, {answer.seconds:.1f} s: {said}"


def _chosen(options: argparse.Namespace) -> list[Case]:
    every = cases()
    rooms = tuple(dict.fromkeys(case.room for case in every))
    if unknown := set(options.rooms) - set(rooms):
        raise SystemExit(f"no room {', '.join(sorted(unknown))}; there are {', '.join(rooms)}")
    found = [case for case in every if not options.rooms or case.room in options.rooms]
    found = [case for case in found if options.only in case.name]
    if options.quick:
        found = [next(case for case in found if case.room == room) for room in dict.fromkeys(c.room for c in found)]
    return found


def _read(path: Path) -> Iterable[Answer]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [Answer(**(known := json.loads(line)) | {"told": tuple(known["told"])}) for line in lines]


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.planted", description=__doc__)
    parser.add_argument("rooms", nargs="*")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--folder", default="")
    parser.add_argument("--only", default="", help="cases whose name holds this word")
    return parser.parse_args(words)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
