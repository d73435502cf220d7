"""The report as JUnit XML, for every CI system: one test case per requirement."""

from __future__ import annotations

from xml.etree import ElementTree

from temper.core.requirement import Judgement, Verdict
from temper.core.run import Record
from temper.report._claims import said
from temper.report._inert import inert

Element = ElementTree.Element


def render(record: Record) -> str:
    """FAIL is a failure, ERROR an error; INCONCLUSIVE, WAIVED and what did not apply are skipped, with the reason."""
    suite = ElementTree.Element("testsuite")
    _properties(suite, record)
    for judgement in record.judgements:
        _case(suite, judgement, record)
    for entry in record.skipped:
        case = _add(suite, "testcase", classname="temper.coverage", name=entry.name, time="0")
        _add(case, "skipped", message=f"not applicable: {entry.why}")
    if record.state != "finished":
        case = _add(suite, "testcase", classname="temper.run", name="finished", time="0")
        _add(case, "error", message=f"the run {record.state} before it was complete", type=record.state)
    _count(suite, record)
    root = ElementTree.Element("testsuites", dict(suite.attrib))
    root.append(suite)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _properties(suite: Element, record: Record) -> None:
    block = ElementTree.SubElement(suite, "properties")
    facts = [("run", record.id), ("suite", record.suite), ("seed", str(record.seed)), ("verdict", record.verdict.name)]
    for name, value in (*facts, *record.digests):
        _add(block, "property", name=name, value=value)


def _case(suite: Element, judgement: Judgement, record: Record) -> None:
    rule = judgement.requirement
    case = _add(suite, "testcase", classname=f"temper.{rule.metric}", name=rule.id, time="0")
    told = said(judgement, record)
    if judgement.verdict is Verdict.FAIL:
        _add(case, "failure", message=told, type=rule.severity).text = inert(rule.reason)
    elif judgement.verdict is Verdict.ERROR:
        _add(case, "error", message=told, type="error").text = inert(rule.reason)
    elif judgement.verdict is not Verdict.PASS:
        _add(case, "skipped", message=f"{judgement.verdict.name}: {told}")
    else:
        _add(case, "system-out").text = inert(told)


def _count(suite: Element, record: Record) -> None:
    cases = suite.findall("testcase")
    suite.attrib |= {
        "name": inert(record.system),
        "tests": str(len(cases)),
        "failures": str(len(suite.findall("testcase/failure"))),
        "errors": str(len(suite.findall("testcase/error"))),
        "skipped": str(len(suite.findall("testcase/skipped"))),
        "time": f"{record.seconds:.3f}",
    }
    if record.started:
        suite.set("timestamp", inert(record.started))


def _add(parent: Element, tag: str, **attributes: str) -> Element:
    return ElementTree.SubElement(parent, tag, {name: inert(value) for name, value in attributes.items()})
