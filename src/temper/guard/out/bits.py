"""How much a piece of an address can carry: about nothing for words, much for what looks drawn at random."""

from __future__ import annotations

import math
import re

from temper.kernels.english import letters_of, reading

_TOKEN = re.compile(r"[^\W_]+")
_RUN = re.compile(r"[0-9]+|[A-Za-z]+|[^0-9A-Za-z]+")
_CASE = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_DIGIT, _LETTER, _SIGN, _HEX, _OTHER = math.log2(10), math.log2(26), math.log2(62), 4.0, 8.0
_WORD, _SCALE, _SHORT, _LONG, _TURNS = 0.1, 3.0, 3, 6, 2.5
"""What most words read at least, in nats a pair, and how much each nat below counts; letters too few to tell; and how
long the runs of small or of capital letters are in names such as JavaScript."""


def bits(text: str) -> float:
    """About how many bits somebody could have put into this text beyond its being made of words. Linear.

    A word costs nothing, a digit 3.3 bits, letters that read like no word up to 4.7 each, letters and digits or
    capitals and small letters in turns 4 to 6. Misleads where data is written in words: those are free.

    >>> round(bits("/wiki/Credit_card_fraud")), bits("/x/a8Kq93ZtR1bV7wPm") > 80
    (0, True)
    """
    return sum(map(_token, _TOKEN.findall(text)))


def _token(token: str) -> float:
    runs = _RUN.findall(token)
    costs = [_run(run) for run in runs]
    words = sum(len(run) for run, cost in zip(runs, costs, strict=True) if len(run) > _SHORT and not cost)
    if len(runs) > 2 and words < len(token) / 2:
        return len(token) * (_HEX if all(sign in "0123456789abcdefABCDEF" for sign in token) else _SIGN)
    return sum(costs)


def _run(run: str) -> float:
    if run.isdigit():
        return len(run) * _DIGIT
    if not run.isascii():
        return len(run) * _OTHER
    if len(run) <= _SHORT:
        return 0.0
    if len(run) / len(_CASE.findall(run)) < _TURNS:
        return len(run) * _SIGN
    if len(run) <= _LONG and any(sign in "aeiouyAEIOUY" for sign in run):
        return 0.0
    odd = _SCALE * max(0.0, _WORD - reading(letters_of(run))) / math.log(2)
    return len(run) * min(odd, _LETTER)
