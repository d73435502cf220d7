"""What can be said of a file without loading it: a description, a policy, or a model file."""

from __future__ import annotations

from pathlib import Path

from temper.report._inert import inert

_TOLD = 10


def check(file: Path) -> tuple[str, bool]:
    """What is said of it, and whether it is sound. A description or a policy that is wrong raises `ConfigError` with
    its line; a name in a model file that nobody vouches for is said, and only a finding makes it unsound.
    """
    if file.suffix.lower() in (".yaml", ".yml"):
        return f"{inert(file)}: {_document(file)}", True
    from temper.targets.artifact import scan

    report = scan(file)
    told = [*(f"found: {one}" for one in report.findings), *(f"to review: {one}" for one in report.needs_review)]
    lines = [f"  {inert(line)}" for line in told[:_TOLD]]
    lines += [f"  and {len(told) - _TOLD} more"] if len(told) > _TOLD else []
    head = f"{inert(file)}: {report.kind}, {len(report.findings)} findings, {len(report.needs_review)} names to review"
    return "\n".join([head, *lines]), not report.findings


def _document(file: Path) -> str:
    from temper.api import assistants
    from temper.config.policy import policy_of
    from temper.config.reading import read
    from temper.config.system import described_in
    from temper.threats.controls import refuse_unknown

    document = read(file)
    if document.has("requirements"):
        many = len(policy_of(document, str(file)).requirements)
        return f"a policy of {many} requirement{'s' * (many != 1)}"
    if assistants.is_assistant(file):
        assistants.load_assistant(file)
        return "describes an assistant"
    refuse_unknown(described_in(file).controls, str(file))
    return "describes a system"
