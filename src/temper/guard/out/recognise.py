"""Personal data and credentials in a text: each kind by its form, and by its check digits where it has some."""

from __future__ import annotations

import base64
import ipaddress
import json
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

_LENGTHS = (
    "AD24 AE23 AT20 BE16 BG22 CH21 CY28 CZ24 DE22 DK18 EE20 ES24 FI18 FR27 GB22 GI23 GR27 HR21 HU28 IE22 IL23 IS26 "
    "IT27 LI21 LT20 LU20 LV21 MC27 MT31 NL18 NO15 PL28 PT25 RO24 SA24 SE24 SI19 SK24 SM27 TR26"
)
_IBAN = {entry[:2]: int(entry[2:]) for entry in _LENGTHS.split()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A piece of text from `start` to `end` that is a `kind`."""

    kind: str
    start: int
    end: int
    text: str


def recognised(text: str, kinds: tuple[str, ...]) -> list[Found]:
    """Everything of these kinds, in the order of the text; where two overlap the longer one stays. Linear.

    >>> [one.kind for one in recognised("4111 1111 1111 1111 or 4111 1111 1111 1112", ("card",))]
    ['card']
    """
    found = sorted((one for kind in kinds for one in _of(kind, text)), key=lambda one: (one.start, -one.end))
    kept: list[Found] = []
    for one in found:
        if not kept or one.start >= kept[-1].end:
            kept.append(one)
    return kept


def _of(kind: str, text: str) -> Iterator[Found]:
    hints, pattern, length = KINDS[kind]
    if not any(hint in text for hint in hints):
        return
    for match in pattern.finditer(text):
        size = length(match[0])
        if size:
            yield Found(kind=kind, start=match.start(), end=match.start() + size, text=match[0][:size])


def _card(text: str) -> int:
    """Luhn's check, and a first digit that card networks use."""
    digits = [int(sign) for sign in text if sign.isdigit()]
    doubled = [d if at % 2 == 0 else d * 2 - 9 * (d > 4) for at, d in enumerate(reversed(digits))]
    return len(text) if digits[0] in (2, 3, 4, 5, 6) and len(set(digits)) > 1 and sum(doubled) % 10 == 0 else 0


def _iban(text: str) -> int:
    """ISO 13616: the length of the country, and 1 modulo 97; what follows it is no part of it."""
    wanted = _IBAN.get(text[:2], 0)
    places = [at for at, sign in enumerate(text) if sign != " "][:wanted]
    if not wanted or len(places) < wanted:
        return 0
    tight = "".join(text[at] for at in places)
    after = text[places[-1] + 1 : places[-1] + 2]
    number = int("".join(str(int(sign, 36)) for sign in tight[4:] + tight[:4]))
    return places[-1] + 1 if number % 97 == 1 and after in ("", " ") else 0


def _ssn(text: str) -> int:
    area, group, serial = re.split("[- ]", text)
    return len(text) if area not in ("000", "666") and area < "900" and group != "00" and serial != "0000" else 0


def _phone(text: str) -> int:
    return len(text) if 8 <= sum(map(str.isdigit, text)) <= 15 else 0


def _ip(text: str) -> int:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return 0
    return 0 if found.is_loopback or found.is_unspecified or (found.version == 6 and len(text) < 8) else len(text)


def _jwt(text: str) -> int:
    """Its first part is a JSON object that names an algorithm."""
    head = text.split(".", 1)[0]
    try:
        found = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except ValueError:
        return 0
    return len(text) if isinstance(found, dict) and "alg" in found else 0


# A pattern that may start anywhere in a long run would be quadratic, so each looks back whether a word began before it;
# it does so after its first sign, because a search for a first sign is fast.
_ALONE = r"(?<![A-Za-z0-9_-].)"
_NUMBER = "0123456789"
KINDS: dict[str, tuple[Collection[str], re.Pattern[str], Callable[[str], int]]] = {
    name: (hints, re.compile(pattern), check)
    for name, hints, pattern, check in (
        ("card", _NUMBER, r"\d(?<![\w.-].)(?<!\d .)(?:[ -]?\d){12,18}+(?![\d-]|\.\d)", _card),
        ("iban", _NUMBER, rf"[A-Z]{_ALONE}[A-Z]\d{{2}}(?: ?[A-Z0-9]){{11,34}}", _iban),
        ("ssn", _NUMBER, r"\d(?<![\w-].)\d{2}([- ])\d{2}\1\d{4}(?![\w-])", _ssn),
        ("mail", "@", r"(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}", len),
        ("phone", _NUMBER, r"[+(\d](?<![\w.+-].)(?:(?<=\+)\d{1,3}[ -]?(?:\(\d{1,4}\)[ -]?)?\d(?:[ -]?\d){6,12}"
                           r"|(?:(?<=\()\d{3}\)|(?<=\d)\d{2})[ .-]?\d{3}[.-]\d{4})(?![\w-])", _phone),
        ("ip", _NUMBER, r"[0-9A-Fa-f:](?<![\w.:-].)(?:(?<=\d)\d{0,2}(?:\.\d{1,3}){3}"
                        r"|[0-9A-Fa-f]{0,3}(?::[0-9A-Fa-f]{0,4}){2,7})(?![\w:-]|\.\d)", _ip),
        ("aws", ("AKIA", "ASIA", "AROA", "AIDA"), rf"A{_ALONE}(?:KIA|SIA|ROA|IDA)[A-Z2-7]{{16}}(?![A-Za-z0-9])", len),
        ("github", ("gh", "github_pat_"), rf"g{_ALONE}(?:h[pousr]_[A-Za-z0-9]{{36,255}}|ithub_pat_\w{{60,255}})", len),
        ("slack", ("xox", "hooks.slack.com"), rf"[xh]{_ALONE}(?:(?<=x)ox[abeoprs]-[A-Za-z0-9-]{{10,250}}"
                                              r"|(?<=h)ttps://hooks\.slack\.com/services/[\w/]{20,80})", len),
        ("google", ("AIza", "GOCSPX-", "ya29."), rf"[AGy]{_ALONE}(?:(?<=A)Iza[\w-]{{35}}|(?<=G)OCSPX-[\w-]{{28}}"
                                                 r"|(?<=y)a29\.[\w-]{30,500})", len),
        ("stripe", ("k_", "whsec_"), rf"[srw]{_ALONE}(?:k|hsec)_(?:live_|test_)?[A-Za-z0-9]{{20,250}}", len),
        ("api", ("sk-",), rf"s{_ALONE}k-(?:[a-z]{{2,10}}[0-9]{{0,2}}-){{0,2}}[A-Za-z0-9_]{{20,250}}", len),
        ("jwt", ("eyJ",), rf"e{_ALONE}yJ[\w-]{{8,4000}}\.eyJ[\w-]{{8,8000}}\.[\w-]{{8,2000}}", _jwt),
        ("private", ("-----BEGIN ",), r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----\s{1,4}"
                                      r"[A-Za-z0-9+/=:, -]{24}", len),
    )
}  # fmt: skip
CREDENTIALS = ("aws", "github", "slack", "google", "stripe", "api", "jwt", "private")
