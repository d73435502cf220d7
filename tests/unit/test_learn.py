"""`temper learn`: questions that are fair, a dialogue that ends cleanly, progress that is kept, pages that agree."""

from __future__ import annotations

import io
import json
import re
import sys
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console

from temper.cli import app
from temper.core.errors import TemperError
from temper.learn import exam, lesson, page
from temper.learn.desk import WIDTH, Desk
from temper.learn.progress import Progress
from temper.learn.shelf import LETTERS, STAGES, Concept, Question, concept, shelf

ROOT = Path(__file__).parents[2]
LIFECYCLE = ROOT / "docs" / "lifecycle"
ASKED = [question for one in shelf() for question in one.questions]
CHOSEN = [question for question in ASKED if question.choices]
COMMAND = re.compile(r"^ *(temper .+?)(?: {2,}.*|\s+#.*)?$", re.MULTILINE)
PAGES = [one for one in shelf() if (ROOT / one.page).is_file()]


# The questions


def test_every_concept_has_a_file_a_title_and_five_questions_with_choices_or_more() -> None:
    files = {path.stem for path in (ROOT / "src/temper/learn/questions").glob("*.yaml")}
    named = [name for names in STAGES.values() for name in names]
    assert sorted(named) == sorted(files)
    assert len(shelf()) == 18
    assert [one.name for one in shelf() if sum(bool(q.choices) for q in one.questions) < 5] == []
    assert [one.name for one in shelf() if not any(q.answer for q in one.questions)] == []


def test_ids_are_unique_and_say_their_concept() -> None:
    assert [name for name, n in Counter(question.id for question in ASKED).items() if n > 1] == []
    assert [q.id for one in shelf() for q in one.questions if not q.id.startswith(f"{one.name}-")] == []


@pytest.mark.parametrize("question", ASKED, ids=lambda question: question.id)
def test_a_question_has_four_choices_one_right_each_with_its_reason_or_an_answer(question: Question) -> None:
    assert bool(question.choices) != bool(question.answer)
    texts = [question.asks, *[text for choice in question.choices for text in (choice.says, choice.because)]]
    assert all(text.strip() and text.isascii() for text in texts)  # every terminal can show them
    if question.choices:
        assert len(question.choices) == len(LETTERS)
        assert sum(choice.right for choice in question.choices) == 1
        assert len({choice.says for choice in question.choices}) == len(LETTERS)
        assert not re.search(r"\b(all|none) of (the above|these)\b", " ".join(texts), re.IGNORECASE)
    else:
        assert question.answer.isascii()
        assert len(question.answer.split()) > 15


def test_no_letter_and_no_length_gives_the_right_choice_away() -> None:
    letters = Counter(question.right for question in CHOSEN)
    assert set(letters) == set(LETTERS)
    assert max(letters.values()) <= 0.3 * len(CHOSEN)
    assert max(len({q.right for q in one.questions if q.choices}) == 1 for one in shelf()) is False
    ranks = Counter(_rank(question) for question in CHOSEN)
    assert max(ranks.values()) <= 0.45 * len(CHOSEN), ranks


def _rank(question: Question) -> int:
    """How many choices are longer than the right one: 0 where it is the longest."""
    right = next(len(choice.says) for choice in question.choices if choice.right)
    return sum(len(choice.says) > right for choice in question.choices)


# The pages


@pytest.mark.parametrize("one", PAGES, ids=lambda one: one.name)
def test_the_page_has_the_questions_as_they_are_and_a_command(one: Concept) -> None:
    text = (ROOT / one.page).read_text(encoding="utf-8")
    assert page.with_questions(text, one) == text, "make docs"
    assert text.count("## Questions") == 1
    assert f"({one.name}.md)" in (LIFECYCLE / "README.md").read_text(encoding="utf-8")
    assert COMMAND.search(text)


def test_every_page_of_a_concept_exists() -> None:
    assert [one.page for one in shelf() if one not in PAGES] == []


@pytest.mark.parametrize("path", sorted(LIFECYCLE.glob("*.md")), ids=lambda path: path.stem)
def test_every_command_of_a_page_exists_with_its_options(path: Path) -> None:
    for line in COMMAND.findall(re.sub(r"'[^'\n]*'", "QUOTED", path.read_text(encoding="utf-8"))):
        for told in re.split(r"\s*(?:&&|;|\|)\s*", line):
            if told.startswith("temper "):
                assert unknown(told.split()[1:]) == [], told


@cache
def program() -> Any:
    """The command line, made once."""
    return typer.main.get_command(app)


