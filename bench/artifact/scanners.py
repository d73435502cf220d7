"""Scanners of model files on the same files: what they flag, what they accuse wrongly, where they fail, what they cost.

    python -m bench.artifact.scanners [--quick]

Hostile files: tests/unit/artifact_hostile.py, 257 harmless payloads of 19 families, most written from published
bypasses before Temper's rules were changed, and tests/unit/artifact_held_out.py, 132 of 13 families by another hand,
without its rules at hand: of these Temper flagged 111 when it first met them (its rules were completed on both
afterwards, those of the peers were not).
Ordinary files: tests/unit/artifact_benign.py. Flagged is whatever a tool does not call clean; for Temper a finding or a
name that needs a review, both shown. A file a tool passes over is not flagged. Processor time of this process.
"""

from __future__ import annotations

import contextlib
import io
import logging
import resource
import signal
import subprocess
import sys
import tempfile
import time
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[2] / "tests"))

from bench.table import goal, machine, table
from unit import artifact_benign as benign
from unit.artifact_held_out import held_out
from unit.artifact_hostile import hostile
from unit.artifact_opcodes import File

PICKLES = ("library gadget", "stdlib gadget", "module by another name", "attribute of a class", "virtual machine")
PICKLES += (
    "broken after the payload",
    "second stream",
    "joblib",
    "torch",
    "numpy",
    "archive",
    "another ending",
    "bomb",
)
SECONDS, TIMES = 20, 3
CLEAN, REVIEW, FOUND, FAILED = "clean", "review", "found", "failed"


@dataclass(frozen=True, slots=True)
class Said:
    """What a tool said of one file, and its processor time in seconds."""

    word: str
    seconds: float


def temper(path: Path) -> str:
    """Findings, or names to review."""
    from temper.targets.artifact import scan

    report = scan(path)
    return FOUND if report.findings else REVIEW if report.needs_review else CLEAN


def picklescan(path: Path) -> str:
    """Issues; "suspicious" globals are what picklescan shows without counting them."""
    from picklescan.scanner import scan_file_path

    result = scan_file_path(str(path))
    return FOUND if result.issues_count else FAILED if result.scan_err else CLEAN


def modelscan(path: Path) -> str:
    """Issues of any severity."""
    from modelscan.modelscan import ModelScan

    result = ModelScan().scan(path)
    if result["summary"]["total_issues"]:
        return FOUND
    return FAILED if result.get("errors") else CLEAN


def fickling(path: Path) -> str:
    """Anything above LIKELY_SAFE."""
    from fickling import scan_file

    result = scan_file(str(path), graceful=True)
    return FAILED if result.errors else FOUND if not result.is_safe else CLEAN


TOOLS: dict[str, Callable[[Path], str]] = {
    "temper": temper,
    "picklescan": picklescan,
    "modelscan": modelscan,
    "fickling": fickling,
}


def ask(tool: Callable[[Path], str], path: Path) -> Said:
    """The answer; a crash or twenty seconds without one is a failure."""
    start = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), _bounded():
        try:
            word = tool(path)
        except Exception:
            word = FAILED
    return Said(word, time.process_time() - start)


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    def late(*_: Any) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)


def written(folder: Path, files: list[File]) -> dict[str, list[Path]]:
    """The files by family."""
    found: dict[str, list[Path]] = {}
    for number, file in enumerate(files):
        path = folder / f"{len(files)}-{number}" / file.name
        path.parent.mkdir()
        path.write_bytes(file.content)
        found.setdefault(file.family, []).append(path)
    return found


def large(folder: Path) -> list[Path]:
    """Files of megabytes: forests, neighbours, boosters, text, a net, each in the formats people use."""
    import joblib
    import lightgbm
    import numpy as np
    import torch
    import xgboost
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.neighbors import KNeighborsClassifier

    random = np.random.default_rng(0)
    x = random.normal(size=(20_000, 20))
    y = (x[:, 0] + random.normal(size=len(x)) > 0).astype(int)
    forest = RandomForestClassifier(50, random_state=0).fit(x, y)
    joblib.dump(forest, folder / "forest.joblib")
    joblib.dump(forest, folder / "forest-zlib.joblib", compress=3)
    joblib.dump(KNeighborsClassifier().fit(x, y), folder / "neighbours.joblib")
    words = [" ".join(map(str, random.integers(0, 200_000, 50))) for _ in range(4000)]
    joblib.dump(TfidfVectorizer().fit(words), folder / "words.joblib")
    joblib.dump(TfidfVectorizer(max_features=100_000).fit(words), folder / "words-limited.joblib")
    boosted = xgboost.XGBClassifier(n_estimators=300, n_jobs=1).fit(x, y)
    for ending in ("ubj", "json"):
        boosted.save_model(folder / f"boosted.{ending}")
    light = lightgbm.LGBMClassifier(n_estimators=500, num_leaves=63, n_jobs=1, verbose=-1).fit(x, y)
    light.booster_.save_model(folder / "light.txt")
    net = torch.nn.Sequential(*[torch.nn.Linear(1000, 1000) for _ in range(12)])
    torch.save(net.state_dict(), folder / "net.pt")
    return sorted(folder.iterdir())


