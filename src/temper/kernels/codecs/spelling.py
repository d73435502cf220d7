"""Text that is spaced, cased or misspelled so that it reads the same and matches nothing."""

from __future__ import annotations

import re
from collections.abc import Callable

from temper.kernels.codecs.codec import Codec, Keeps, Random, attempt, letters, plain

_EMOJI = "🙂🌟🔥🌈🍀🎈"
_PAST = {"ignore": "ignored", "print": "printed", "say": "said", "send": "sent", "show": "showed", "reveal": "revealed",
         "tell": "told", "write": "wrote", "transfer": "transferred", "repeat": "repeated", "forget": "forgot",
         "read": "read", "call": "called", "answer": "answered", "add": "added"}  # fmt: skip
_VOWELS = re.compile(r"(?<=[a-z])[aeiou](?=[a-z])", re.IGNORECASE)


def _spaced(apart: str, words: str) -> Callable[[str], str]:
    return lambda text: words.join(apart.join(word) for word in text.split(" "))


def _unspaced(apart: str, words: str) -> Callable[[str], str]:
    return lambda text: " ".join(word.replace(apart, "") for word in text.split(words))


def _cased(text: str, rng: Random) -> str:
    up = rng.random(len(text)) < 0.5
    return "".join(sign.upper() if high else sign.lower() for sign, high in zip(text, up, strict=True))


def _split(text: str, rng: Random) -> str:
    """A gap inside every longer word."""

    def gap(found: re.Match[str]) -> str:
        at = int(rng.integers(2, len(found[0]) - 1))
        return f"{found[0][:at]} {found[0][at:]}"

    return re.sub(r"\w{4,}", gap, text)


def _typed(text: str, rng: Random) -> str:
    """Two neighbouring inner letters of longer words changed over."""

    def slip(found: re.Match[str]) -> str:
        word = list(found[0])
        at = int(rng.integers(1, len(word) - 2))
        word[at], word[at + 1] = word[at + 1], word[at]
        return "".join(word)

    return re.sub(r"\w{5,}", slip, text)


def _scrambled(text: str, rng: Random) -> str:
    def mix(found: re.Match[str]) -> str:
        inner = list(found[0][1:-1])
        return found[0][0] + "".join(inner[at] for at in rng.permutation(len(inner))) + found[0][-1]

    return re.sub(r"\w{5,}", mix, text)


def _decorated(text: str, rng: Random) -> str:
    return re.sub(" ", lambda found: f" {_EMOJI[int(rng.integers(len(_EMOJI)))]} ", text)


def _undecorated(text: str) -> str:
    return re.sub(f" ?[{_EMOJI}] ?", " ", text)


def _repeated(text: str) -> str:
    return re.sub(r"([aeiou])", r"\1\1\1", text, flags=re.IGNORECASE)


def _unrepeated(text: str) -> str:
    return re.sub(r"([aeiou])\1\1", r"\1", text, flags=re.IGNORECASE)


def _camel(text: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in text.split(" "))


def _past(text: str) -> str:
    return re.sub(r"\w+", lambda m: _PAST.get(m[0].lower(), m[0]), text)


def _acrostic(text: str) -> str:
    return "\n".join(f"{sign} is the sign of this line" if sign.strip() else "" for sign in text)


def _unacrostic(text: str) -> str:
    return "".join(line[:1] or " " for line in text.split("\n"))


def _reads(name: str, encode: Callable[[str, Random], str], decode: Callable[[str], str], keeps: Keeps) -> Codec:
    return Codec(name=name, encode=encode, decode=attempt(decode), keeps=keeps, readable=True)


CODECS = (
    *(
        _reads(name, plain(_spaced(apart, words)), _unspaced(apart, words), Keeps.LETTERS)
        for name, apart, words in (
            ("spaced", " ", "   "),
            ("dotted", ".", " "),
            ("hyphened", "-", " "),
            ("underscored", "_", " "),
            ("piped", "|", " "),
            ("one_a_line", "\n", "\n\n"),
        )
    ),
    _reads("camel", plain(_camel), letters, Keeps.LETTERS),
    _reads("random_case", _cased, str.lower, Keeps.LETTERS),
    _reads("token_split", _split, letters, Keeps.LETTERS),
    _reads("emoji", _decorated, _undecorated, Keeps.LETTERS),
    _reads("long_vowels", plain(_repeated), _unrepeated, Keeps.LETTERS),
    _reads("acrostic", plain(_acrostic), _unacrostic, Keeps.LETTERS),
    _reads("typos", _typed, str, Keeps.MEANING),
    _reads("scrambled", _scrambled, str, Keeps.MEANING),
    _reads("no_vowels", plain(lambda text: _VOWELS.sub("", text)), str, Keeps.MEANING),
    _reads("past_tense", plain(_past), str, Keeps.MEANING),
)