def unknown(words: list[str]) -> list[str]:
    """The words of a command line that the program does not know: a command, or options."""
    command = program()
    while hasattr(command, "get_command") and words:
        name, *words = words
        if (inner := command.get_command(None, name)) is None:
            return [name]
        command = inner
    known = {"--help", *(option for param in command.params for option in (*param.opts, *param.secondary_opts))}
    return [word for word in words if re.match(r"-\w$|--\w", word) and word.partition("=")[0] not in known]


def test_a_command_that_is_none_is_noticed() -> None:
    assert unknown(["asess"]) == ["asess"]
    assert unknown(["assess", "--sweet", "quick", "--only", "evasion"]) == ["--sweet"]
    assert unknown(["drill", "nan", "--secs", "3"]) == ["--secs"]


def test_a_section_is_put_before_the_sources_once_and_then_replaced() -> None:
    one = concept("evasion")
    first = page.with_questions("# E\n\nText.\n\n## Sources\n\nA.\n", one)
    assert first.index("Text.") < first.index("## Questions") < first.index("## Sources")
    assert page.with_questions(first, one) == first
    old = first.replace("robust", "strong")
    assert page.with_questions(old, one) == first


def test_links_between_the_pages_of_the_lifecycle_lead_somewhere() -> None:
    missing = {one.name for one in shelf()} - {one.name for one in PAGES}
    for path in LIFECYCLE.glob("*.md"):
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text(encoding="utf-8")):
            assert (path.parent / link).exists() or Path(link).stem in missing, (path.name, link)


# The dialogue


def desk(answers: str, encoding: str = "utf-8") -> tuple[Desk, io.TextIOWrapper]:
    """A desk without a terminal, and what it prints on."""
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=out, highlight=False, soft_wrap=True, width=WIDTH)
    return Desk(console=console, answers=io.StringIO(answers), typed=False), out


def printed(out: io.TextIOWrapper) -> str:
    """Everything that was printed."""
    out.seek(0)
    return out.read()


def test_a_lesson_explains_every_choice_and_keeps_what_was_known(tmp_path: Path) -> None:
    one = concept("evasion")
    first, second = one.questions[:2]
    wrong = next(letter for letter in LETTERS if letter != second.right)
    at, out = desk(f"{first.right}\nhm\n{wrong.lower()}\nq\n")
    lesson.teach(at, Progress.read(tmp_path / "state" / "learn.json"), [one])
    text = printed(out)
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "Right." in text
    assert f"Not {wrong}: {second.right} is right." in text
    for choice in (*first.choices, *second.choices):
        assert choice.because.split(".")[0].split()[-1] in text
    assert Progress.read(tmp_path / "state" / "learn.json").answered == {first.id: True, second.id: False}


def test_what_is_known_is_left_out_until_all_is_known_or_it_is_asked_again(tmp_path: Path) -> None:
    one = concept("evasion")
    progress = Progress(path=tmp_path / "learn.json", answered={one.questions[0].id: True})
    for again, n in ((False, len(one.questions) - 1), (True, len(one.questions))):
        at, out = desk("")
        lesson.teach(at, progress, [one], again)
        assert f"1 of {n}" in printed(out)
    progress.answered = {question.id: True for question in one.questions}
    at, out = desk("q\n")
    lesson.teach(at, progress, [one])
    assert f"1 of {len(one.questions)}" in printed(out)


@pytest.mark.parametrize(("said", "right"), [("y", True), ("n", False)])
def test_an_open_question_is_compared_with_the_answer_by_whoever_answered(
    said: str, right: bool, tmp_path: Path
) -> None:
    one = Concept(name="evasion", title="Evasion", questions=[q for q in concept("evasion").questions if q.answer])
    progress = Progress(path=tmp_path / "learn.json")
    at, out = desk(f"it is not decided\nperhaps\n{said}\n")
    lesson.teach(at, progress, [one])
    assert "INCONCLUSIVE" in printed(out)
    assert progress.answered == {one.questions[0].id: right}


def test_interrupting_a_lesson_or_an_exam_keeps_what_was_answered(tmp_path: Path) -> None:
    first = concept("evasion").questions[0]
    interrupted = iter([f"{first.right}\n"])

    class Answers(io.StringIO):
        def readline(self, *_: object) -> str:
            try:
                return next(interrupted)
            except StopIteration:
                raise KeyboardInterrupt from None

    at, out = desk("")
    at = Desk(console=at.console, answers=Answers(), typed=False)
    lesson.teach(at, Progress(path=tmp_path / "learn.json"), [concept("evasion")])
    assert "1 of 6 known" in printed(out)
    assert Progress.read(tmp_path / "learn.json").answered == {first.id: True}
    exam.sit(at, Progress(path=tmp_path / "learn.json"), exam.drawn(shelf(), 3, 0))
    assert "3 of 3 were not answered" in printed(out)


