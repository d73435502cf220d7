"""Questions one after the other, each explained as soon as it is answered."""

from __future__ import annotations

from collections.abc import Iterable

from temper.learn.desk import Desk
from temper.learn.progress import Progress
from temper.learn.shelf import LETTERS, STAGES, Concept, Question, concept, shelf


def teach(desk: Desk, progress: Progress, concepts: Iterable[Concept], again: bool = False) -> None:
    """Ask what is not known yet (`again`: everything), until there is no more or somebody ends it."""
    chosen = tuple(concepts)
    tell_trouble(desk, progress)
    try:
        for one in chosen:
            if not _concept(desk, progress, one, again):
                break
    except KeyboardInterrupt:
        desk.say()
    desk.rule("so far")
    for one in chosen:
        desk.say(f"{one.title}: {progress.known(one.questions)} of {len(one.questions)} known; more in {one.page}")


def overview(desk: Desk, progress: Progress) -> None:
    """Every concept with how much of it is known, and what to do next."""
    tell_trouble(desk, progress)
    everything = [question for one in shelf() for question in one.questions]
    desk.say(
        f"{len(shelf())} concepts, {len(everything)} questions, {progress.known(everything)} of them known.", indent=0
    )
    for stage, names in STAGES.items():
        desk.say()
        desk.say(stage, indent=0, style="bold")
        for name in names:
            one = concept(name)
            known, n = progress.known(one.questions), len(one.questions)
            desk.say(f"{name:22} {one.title:24} {known:2} of {n:2}  {_dots(desk, known, n)}")
    left = next((one for one in shelf() if progress.known(one.questions) < len(one.questions)), None)
    desk.say()
    desk.say(f"next: temper learn {left.name}" if left else "All of them are known.", indent=0)
    desk.say("an exam: temper learn --exam 20", indent=0)


def _dots(desk: Desk, known: int, n: int) -> str:
    """One mark for each question, those that are known first."""
    full, empty = ("#", ".") if desk.console.options.ascii_only else ("●", "○")
    return full * known + empty * (n - known)


def tell_trouble(desk: Desk, progress: Progress) -> None:
    """The one sentence on progress that cannot be kept, once."""
    if progress.trouble:
        desk.say(progress.trouble, indent=0, style="yellow")
        progress.trouble = ""


def _concept(desk: Desk, progress: Progress, one: Concept, again: bool) -> bool:
    """Whether to go on with the next concept."""
    known = progress.known(one.questions)
    asked = [q for q in one.questions if again or known == len(one.questions) or not progress.answered.get(q.id)]
    for at, question in enumerate(asked, 1):
        desk.rule(f"{one.title}, {at} of {len(asked)}")
        right = _open(desk, question) if question.answer else _chosen(desk, question)
        if right is None:
            return False
        if right != "":
            progress.note(question, right == "yes")
            tell_trouble(desk, progress)
    return True


def _chosen(desk: Desk, question: Question) -> str | None:
    letter = choose(desk, question)
    if not letter:
        return letter
    right = letter == question.right
    desk.say()
    desk.say(
        "Right." if right else f"Not {letter}: {question.right} is right.", style=f"bold {'green' if right else 'red'}"
    )
    for name, choice in question.lettered:
        style = "green" if choice.right else "" if name == letter else "dim"
        desk.say(choice.because, mark=f"{desk.tick(choice.right)} {name}", style=style)
    return "yes" if right else "no"


def choose(desk: Desk, question: Question) -> str | None:
    """Print the question and its choices; the letter that was chosen, "" for none, None where the answers end."""
    desk.say(question.asks)
    desk.say()
    for name, choice in question.lettered:
        desk.say(choice.says, mark=name, indent=4)
    desk.say()
    while (line := desk.ask("A to D, s to skip, q to end:")) is not None:
        word = line.upper()
        if word in ("Q", "S"):
            return None if word == "Q" else ""
        if len(word) == 1 and word in LETTERS[: len(question.choices)]:
            return word
    return None


def _open(desk: Desk, question: Question) -> str | None:
    desk.say(question.asks)
    desk.say()
    if (said := desk.ask("In a sentence or two (s to skip, q to end):")) is None or said.lower() in ("q", "s"):
        return None if said is None or said.lower() == "q" else ""
    desk.say()
    desk.say(question.answer, mark=desk.tick(True))
    desk.say()
    while (line := desk.ask("Did yours say that? y or n:")) is not None:
        if line.lower() in ("y", "n", "yes", "no"):
            return "yes" if line.lower().startswith("y") else "no"
    return None
