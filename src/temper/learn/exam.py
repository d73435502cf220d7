"""Questions drawn at random, explained at the end, with a score and what to read next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from temper.core.errors import TemperError
from temper.learn.desk import Desk
from temper.learn.lesson import choose, tell_trouble
from temper.learn.progress import Progress
from temper.learn.shelf import Concept, Question

Drawn = tuple[Concept, Question]


def drawn(concepts: Sequence[Concept], n: int, seed: int) -> list[Drawn]:
    """`n` of the questions with choices, each once; the same for the same seed. Open ones judge themselves.

    >>> from temper.learn.shelf import shelf
    >>> [question.id for _, question in drawn(shelf(), 2, 0)] == [question.id for _, question in drawn(shelf(), 2, 0)]
    True
    """
    import numpy as np

    from temper.core.seed import Draws

    pool = [(one, question) for one in concepts for question in one.questions if question.choices]
    if not 1 <= n <= len(pool):
        raise TemperError(f"an exam of {n} questions; there are {len(pool)}", fix=f"--exam 1 to --exam {len(pool)}")
    order = np.argsort(Draws(seed, "learn.exam").uniform(np.arange(len(pool)), 0), kind="stable")
    return [pool[at] for at in order[:n]]


def sit(desk: Desk, progress: Progress, questions: Sequence[Drawn]) -> None:
    """Ask them all, without a word on what was right; then tell. What was answered by Ctrl-C or the end counts."""
    tell_trouble(desk, progress)
    given: list[str] = []
    try:
        for at, (_, question) in enumerate(questions, 1):
            desk.rule(f"question {at} of {len(questions)}")
            letter = choose(desk, question)
            if letter is None:
                break
            given.append(letter)
            if letter:
                progress.note(question, letter == question.right)
    except KeyboardInterrupt:
        desk.say()
    _told(desk, questions[: len(given)], given, len(questions))
    tell_trouble(desk, progress)


def _told(desk: Desk, questions: Sequence[Drawn], given: Sequence[str], wanted: int) -> None:
    from temper.kernels.rate import wilson

    answered = [(one, question, letter) for (one, question), letter in zip(questions, given, strict=True) if letter]
    missed = [(one, question, letter) for one, question, letter in answered if letter != question.right]
    for one, question, letter in missed:
        desk.rule(one.title)
        desk.say(question.asks)
        desk.say()
        for name, choice in question.lettered:
            if name in (letter, question.right):
                desk.say(f"{choice.says} {choice.because}", mark=f"{desk.tick(choice.right)} {name}")
    desk.rule("score")
    right, n = len(answered) - len(missed), len(answered)
    if n:
        low, high = wilson(right, n)
        guessed = sum(1 / len(question.choices) for _, question, _ in answered) / n
        ends = f"{100 * low:.0f} % to {100 * high:.0f} %, n = {n}"
        desk.say(f"{right} of {n} right: {100 * right / n:.0f} % ({ends}); by guessing: {100 * guessed:.0f} %")
    if n < wanted:
        desk.say(f"{wanted - n} of {wanted} were not answered and count for nothing.")
    if missed:
        _next(desk, [one for one, _, _ in answered], [one for one, _, _ in missed])


def _next(desk: Desk, asked: Sequence[Concept], missed: Sequence[Concept]) -> None:
    """The concepts by how many questions on them were missed, with their pages."""
    desk.say()
    desk.say("Read next:")
    n, pages = Counter(one.name for one in asked), {one.name: one.page for one in missed}
    for name, wrong in Counter(one.name for one in missed).most_common():
        desk.say(f"{pages[name]}  {wrong} of {n[name]} missed", indent=4)
