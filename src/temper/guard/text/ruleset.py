"""Rules about texts, from YAML: phrases, shapes and ways of hiding, each with a family, a reason and two levels."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from temper.config.document import Section
from temper.config.reading import read
from temper.core.chat import Role
from temper.core.errors import ConfigError
from temper.core.stage import Level
from temper.guard.text.phrase import Lexicon, Step, phrase, piece, words_of
from temper.guard.text.shape import shape
from temper.kernels.english import frequent, letters_of, reading
from temper.kernels.views import View

SHIPPED = Path(__file__).with_name("rules.yaml")
_LEVELS = ("allow", "review", "block")
_KEYS = ("name", "family", "reason", "user", "tool", "phrases", "has", "shapes", "hides")
_UNSEEN = {"tags", "selectors", "zero_width_bits", "sneaky_bits"}
"""Ways of writing that nobody has an honest reason for, whatever they say."""
_LETTERS, _READS, _COMMON = 16, 0.3, 0.15
"""A sentence has so many letters, reads so much like English, and has such a share of frequent words or none at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: what it looks for, why, and what is done where the user or where a tool said it."""

    name: str
    family: str
    reason: str
    user: Level
    tool: Level
    phrases: tuple[tuple[Step, ...], ...] = ()
    has: tuple[str, ...] = ()
    shapes: tuple[re.Pattern[str], ...] = ()
    hides: tuple[str, ...] = ()

    def level(self, role: Role) -> Level:
        """What is done with a text of this speaker."""
        return self.tool if role is Role.TOOL else self.user


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A rule that was met, the piece of text that shows it, and what had to be undone to read it."""

    rule: Rule
    span: str
    how: tuple[str, ...] = ()


class RuleSet:
    """Rules made ready: all their phrases are looked for in one pass over the words."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self._owners = [rule for rule in rules for _ in rule.phrases]
        self._lexicon = Lexicon([steps for rule in rules for steps in rule.phrases])
        self._shaped = [rule for rule in rules if rule.has]
        self._hiding = [rule for rule in rules if rule.hides]

    def hits(self, readings: Sequence[View]) -> list[Hit]:
        """Every rule that some reading of a text meets, with the first piece that shows it."""
        found: dict[str, Hit] = {}
        for view in readings:
            for rule, span in (*self._met(view, found), *self._hidden(view, readings[0])):
                found.setdefault(rule.name, Hit(rule=rule, span=span, how=view.how))
        return list(found.values())

    def _met(self, view: View, known: Container[str]) -> Iterator[tuple[Rule, str]]:
        """Rules that are met by phrase or shape and not known yet, each once."""
        phrases = {self._owners[at].name: (at, *place) for at, *place in self._lexicon.found(words_of(view.text))}
        for name, (at, first, last) in phrases.items():
            if name not in known:
                yield self._owners[at], piece(view.text, first, last)
        small = view.text.lower() if self._shaped else ""
        for rule in self._shaped:
            if rule.name in known or rule.name in phrases:
                continue
            if literal := next((one for one in rule.has if one in small), ""):
                if not rule.shapes:
                    yield rule, literal
                elif found := next((m for one in rule.shapes if (m := one.search(view.text))), None):
                    yield rule, found[0]

    def _hidden(self, view: View, plain: View) -> Iterator[tuple[Rule, str]]:
        if not view.how or not (rules := [rule for rule in self._hiding if _codes(view) & set(rule.hides)]):
            return
        before, after = words_of(plain.text), words_of(view.text)
        old, new = set(before), set(after)
        shown, gone = [word for word in after if word not in old], [word for word in before if word not in new]
        if _codes(view) & _UNSEEN or (_is_sentence(shown) and not _is_sentence(gone)):
            yield from ((rule, " ".join(shown)) for rule in rules)


def load_rules(*paths: Path | str) -> RuleSet:
    """The shipped rules and those of these files; a rule of the same name takes the shipped one's place.

    Raises `ConfigError` with file and line for a rule that is not understood or could be slow.

    >>> len(load_rules().rules) > 20
    True
    """
    return _loaded(tuple(str(path) for path in paths))


@cache
def _loaded(paths: tuple[str, ...]) -> RuleSet:
    rules: dict[str, Rule] = {}
    groups: dict[str, tuple[str, ...]] = {}
    for path in (SHIPPED, *map(Path, paths)):
        document = read(path).only("groups", "rules")
        named = document.section("groups")
        groups |= {name: named.texts(name) for name in named.entries}
        rules |= {rule.name: rule for rule in (_rule(one, groups) for one in document.sections("rules"))}
    return RuleSet(tuple(rules.values()))


def _rule(section: Section, groups: dict[str, tuple[str, ...]]) -> Rule:
    section.only(*_KEYS)
    try:
        rule = Rule(
            name=section.needed("name"),
            family=section.needed("family"),
            reason=section.needed("reason"),
            user=Level[section.word("user", _LEVELS, "review").upper()],
            tool=Level[section.word("tool", _LEVELS, "block").upper()],
            phrases=tuple(phrase(text, groups) for text in section.texts("phrases")),
            has=tuple(text.lower() for text in section.texts("has")),
            shapes=tuple(shape(text) for text in section.texts("shapes")),
            hides=section.texts("hides"),
        )
    except ConfigError as error:
        raise (
            error if error.message.startswith(section.source) else section.error(error.message, fix=error.fix)
        ) from None
    if not (rule.phrases or rule.has or rule.hides) or (rule.shapes and not rule.has):
        raise section.error(f"the rule {rule.name!r} looks for nothing", fix="phrases, hides, or has (shapes need has)")
    return rule


def _is_sentence(words: Sequence[str]) -> bool:
    """Whether these words say something in English; words that were run together are one."""
    letters = letters_of("".join(words))
    plain = len(words) < 3 or frequent(" ".join(words)) >= _COMMON
    return len(letters) >= _LETTERS and reading(letters) > _READS and plain


def _codes(view: View) -> set[str]:
    """The names of the codes of the last layer, without the number of a shift."""
    return {name.partition(" ")[0] for name in view.how[-1].split("+")}
