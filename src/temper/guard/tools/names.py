"""Names of people, places, accounts and amounts in a text, and when two of them are the same."""

from __future__ import annotations

import re

from temper.config.document import as_number
from temper.kernels.links import links

_ADDRESS = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_ACCOUNT = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?:[ -]?[A-Za-z0-9]){8,30}(?![A-Za-z0-9])")
_NUMBER = re.compile(r"(?<![\w.,])[-+]?(?:[0-9]{1,3}(?:[ '][0-9]{3}){1,6}(?:[.,][0-9]{1,4})?|[0-9][0-9.,]{0,30})(?!\w)")
_SCHEME = re.compile(r"(?i)(?<![\w.@/-])(?:(?:https?|ftp|wss?)://|mailto:)")
_MAILBOX = re.compile(r"(?:[^\W\d_]|[\s\"'<>()-]|\.(?!\w))*")
_RUN_ON = re.compile(r"(?<=[a-z]{2})\.(?=[A-Z][a-z]*(?:[\s,;:]|$))")
_DOMAINS = (
    "com|org|net|info|biz|edu|gov|io|co|ai|app|dev|xyz|online|site|top|shop|club|live|link|click|me|tv|cc|example|"
    "uk|de|fr|nl|it|es|ch|at|se|no|dk|fi|pl|pt|ru|cn|jp|kr|in|br|mx|ca|au|us|eu"
)
_HOST = re.compile(
    rf"(?i)(?<![\w@.-])(?:[a-z0-9][a-z0-9-]{{0,62}}\.){{1,6}}(?:{_DOMAINS})(?![\w@.-]*\w)(?:/[^\s<>\"'`)\]]{{0,2000}})?"
)
_CODE = re.compile(r"(?=.*[0-9])[a-z0-9]{8,}", re.DOTALL)


def plain(text: str) -> str:
    """A text as names in it are compared: no case, single spaces, no scheme, a space after a sentence that had none.
    Look-alike letters stay other letters.

    >>> plain("See HTTPS://Larch.example.They  know")
    'see larch.example. they know'
    """
    return " ".join(_SCHEME.sub("", _RUN_ON.sub(". ", text)).lower().split())


def bare(name: str) -> str:
    """A name as it is compared, without what is written round names.

    >>> bare("<https://Larch.example/>"), bare("#General")
    ('larch.example', 'general')
    """
    return plain(name).strip(" \"'`#@<>()[]/.!?")


def holds(text: str, name: str) -> bool:
    """Whether a `plain` text has a `bare` name as a word of its own: not as a part of a longer name, host or address.

    >>> holds("write to larch.example.", "larch.example"), holds("see larch.example.evil.org", "larch.example")
    (True, False)
    """
    return bool(name) and bool(re.search(rf"(?<![\w.+-])(?<!\w@){re.escape(name)}(?![\w@+]|[.-]\w)", text))


def code(text: str) -> str:
    """An account number or the like without its separators, "" for what is none.

    >>> code("NO93 8601 1117 947"), code("Ann Lee")
    ('no9386011117947', '')
    """
    found = re.sub(r"[\s.\-]", "", text).lower()
    return found if _CODE.fullmatch(found) else ""


def codes(text: str) -> frozenset[str]:
    """Every account number in a text; as a word may follow one without a sign between, each group may be its last."""
    found: set[str] = set()
    for one in _ACCOUNT.finditer(text):
        groups = re.split(r"[ -]", one[0])
        found.update(code("".join(groups[:n])) for n in range(1, len(groups) + 1))
    return frozenset(found - {""})


def amounts(text: str) -> frozenset[float]:
    """Every number in a text, in each way its thousands and decimals may be set apart.

    >>> amounts("1,234.50"), sorted(amounts("1.234")), amounts("61.20") == amounts("61,2")
    (frozenset({1234.5}), [1.234, 1234.0], True)
    """
    return frozenset(value for one in _NUMBER.finditer(text) for value in _read(one[0].strip(".,")))


def amount(text: str) -> frozenset[float]:
    """The number a text is in each reading, none where it is no number.

    >>> amount("1e3"), amount("NaN"), amount("12 apples")
    (frozenset({1000.0}), frozenset(), frozenset())
    """
    written = text.strip()
    if _NUMBER.fullmatch(written):
        return frozenset(_read(written))
    exact = as_number(written)
    return frozenset() if exact is None else frozenset({exact})


def _read(number: str) -> set[float]:
    digits = re.sub(r"[ ']", "", number)
    whole = float(re.sub(r"[.,]", "", digits) or 0)
    last = max(digits.rfind("."), digits.rfind(","))
    if last < 0:
        return {whole}
    before, after = digits[:last], digits[last + 1 :]
    decimal = float(f"{re.sub('[.,]', '', before) or 0}.{after or 0}")
    if digits.count(digits[last]) > 1:
        return {whole}
    thousands = len(after) == 3 and 0 < len(before.lstrip("+-")) <= 3
    return {whole, decimal} if thousands else {decimal}


def carried(text: str) -> list[str]:
    """What in a text leads somewhere: addresses of pages and of people, and account numbers.

    >>> carried("See www.larch.example/a or write to ann@larch.example, account NO93 8601 1117 947 please")
    ['www.larch.example/a', 'ann@larch.example', 'NO93 8601 1117 947']
    """
    pages = [link.url.rstrip(".,;:!?") for link in links(text)] or [
        one[0].rstrip(".,;:!?") for one in _HOST.finditer(text)
    ]
    people = [found[0].rstrip(".-") for found in _ADDRESS.finditer(text)]
    accounts = [re.sub(r"(?:[ -][^\d\s-]+)+$", "", found[0]) for found in _ACCOUNT.finditer(text)]
    return list(dict.fromkeys((*pages, *people, *(one for one in accounts if code(one)))))


def parts(value: str) -> list[str]:
    """The names in a value, between separators; of `Ann Lee <ann@larch.example>` the address. What has an address
    inside something longer, such as a page's, is one name.

    >>> parts("Ann <ann@larch.example>; Bo"), parts("a.example/?to=ann@larch.example"), parts("1,234.5")
    (['ann@larch.example', 'Bo'], ['a.example/?to=ann@larch.example'], ['1,234.5'])
    """
    if amount(value):
        return [value]
    found: list[str] = []
    for part in re.split(r"[,;\n]", value):
        inside = [one[0] for one in _ADDRESS.finditer(part)] if _MAILBOX.fullmatch(_ADDRESS.sub("", part)) else []
        found.extend(inside or ([part.strip()] if part.strip() else []))
    return found


def host(name: str) -> str:
    """The host of a page's or a person's address, "" where readers may take it differently.

    >>> host("https://larch.example/a"), host("ann@larch.example"), host("https://evil.org/@larch.example")
    ('larch.example', 'larch.example', 'evil.org')
    """
    written = name.strip()
    if _ADDRESS.fullmatch(written):
        return written.rpartition("@")[2].lower()
    page = written if "://" in written else f"https://{written}"
    if re.search(r"[\s\\<>\"'`]", page) or "@" in re.split(r"[/?#]", page.partition("://")[2])[0]:
        return ""
    found = links(page)
    return found[0].host if len(found) == 1 else ""
