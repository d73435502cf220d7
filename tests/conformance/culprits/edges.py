"""Gates, renderers and stores, each of which breaks one law; the real ones break none."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

from temper.core.errors import TemperError
from temper.core.measure import Status
from temper.core.requirement import Judgement, Verdict
from temper.core.run import Record
from temper.store.codec import from_json, to_json, unwrap, wrap
from temper.testing import gate, report, store
from temper.validation.gate import judge

CALLS = itertools.count()


def passes_the_worst(policy: Any, measurements: Any, today: Any) -> Any:
    """Takes a rate of one for an empty one."""
    found = judge(policy, measurements, today)
    all_broken = any(m.count == m.n for m in measurements)
    return tuple(replace(j, verdict=Verdict.PASS) if all_broken else j for j in found)


def drops_the_untried(policy: Any, measurements: Any, today: Any) -> Any:
    """Leaves rows out that nobody tried."""
    known = [replace(m, n=m.n - m.undecided, undecided=0) if m.n > m.undecided else m for m in measurements]
    return judge(policy, known, today)


def forgives_what_is_missing(policy: Any, measurements: Any, today: Any) -> Any:
    """Reads an undecided verdict as a pass."""
    found = judge(policy, measurements, today)
    return tuple(replace(j, verdict=Verdict.PASS) if j.verdict is Verdict.INCONCLUSIVE else j for j in found)


def believes_errors(policy: Any, measurements: Any, today: Any) -> Any:
    """Does not look at the status."""
    return judge(policy, [replace(m, status=Status.OK, reason="") for m in measurements], today)


def likes_few_rows(policy: Any, measurements: Any, today: Any) -> Any:
    """Passes what stands on hardly any rows."""
    found = judge(policy, measurements, today)
    return tuple(replace(j, verdict=Verdict.PASS) if j.n < 20 else j for j in found)


def by_the_middle(policy: Any, measurements: Any, today: Any) -> Any:
    """Decides by the estimate."""
    return judge(policy, [replace(m, count=None, low=m.value, high=m.value) for m in measurements], today)


def first_only(policy: Any, measurements: Any, today: Any) -> Any:
    """Looks at the first figure it finds."""
    return judge(policy, measurements[:1], today)


def tight_lipped(policy: Any, measurements: Any, today: Any) -> Any:
    """Gives a bare verdict."""
    found = judge(policy, measurements, today)
    return tuple(Judgement(requirement=j.requirement, verdict=j.verdict) for j in found)


def waives_for_ever(policy: Any, measurements: Any, today: Any) -> Any:
    """Never looks at the day a waiver ends."""
    return judge(policy, measurements, gate.TODAY.replace(year=2000))


def reads_waived_as_passed(policy: Any, measurements: Any, today: Any) -> Any:
    """Shows an accepted breach as met."""
    found = judge(policy, measurements, today)
    return tuple(replace(j, verdict=Verdict.PASS) if j.verdict is Verdict.WAIVED else j for j in found)


def plain(record: Record) -> str:
    """Every free text as it is."""
    return f"{record.system}\n{record.verdict.name}\n{record.state}\n"


def numbered(record: Record) -> str:
    """Counts its own calls."""
    return f"<p>{record.verdict.name} {record.state} {next(CALLS)}</p>"


def pasted(record: Record) -> str:
    """A page with the words pasted in."""
    return f"<html><p title='x'>{record.system}</p>{record.verdict.name} {record.state}</html>"


def glued_json(record: Record) -> str:
    """A document with keys from outside."""
    return json.dumps({record.system: record.verdict.name, "state": record.state})


def sarif_as_it_came(record: Record) -> str:
    """A SARIF document whose messages hold what they were given."""
    runs = [{"results": [{"message": {"text": record.system}}]}]
    return json.dumps({"$schema": "sarif", "runs": runs, "verdict": record.verdict.name, "state": record.state})


def always_well(record: Record) -> str:
    """Says the same of every run."""
    return "<p>assessed</p>"


def unfinished(record: Record) -> str:
    """Does not say that a run was cut off."""
    return f"<p>{record.verdict.name}</p>"


def needs_a_figure(record: Record) -> str:
    """Looks at the first measurement."""
    return f"<p>{record.verdict.name} {record.state} {record.measurements[0].n}</p>"


def silent(record: Record) -> str:
    """Says nothing of an empty run."""
    return f"<p>{record.verdict.name} {record.state}</p>" if record.measurements else ""


def honest(record: Record) -> str:
    """A page without any word from outside."""
    return f"<p>{record.verdict.name} {record.state}</p>"


def kept(record: Record) -> Record:
    """Through the codec and back."""
    return unwrap("temper.run", Record, from_json(to_json(wrap("temper.run", record))))


def forgets_findings(record: Record) -> Record:
    """Loses what was found."""
    return replace(record, findings=())


def strips(record: Record) -> Record:
    """Keeps what can be printed."""
    return replace(record, system=record.system.replace("\x1b", ""))


def rounds(record: Record) -> Record:
    """Keeps six digits."""
    return replace(record, measurements=tuple(replace(m, value=_round(m.value)) for m in record.measurements))


def empties(record: Record) -> Record:
    """Reads what is no number as nothing."""
    try:
        return kept(record)
    except TemperError:
        return replace(record, measurements=tuple(replace(m, value=None) for m in record.measurements))


def _round(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")


INNOCENT_GATE, INNOCENT_REPORT, INNOCENT_STORE = judge, honest, kept
GATE = {
    gate.law_more_broken_rows_never_help: (passes_the_worst,),
    gate.law_undecided_rows_never_help: (drops_the_untried,),
    gate.law_what_was_not_measured_never_passes: (forgives_what_is_missing, believes_errors),
    gate.law_fewer_rows_never_help: (likes_few_rows,),
    gate.law_the_unfavourable_end_decides: (by_the_middle, forgives_what_is_missing),
    gate.law_worst_measurement_decides: (first_only,),
    gate.law_states_rows_and_interval: (tight_lipped,),
    gate.law_a_waiver_never_reads_as_a_pass: (waives_for_ever, reads_waived_as_passed),
}
REPORT = {
    report.law_same_record_same_text: (numbered,),
    report.law_no_text_can_act: (plain, sarif_as_it_came),
    report.law_hostile_text_adds_no_element: (pasted, glued_json),
    report.law_a_failed_run_never_reads_as_passed: (always_well, unfinished),
    report.law_an_empty_record_is_a_report: (needs_a_figure, silent),
}
STORE = {
    store.law_what_is_kept_comes_back_equal: (forgets_findings,),
    store.law_hostile_text_comes_back_equal: (strips,),
    store.law_numbers_come_back_exactly: (rounds,),
    store.law_what_is_no_number_is_refused: (empties,),
}
