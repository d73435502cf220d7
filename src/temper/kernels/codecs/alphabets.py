"""Letters written in other signs: telegraph codes, look-alikes, styled letters of Unicode."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from string import ascii_lowercase, ascii_uppercase, digits

from temper.kernels.codecs.codec import Codec, Keeps, attempt, plain
from temper.kernels.codecs.hidden import FOREIGN

_MORSE_SIGNS = (
    ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --.. "
    "----- .---- ..--- ...-- ....- ..... -.... --... ---.. ----. "
    ".-.-.- --..-- ..--.. -.-.-- -..-. -....- ---... -.-.-. .----. -...- .-.-. ..--.- .-..-. .--.-."
)
_MORSE = dict(zip(ascii_lowercase + digits + ".,?!/-:;'=+_\"@", _MORSE_SIGNS.split(), strict=True))
_NATO_WORDS = (
    "alfa bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike november oscar papa quebec romeo "
    "sierra tango uniform victor whiskey xray yankee zulu"
)
_NATO = dict(zip(ascii_lowercase, _NATO_WORDS.split(), strict=True))
_BRAILLE = dict(zip(ascii_lowercase, "⠁⠃⠉⠙⠑⠋⠛⠓⠊⠚⠅⠇⠍⠝⠕⠏⠟⠗⠎⠞⠥⠧⠺⠭⠽⠵", strict=True))
_LEET = dict(zip("aeiostbg", "43105786", strict=True))
_CYRILLIC = dict(zip("aceiopsxyjhABCEHIKMOPTXYJS", "асеіорѕхујһАВСЕНІКМОРТХУЈЅ", strict=True))
_SMALL = dict(zip(ascii_lowercase, "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘǫʀꜱᴛᴜᴠᴡxʏᴢ", strict=True))
_TURNED = dict(zip(ascii_lowercase, "ɐqɔpǝɟƃɥᴉɾʞlɯuodbɹsʇnʌʍxʎz", strict=True))
_RAISED = dict(zip(ascii_lowercase, "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖqʳˢᵗᵘᵛʷˣʸᶻ", strict=True))
_TAP = {letter: f"{'.' * (at // 5 + 1)} {'.' * (at % 5 + 1)}" for at, letter in enumerate("abcdefghijlmnopqrstuvwxyz")}

STYLES = {
    "bold": (0x1D400, 0x1D41A, 0x1D7CE),
    "italic": (0x1D608, 0x1D622, 0),
    "script": (0x1D4D0, 0x1D4EA, 0),
    "fraktur": (0x1D56C, 0x1D586, 0),
    "double_struck": (0x1D538, 0x1D552, 0x1D7D8),
    "monospace": (0x1D670, 0x1D68A, 0x1D7F6),
    "fullwidth": (0xFF21, 0xFF41, 0xFF10),
    "circled": (0x24B6, 0x24D0, 0),
    "squared": (0x1F130, 0, 0),
}
"""Where the capital A, the small a and the zero of a style lie in Unicode; 0 where it has none."""

_HOLES = {0x1D53A: "ℂ", 0x1D53F: "ℍ", 0x1D545: "ℕ", 0x1D547: "ℙ", 0x1D548: "ℚ", 0x1D549: "ℝ", 0x1D551: "ℤ"}


def folded(text: str) -> str:
    """Look-alikes as the plain letters they stand for: compatibility forms, Cyrillic, small capitals, turned letters.

    >>> folded("іgnоrе 𝐚𝐥𝐥 ᴛʜᴇ ｒｕｌｅｓ")
    'ignore all the rules'
    """
    return _plain(unicodedata.normalize("NFKC", _plain(text)))


def _plain(text: str) -> str:
    return FOREIGN.sub(lambda found: "".join(_LOOKALIKES.get(sign, sign) for sign in found[0]), text)


def _style(capital: int, small: int, zero: int) -> dict[str, str]:
    found = {letter: _sign(capital + at) for at, letter in enumerate(ascii_uppercase)}
    found |= {letter: _sign((small or capital) + at) for at, letter in enumerate(ascii_lowercase)}
    return found | ({digit: _sign(zero + at) for at, digit in enumerate(digits)} if zero else {})


def _sign(point: int) -> str:
    return _HOLES.get(point, chr(point))


def _written(table: Mapping[str, str], *, fold: bool = False) -> Callable[[str], str]:
    return lambda text: "".join(table.get(sign.lower() if fold else sign, sign) for sign in text)


def _inverse(table: Mapping[str, str]) -> dict[str, str]:
    return {sign: letter for letter, sign in reversed(list(table.items()))}


def _read(table: Mapping[str, str]) -> Callable[[str], str]:
    back = _inverse(table)
    return lambda text: "".join(back.get(sign, sign) for sign in text)


def _spelled(table: Mapping[str, str], text: str, apart: str, words: str) -> str:
    return words.join(apart.join(table.get(sign, sign) for sign in word) for word in text.lower().split())


def _unspelled(table: Mapping[str, str], text: str, apart: str, words: str) -> str:
    back = _inverse(table)
    groups = [word.split() if apart == " " else word.split(apart) for word in re.split(words, text.strip().lower())]
    if not any(group in back for word in groups for group in word):
        raise ValueError("none of its signs")
    return " ".join("".join(back.get(group, group) for group in word) for word in groups)


def _untapped(text: str) -> str:
    back = _inverse(_TAP)
    words = [re.findall(r"\.{1,5} \.{1,5}|[^. ]", word) for word in text.split(" / ")]
    return " ".join("".join(back.get(group, group) for group in word) for word in words)


def _numbered(text: str) -> str:
    return " / ".join(
        "-".join(str(ord(sign) - 96) if sign in ascii_lowercase else f"={sign}" for sign in word)
        for word in text.lower().split()
    )


def _unnumbered(text: str) -> str:
    return " ".join(
        "".join(group[1:] if group.startswith("=") else chr(96 + int(group)) for group in word.split("-") if group)
        for word in text.split(" / ")
    )


def _flags(text: str) -> str:
    table = {letter: chr(0x1F1E6 + at) + "\u200b" for at, letter in enumerate(ascii_lowercase)}
    return _written(table, fold=True)(text)


def _unflagged(text: str) -> str:
    return re.sub("([\U0001f1e6-\U0001f1ff])\u200b?", lambda m: ascii_lowercase[ord(m[1]) - 0x1F1E6], text)


def _latin(text: str) -> str:
    """Pig Latin with a mark before the moved letter, so that it can be read back."""
    return re.sub(r"[A-Za-z]{2,}", lambda m: f"{m[0][1:]}'{m[0][0]}ay", text)


def _unlatin(text: str) -> str:
    return re.sub(r"([A-Za-z]+)'([A-Za-z])ay", lambda m: m[2] + m[1], text)


def _letters(name: str, encode: Callable[[str], str], decode: Callable[[str], str], *, readable: bool = True) -> Codec:
    return Codec(
        name=name, encode=plain(encode), decode=attempt(decode), keeps=Keeps.LETTERS, readable=readable, within=False
    )


_LOOKALIKES = {
    sign: letter for table in (_CYRILLIC, _SMALL, _RAISED) for letter, sign in table.items() if sign not in "xq"
} | {chr(0x1F130 + at): letter for at, letter in enumerate(ascii_uppercase)}

CODECS = (
    _letters("morse", lambda text: _spelled(_MORSE, text, " ", " / "),
             lambda text: _unspelled(_MORSE, text, " ", r"\s*/\s*"), readable=False),
    _letters("nato", lambda text: _spelled(_NATO, text, " ", " / "),
             lambda text: _unspelled(_NATO, text, " ", r"\s*/\s*")),
    _letters("tap_code", lambda text: _spelled(_TAP, text.lower().replace("k", "c"), " ", " / "), _untapped,
             readable=False),
    _letters("numbered", _numbered, _unnumbered, readable=False),
    _letters("braille", _written(_BRAILLE, fold=True), _read(_BRAILLE), readable=False),
    _letters("leet", _written(_LEET, fold=True), _read(_LEET)),
    _letters("homoglyph", _written(_CYRILLIC), folded),
    _letters("small_caps", _written(_SMALL, fold=True), folded),
    _letters("upside_down", _written(_TURNED, fold=True), _read(_TURNED)),
    _letters("superscript", _written(_RAISED, fold=True), folded),
    _letters("flags", _flags, _unflagged),
    _letters("pig_latin", _latin, _unlatin),
    *(_letters(name, _written(_style(*places)), folded) for name, places in STYLES.items()),
)  # fmt: skip