def detection(folder: Path, files: list[File], title: str) -> dict[str, list[int]]:
    """The table of families; flagged files per tool over all and over what is pickle."""
    families = written(folder, files)
    counts: dict[str, list[int]] = {name: [0, 0, 0, 0, 0] for name in TOOLS}  # flagged, found, failed, pickle, pickles
    rows, spent = [], dict.fromkeys(TOOLS, 0.0)
    for family, paths in families.items():
        row: list[object] = [family, len(paths)]
        for name, tool in TOOLS.items():
            said = [ask(tool, path) for path in paths]
            flagged = sum(s.word in (FOUND, REVIEW) for s in said)
            row.append(flagged)
            spent[name] += sum(s.seconds for s in said)
            pickle = len(paths) * (family in PICKLES)
            more = [
                flagged,
                *(sum(s.word == w for s in said) for w in (FOUND, FAILED)),
                flagged if pickle else 0,
                pickle,
            ]
            counts[name] = [a + b for a, b in zip(counts[name], more, strict=True)]
        rows.append(row)
    total = sum(map(len, families.values()))
    rows.append(["all", total, *(counts[name][0] for name in TOOLS)])
    rows.append(["of these a finding", total, *(counts[name][1] for name in TOOLS)])
    rows.append(["failed on", total, *(counts[name][2] for name in TOOLS)])
    rows.append(["families of pickles", counts["temper"][4], *(counts[name][3] for name in TOOLS)])
    rows.append(["ms per file", "", *(f"{1e3 * spent[name] / total:.2f}" for name in TOOLS)])
    table(f"{title} flagged (not called clean)", ["family", "files", *TOOLS], rows)
    return counts


def accused(folder: Path, quick: bool) -> tuple[int, int, int]:
    """The table of ordinary files; Temper's false alarms, failures, and the files."""
    totals, rows = [0, 0, 0], []
    for name, part in benign.PARTS.items():
        place = folder / name
        place.mkdir()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            paths = list(part(place))
        row: list[object] = [name, len(paths)]
        for tool, asked in TOOLS.items():
            said = [ask(asked, path) for path in (paths[::5] if quick and tool != "temper" else paths)]
            alarms, failed = sum(s.word in (FOUND, REVIEW) for s in said), sum(s.word == FAILED for s in said)
            row.append(f"{alarms} + {failed} of {len(said)}")
            if tool == "temper":
                totals = [totals[0] + alarms, totals[1] + failed, totals[2] + len(said)]
        rows.append(row)
    table("Ordinary files: false alarms + failures, of files asked", ["files of", "files", *TOOLS], rows)
    return totals[0], totals[1], totals[2]


def speed(folder: Path) -> float:
    """The table of large files, the best of three; Temper's milliseconds per megabyte over those not compressed."""
    rows, spent, size = [], 0.0, 0.0
    tools = {name: tool for name, tool in TOOLS.items() if name != "fickling"}
    for path in large(folder):
        megabytes = path.stat().st_size / 1e6
        read = _unfolded(path) / 1e6
        times = {name: min(ask(tool, path).seconds for _ in range(TIMES)) for name, tool in tools.items()}
        costs = [f"{1e3 * times[name] / megabytes:.2f}" for name in tools]
        rows.append([path.name, f"{megabytes:.1f}", *costs, f"{read:.1f}", f"{1e3 * times['temper'] / read:.2f}"])
        if read == megabytes:
            spent, size = spent + times["temper"], size + megabytes
    heads = ["file", "MB", *tools, "MB unfolded", "temper per MB unfolded"]
    table("Milliseconds of processor time per MB", heads, rows)
    print(f"loading the compiled readers, once per process: {_loading():.2f} s")
    return 1e3 * spent / size


def _unfolded(path: Path) -> int:
    """Bytes behind zlib, or of the file."""
    content = path.read_bytes()
    return len(zlib.decompress(content)) if content[:1] == b"\x78" else len(content)


def _loading() -> float:
    """Processor seconds of a new process for importing numba and the kernels, their code in its cache."""
    code = "import time; a = time.process_time(); import temper.kernels._jit_pickle as k, numpy as n; "
    code += "k.batches(n.frombuffer(b'abcd', n.uint8), 0, 0, 0); print(time.process_time() - a)"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(2)]
    return float(runs[-1].stdout)


def main(words: list[str]) -> int:
    """Three tables and the goals."""
    logging.disable(logging.CRITICAL)
    resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30))
    print(machine("picklescan", "modelscan", "fickling", "scikit-learn"))
    with tempfile.TemporaryDirectory() as root:
        places = [Path(root) / name for name in ("hostile", "ordinary", "large")]
        for place in places:
            place.mkdir()
        counts = detection(places[0], hostile(), "Hostile files")
        others = detection(places[0], held_out(), "Hostile files by another hand")
        alarms, failed, files = accused(places[1], "--quick" in words)
        per_megabyte = speed(places[2])
    total = counts["temper"][0]
    goal("hostile files flagged", total, len(hostile()), at_least=True, digits=0)
    goal("hostile files by another hand flagged", others["temper"][0], len(held_out()), at_least=True, digits=0)
    goal("false alarms", 100 * alarms / files, 2.0001, "%")
    goal("failures on ordinary files", failed, 1, digits=0)
    goal("flagged more than the best of picklescan and modelscan", total,
         1 + max(counts[name][0] for name in ("picklescan", "modelscan")), at_least=True, digits=0)  # fmt: skip
    goal("large files without compression", per_megabyte, 1.0, "ms per MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