def test_an_exam_draws_by_its_seed_scores_with_an_interval_and_says_what_to_read(tmp_path: Path) -> None:
    drawn = exam.drawn(shelf(), 10, 7)
    assert len({question.id for _, question in drawn}) == 10
    assert drawn == exam.drawn(shelf(), 10, 7) != exam.drawn(shelf(), 10, 8)
    letters = [question.right for _, question in drawn]
    missed, question = drawn[3]
    letters[3] = next(letter for letter in LETTERS if letter != question.right)
    at, out = desk("\n".join(letters) + "\n")
    progress = Progress(path=tmp_path / "learn.json")
    exam.sit(at, progress, drawn)
    text = printed(out)
    assert "9 of 10 right: 90 % (60 % to 98 %, n = 10); by guessing: 25 %" in text
    assert f"{missed.page}  1 of " in text
    assert "Right." not in text
    assert progress.answered[question.id] is False
    assert sum(progress.answered.values()) == 9


def test_an_exam_of_more_questions_than_there_are_is_refused() -> None:
    for n in (0, len(CHOSEN) + 1):
        with pytest.raises(TemperError, match=f"there are {len(CHOSEN)}"):
            exam.drawn(shelf(), n, 0)


def test_a_terminal_that_has_ascii_alone_is_given_ascii(tmp_path: Path) -> None:
    at, out = desk("a\nq\n", encoding="ascii")
    lesson.overview(at, Progress(path=tmp_path / "learn.json"))
    lesson.teach(at, Progress(path=tmp_path / "learn.json"), [concept("risk")])
    assert "+ " in printed(out)


# Progress


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', '{"format": 1, "answered": {"a": "yes"}}', "\udcff"])
def test_a_broken_file_is_set_aside_with_one_sentence(text: str, tmp_path: Path) -> None:
    path = tmp_path / "learn.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    progress = Progress.read(path)
    assert progress.answered == {}
    assert re.fullmatch(
        r"[^.]*learn\.json could not be read as progress; it is now learn\.broken, [^.]*\.", progress.trouble
    )
    assert path.with_suffix(".broken").exists()
    progress.note(ASKED[0], True)
    assert json.loads(path.read_text(encoding="utf-8"))["answered"] == {ASKED[0].id: True}


def test_a_place_that_cannot_be_written_ends_no_lesson(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where a folder should be", encoding="utf-8")
    first = concept("evasion").questions[0]
    at, out = desk(f"{first.right}\nq\n")
    lesson.teach(at, Progress.read(tmp_path / "state" / "learn.json"), [concept("evasion")])
    text = " ".join(printed(out).split())
    assert "Progress is not kept" in text
    assert "1 of 6 known" in text


# The command


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Call `temper learn` with progress below tmp_path; what it printed."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def learn(*words: str, answers: str = "") -> str:
        monkeypatch.setattr(sys, "stdin", io.StringIO(answers))
        program().main(["learn", *words], standalone_mode=False)
        return capsys.readouterr().out

    return learn


def test_the_command_lists_asks_examines_and_ends_where_the_input_ends(run: Callable[..., str], tmp_path: Path) -> None:
    assert all(one.title in run() for one in shelf()[:1])
    assert "1 of 6 known" in run("Evasion", answers=f"{concept('evasion').questions[0].right}\n")
    assert (tmp_path / "temper" / "learn.json").is_file()
    listed = run()
    assert " 1 of  6  ●○○○○○" in listed
    assert all(one.title in listed for one in shelf())
    assert "temper learn --exam 2 --seed 5" in run("--exam", "2", "--seed", "5", answers="s\n")
    assert f"{shelf()[0].title}, 1 of {len(shelf()[0].questions)}" in run("--all")


def test_a_concept_that_is_none_is_refused_with_the_nearest(run: Callable[..., str]) -> None:
    with pytest.raises(TemperError, match="temper learn evasion"):
        run("evasoin")


def test_a_demo_is_written_once_and_nothing_is_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["demo", "assistant", "--prepare", "--folder", str(tmp_path)]
    program().main(words, standalone_mode=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sandbox.yaml", "temper.yaml"]
    assert f"next: cd {tmp_path}" in capsys.readouterr().out
    (tmp_path / "temper.yaml").write_text("mine", encoding="utf-8")
    program().main(words, standalone_mode=False)
    assert (tmp_path / "temper.yaml").read_text(encoding="utf-8") == "mine"
    with pytest.raises(TemperError, match="there is no demo 'frad'"):
        program().main(["demo", "frad", "--prepare", "--folder", str(tmp_path)], standalone_mode=False)
