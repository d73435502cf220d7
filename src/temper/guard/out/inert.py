"""A text that does nothing when it is shown: no markup that acts, no terminal codes, nothing that hides."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from temper.kernels.codecs.hidden import INVISIBLE

_ACTIVE = (
    *(
        "script",
        "iframe",
        "object",
        "embed",
        "applet",
        "form",
        "input",
        "button",
        "textarea",
        "select",
        "style",
        "link",
    ),
    *(
        "meta",
        "base",
        "svg",
        "math",
        "img",
        "image",
        "video",
        "audio",
        "source",
        "picture",
        "track",
        "frame",
        "frameset",
    ),
    *("template", "slot", "portal", "marquee", "isindex", "noscript", "xml", "xss", "dialog", "body", "html", "head"),
)
_TAG = re.compile(
    rf"<(?=[/\s]{{0,4}}(?:{'|'.join(_ACTIVE)})(?![\w-])|!--|!\[CDATA|\?|[a-z][^<>]{{0,4000}}?"
    r"[\s\"'/](?:on[a-z]{3,30}|style|srcdoc|src|srcset|formaction|xlink:href)\s{0,9}=)",
    re.IGNORECASE,
)
_SCRIPT = re.compile(r"(?i)(?:java|vb|live)[\s\x00-\x1f]{0,9}script[\s\x00-\x1f]{0,9}:|data:\s{0,9}text/html")
_ANSI = re.compile(
    r"\x1b\[[0-?]{0,64}[ -/]{0,16}[@-~]?|\x9b[0-?]{0,64}[ -/]{0,16}[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]{0,4000}(?:\x07|\x1b\\|\x9c)?|\x1b[ -/]{0,16}[0-~]?"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]|\r(?!\n)")
_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f")
_JOINERS = "\u200c\u200d\ufe0e\ufe0f"


def inert(text: str) -> tuple[str, tuple[str, ...]]:
    """The text with what acts made plain, and the kinds of things there were. Linear.

    Tags that act lose their brackets to look-alikes that do nothing anywhere, so the words stay readable. Inside code
    that markdown fences nothing is a tag, and tags stay.

    >>> inert("a <b>b</b> <img src=x onerror=alert(1)>\\x1b[2J")
    ('a <b>b</b> ‹img src=x onerror=alert(1)>', ('terminal codes', 'active HTML'))
    """
    found = []
    for kind, change in _CHANGES:
        changed = change(text)
        if changed != text:
            found.append(kind)
        text = changed
    return text, tuple(found)


def fence_open(text: str) -> bool:
    """Whether what follows this text may be read otherwise for what stands in it: a fence is open, or its last
    paragraph holds a tag.
    """
    code, last = _fenced(text)[-1]
    return code or "<" in last.rpartition("\n\n")[2]


def _no_codes(text: str) -> str:
    return _CONTROL.sub("", _ANSI.sub("", text))


def _nothing_hidden(text: str) -> str:
    """Without characters that show nothing, but for those that join an emoji or letters of scripts that do."""
    if text.isascii():
        return text
    flags = {place for found in _FLAG.finditer(text) for place in range(*found.span())}

    def show(found: re.Match[str]) -> str:
        at = found.start()
        return found[0] if at in flags or (found[0] in _JOINERS and _joins(text, at)) else ""

    return INVISIBLE.sub(show, text)


def _joins(text: str, at: int) -> bool:
    """Whether a joiner or selector does something where it stands."""
    before, after = text[at - 1 : at] if at else "", text[at + 1 : at + 2]
    if text[at] in "\ufe0e\ufe0f":
        return bool(before) and (unicodedata.category(before) in ("So", "Sm", "Po", "Sk") or before in "0123456789#*")
    if before and (unicodedata.category(before) in ("So", "Sk") or before == "\ufe0f"):
        return unicodedata.category(after or " ") in ("So", "Sm")
    return all(sign and "\u0600" <= sign <= "\u109f" for sign in (before, after))


def _no_tags(text: str) -> str:
    if "<" not in text:
        return text
    return "".join(part if code else _TAG.sub("‹", part) for code, part in _fenced(text))


def _no_scripts(text: str) -> str:
    return _SCRIPT.sub(lambda found: found[0].replace(":", "\u2236"), text)


_CHANGES: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("terminal codes", _no_codes),
    ("hidden characters", _nothing_hidden),
    ("active HTML", _no_tags),
    ("script addresses", _no_scripts),
)
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})([^\n]*)")


def _fenced(text: str) -> list[tuple[bool, str]]:
    """The text in turns of (no code, code); a fence inside a paragraph that starts with a tag is none."""
    parts: list[tuple[bool, list[str]]] = [(False, [])]
    fence, markup = "", False
    for line in text.splitlines(keepends=True):
        mark = _FENCE.match(line)
        if fence:
            closes = mark and mark[1][0] == fence[0] and len(mark[1]) >= len(fence) and not mark[2].strip()
            parts[-1][1].append(line)
            if closes:
                fence, markup = "", False
                parts.append((False, []))
            continue
        if mark and not markup and not (mark[1][0] == "`" and "`" in mark[2]):
            fence = mark[1]
            parts.append((True, [line]))
            continue
        markup = bool(line.strip()) and (markup or "<" in line)
        parts[-1][1].append(line)
    return [(code, "".join(lines)) for code, lines in parts]
