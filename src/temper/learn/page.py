"""The questions of a concept as a section of its page, so that page and terminal ask the same."""

from __future__ import annotations

from collections.abc import Iterator

from temper.learn.shelf import Concept, Question

NOTE = "<!-- Written by `make docs` from src/temper/learn/questions; do not edit. -->"
HEAD = "\n## Questions\n"


def with_questions(page: str, concept: Concept) -> str:
    """The page with its section of questions as it is now: in place of the old one, else before its sources or last."""
    before, old, rest = page.partition(HEAD)
    if not old:
        before, old, rest = page.partition("\n## Sources\n")
        rest = old + rest
    _, mark, after = rest.partition("\n## ")
    return f"{before.rstrip()}\n{HEAD}\n{NOTE}\n\n{_section(concept)}\n{mark}{after}"


def _section(concept: Concept) -> str:
    lead = f"In the terminal: `temper learn {concept.name}`. An exam over every concept: `temper learn --exam 20`."
    parts = (_told(at, question) for at, question in enumerate(concept.questions, 1))
    return "\n\n".join([lead, *parts])


def _told(at: int, question: Question) -> str:
    lines = [f"**{at}.** {question.asks.strip()}", ""]
    lines += [f"- {letter}: {choice.says}" for letter, choice in question.lettered]
    lines += [""] * bool(question.choices)
    return "\n".join([*lines, "<details><summary>Answer</summary>", "", *_answer(question), "", "</details>"])


def _answer(question: Question) -> Iterator[str]:
    if question.answer:
        yield question.answer.strip()
        return
    yield f"{question.right} is right."
    yield ""
    for letter, choice in question.lettered:
        yield f"- {letter}: {choice.because}"
