"""The pytest plugin: a run as a fixture, and the requirements of a policy as tests (`pytest --temper temper.yaml`)."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from temper.api import Run
    from temper.core.assistant import Assistant
    from temper.core.requirement import Judgement, Policy
    from temper.core.run import Record
    from temper.core.system import Protected


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of `temper assess` that a test run may want otherwise."""
    group = parser.getgroup("temper", "assessments by Temper")
    files = "collect the requirements of this temper.yaml's policy as tests; may be repeated"
    group.addoption("--temper", action="append", default=[], metavar="FILE", dest="temper_files", help=files)
    group.addoption("--temper-suite", default="standard", help="how much work: quick, standard (default) or deep")
    group.addoption("--temper-engine", default="processes", help="where tasks run: serial, processes (default) or ray")
    stored = "folder of the store; default beside the temper.yaml, of other systems pytest's cache"
    group.addoption("--temper-store", default=None, metavar="FOLDER", help=stored)
    trusted = "load a pickle, after a scan; a pickle can run any code"
    group.addoption("--temper-trust-pickle", action="store_true", help=trusted)


def pytest_configure(config: pytest.Config) -> None:
    """Files named by --temper are collected beside whatever else was asked for."""
    config.addinivalue_line("markers", "temper: a requirement of a policy, collected by --temper")
    config.stash[_ASKED] = Assessments(config)
    named = [str(path) for path in _files(config)]
    config.args += [path for path in named if path not in config.args]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A temper.yaml that --temper names, and no other YAML."""
    if file_path not in _files(parent.config):
        return None
    return PolicyFile.from_parent(parent, path=file_path)


@pytest.fixture(scope="session")
def temper_assess(pytestconfig: pytest.Config) -> Assessments:
    """Assess a temper.yaml or a system: `temper_assess("temper.yaml", only=["evasion"])`; each question is run once."""
    return pytestconfig.stash[_ASKED]


@dataclass(slots=True, eq=False)
class Assessments:
    """Runs of this session by what was asked; what an earlier session has measured is answered from the store."""

    config: pytest.Config
    _answers: dict[Any, Run | Exception] = field(default_factory=dict)
    _systems: dict[Any, Protected | Assistant] = field(default_factory=dict)

    def __call__(
        self,
        system: Protected | str | Path = "temper.yaml",
        suite: str | None = None,
        only: tuple[str, ...] | list[str] = (),
        seed: int = 0,
        engine: str | None = None,
    ) -> Run:
        """The run of this question. A mistake in the system is raised again each time it is asked."""
        asked = {
            "suite": suite or self.config.getoption("temper_suite"),
            "only": tuple(only),
            "seed": seed,
            "engine": engine or self.config.getoption("temper_engine"),
        }
        key = (self._place(system), *asked.values())
        if key not in self._answers:
            self._answers[key] = self._answer(system, asked)
        answer = self._answers[key]
        if isinstance(answer, Exception):
            raise answer.with_traceback(None)
        return answer

    def loaded(self, system: Protected | str | Path) -> Protected | Assistant:
        """The system itself; of a file what it describes, read once."""
        from temper import api
        from temper.api import assistants

        key = self._place(system)
        if key not in self._systems:
            if not isinstance(system, str | Path):
                self._systems[key] = system
            elif assistants.is_assistant(system):
                self._systems[key] = assistants.load_assistant(system)
            else:
                self._systems[key] = api.load(system, trust_pickle=self.config.getoption("temper_trust_pickle"))
        return self._systems[key]

    def _place(self, system: Protected | str | Path) -> Any:
        """What tells systems apart: the file, or the object, which is kept as long as its run is."""
        return Path(system).resolve() if isinstance(system, str | Path) else id(system)

    def _answer(self, system: Protected | str | Path, asked: dict[str, Any]) -> Run | Exception:
        from temper import api
        from temper.api import assistants
        from temper.core.assistant import Assistant
        from temper.core.errors import TemperError

        try:
            found = self.loaded(system)
            store = self._store(found)
            with _alone(store), _shown():
                ask: Any = assistants.redteam if isinstance(found, Assistant) else api.assess
                more = {"suite": asked["suite"]} if isinstance(found, Assistant) else asked
                run: Run = ask(found, **more, store=store)
        except TemperError as error:
            return error
        if run.record.state == "stopped":
            raise KeyboardInterrupt
        return run

    def _store(self, system: Protected | Assistant) -> Path:
        """The folder of the store."""
        from temper import api

        given = self.config.getoption("temper_store")
        if given is None and not system.source:
            cache = self.config.cache
            if cache is None:
                raise pytest.UsageError("a system without a temper.yaml needs --temper-store where there is no cache")
            given = cache.mkdir("temper")
        if given is not None:
            Path(given).mkdir(parents=True, exist_ok=True)
        return Path(given) if given is not None else api.open_store(None, system).path.parent.parent


class PolicyFile(pytest.File):
    """A temper.yaml as a collection of requirements."""

    def collect(self) -> Iterator[pytest.Item]:
        """One test per requirement, in the order of the policy."""
        from temper.core.errors import TemperError

        try:
            policy = self._policy()
        except TemperError as error:
            raise self.CollectError(str(error)) from None
        for requirement in policy.requirements:
            item = RequirementItem.from_parent(self, name=requirement.id)
            item.add_marker("temper")
            yield item

    def _policy(self) -> Policy:
        """As it is written; the model decides which policy is the default one, so without a policy it is loaded."""
        from temper.config.policy import from_node
        from temper.config.reading import read

        document = read(self.path)
        if document.has("policy"):
            return from_node(document, "policy", self.path.parent)
        return self.config.stash[_ASKED].loaded(self.path).policy


class RequirementItem(pytest.Item):
    """A requirement: passes on PASS alone; a waived breach is an expected failure with its owner and its end."""

    def runtest(self) -> None:
        """Ask for the run, which the first requirement of a file waits for, and look up the verdict."""
        from temper.core.requirement import Verdict

        record = self.config.stash[_ASKED](self.path).record
        judgement = next((one for one in record.judgements if one.requirement.id == self.name), None)
        if judgement is None:
            raise Unmet(f"{self.name} was not judged in run {record.id}")
        waiver = judgement.requirement.waiver
        if judgement.verdict is Verdict.WAIVED and waiver is not None:
            pytest.xfail(_told(judgement, record)[0])
        if judgement.verdict is not Verdict.PASS:
            raise Unmet("\n".join(_told(judgement, record)))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What was measured and what is asked; of a mistake in the system, one sentence and the fix."""
        from temper.core.errors import TemperError

        if isinstance(excinfo.value, Unmet | TemperError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """The file and the requirement."""
        return self.path, None, f"requirement {self.name}"


class Unmet(Exception):
    """A requirement that the run does not show to be met."""


_ASKED = pytest.StashKey[Assessments]()


def _files(config: pytest.Config) -> list[Path]:
    return [(config.invocation_params.dir / name).resolve() for name in config.getoption("temper_files")]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Several processes of one test run (pytest-xdist) take turns: the first measures, the others read its store."""
    import fcntl

    (folder / ".temper").mkdir(exist_ok=True)
    with (folder / ".temper" / "pytest.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _shown() -> Iterator[None]:
    """A project that turns warnings into errors means its tests: a model that warns is measured like anywhere else."""
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        yield


def _told(judgement: Judgement, record: Record) -> list[str]:
    """The verdict with figure, interval, n and limit; why it is asked; what shows it again."""
    from temper.report._claims import said
    from temper.report._figure import deciding, finding_name
    from temper.report._inert import inert

    rule, figure = judgement.requirement, deciding(judgement, record.measurements)
    shown = [one for one in record.findings if figure is not None and finding_name(one) == figure.name]
    return [
        inert(f"{judgement.verdict.name}: {said(judgement, record)}"),
        *([inert(f"asked because: {rule.reason} (severity {rule.severity})")] if rule.reason else []),
        *[inert(f"shown again by: {one.reproduce}") for one in shown[:1]],
        f"run {record.id}, suite {record.suite}: temper report {record.id} --format html --out report.html",
    ]
