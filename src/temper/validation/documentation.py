"""What nobody has written down about the system."""

from __future__ import annotations

from dataclasses import dataclass

from temper.core.attack import Scene
from temper.core.measure import Better, Measurement
from temper.validation._measured import not_applicable

NAME = "documentation"
QUESTIONS = {
    "purpose": "what it is for",
    "harmed": "who is harmed when it is wrong",
    "owner": "who answers for it",
    "provenance": "where its data come from",
    "limits": "where it must not be used",
    "requirements": "what it must fulfil",
    "oversight": "which person can stop or overrule it",
}
_GUESSED = "guessed"
_OPEN = ("", "-", "?", "??", "???", "todo", "tbd", "n/a", "none", "unknown", "fixme", "xxx")


@dataclass(frozen=True, slots=True, kw_only=True)
class Documentation:
    """Which of seven questions about the system are answered in temper.yaml: what it is for, who is harmed, who answers
    for it, where its data come from, where it must not be used, what it must fulfil, who can overrule it.

    An answer that says TODO, a question mark or nothing is none, and neither is one that begins with "guessed". Counts
    of all questions, so there is no interval.
    Misleads as every count of answers does: an answer can be wrong, and a person has to read it.
    Source: Mitchell et al., "Model cards for model reporting", 2019; Gebru et al., "Datasheets for datasets", 2021.

    >>> Documentation(answers=(("purpose", "finds card fraud"),)).answers[0][0]
    'purpose'
    """

    answers: tuple[tuple[str, str], ...] = ()

    def measure(self, scene: Scene) -> tuple[Measurement, ...]:
        """`answered`, the share of the questions."""
        if not self.answers:
            return not_applicable(NAME, "the system was not described in a temper.yaml")
        told = {key: text.strip().strip(".!").lower() for key, text in self.answers}
        left = [name for name in QUESTIONS if (said := told.get(name, "")) in _OPEN or said.startswith(_GUESSED)]
        n = len(QUESTIONS)
        share = (n - len(left)) / n
        missing = ", ".join(f"{QUESTIONS[name]} ({name})" for name in left)
        return (
            Measurement(
                plugin=NAME,
                metric="answered",
                value=share,
                low=share,
                high=share,
                n=n,
                unit="share",
                better=Better.HIGHER,
                method="every question is looked at",
                counts="questions",
                caveats=(missing,) if missing else (),
            ),
        )


PLUGIN = Documentation
