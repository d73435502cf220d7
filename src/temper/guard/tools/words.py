"""English words for what tools do and what users ask for, by kind; compared by stem."""

from __future__ import annotations

import re
from collections.abc import Mapping

_ENDINGS = re.compile(r"(?:ings?|edly|ed|ies|es|s|e|y)$")


def stem(word: str) -> str:
    """A word without its ending, roughly: enough to see that two forms are one word.

    >>> stem("paying") == stem("pays"), stem("invited") == stem("invite"), stem("copies") == stem("copy")
    (True, True, True)
    """
    word = word.casefold()
    if len(word) <= 3:
        return word
    cut = _ENDINGS.sub("", word)
    return cut[:-1] if len(cut) > 3 and cut[-1] == cut[-2] and cut[-1] not in "sl" else cut


def stems(text: str) -> frozenset[str]:
    """The stems of every word in a text; names of tools are taken apart.

    >>> sorted(stems("send_directMessage"))
    ['direct', 'messag', 'send']
    """
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", text)
    return frozenset(stem(word) for word in re.findall(r"[^\W\d_]+", apart))


def _group(words: str) -> frozenset[str]:
    return stems(words)


READ = _group("get read list search find show fetch look check view count describe lookup query browse see summarize")
"""First words of tools that only read."""

EFFECTS: Mapping[str, frozenset[str]] = {
    "money": _group("money pay payment transfer transaction purchase buy invoice refund remit donation wallet bank"),
    "mail": _group("mail email message sms invite invitation notify chat tweet fax reply forward dm"),
    "web": _group("web webpage website url http https page browse download upload internet crawl webhook"),
    "memory": _group("memory remember memorize note recall forget"),
    "data": _group("update delete remove add create write set change insert execute run edit rename move cancel reset "
                   "grant share book reserve append drop modify replace"),
}  # fmt: skip
"""What words in a tool's name or description say about its effect, in the order in which they are looked for."""

ASKS: Mapping[str, frozenset[str]] = {
    "money": _group("pay repay payment transfer wire refund reimburse remit donate settle buy purchase tip owe"),
    "mail": _group("send write tell message email mail reply respond answer forward share post notify inform ask dm "
                   "say greet announce remind thank text contact report invite alert warn congratulate"),
    "web": _group("website webpage page article link url site blog web online internet browse visit"),
    "memory": _group("remember note save store keep memorize"),
    "change": _group("update change adjust modify edit correct set increase decrease raise lower move reschedule "
                     "replace switch fix rename extend shorten reset renew amend revise new"),
    "remove": _group("remove delete kick cancel drop revoke expel unsubscribe ban clear erase stop withdraw"),
    "add": _group("add join include enroll put append invite register onboard"),
    "create": _group("create make open start new add write draft generate book booking reserve "
                     "reservation plan"),
    "invite": _group("invite add onboard welcome join"),
    "schedule": _group("schedule recurring standing monthly weekly yearly annually daily regularly plan automatic "
                       "every future later next"),
    "publish": _group("post publish upload put create write submit"),
    "run": _group("run execute start launch compute perform"),
}  # fmt: skip
"""Words with which a user asks for something of this kind."""

VERBS: Mapping[str, str] = {
    stem(verb): kind
    for kind, verbs in {
        "change": "update change set edit modify rename move replace reset amend reschedule",
        "remove": "remove delete cancel drop kick revoke unsubscribe",
        "add": "add append insert join",
        "create": "create make book reserve generate write open",
        "invite": "invite",
        "schedule": "schedule plan",
        "publish": "post publish upload",
        "run": "run execute",
        "memory": "remember memorize save store note",
    }.items()
    for verb in verbs.split()
}
"""What the first word of a tool's name says it does, where that tells more than its effect."""

BROAD = _group("update change set edit modify create make run execute add post")
"""First words of tools that a user's request may well hold without meaning this tool."""

HANDING = _group("send give return move put")
"""Words that ask for a payment when money is spoken of."""

THINGS: Mapping[str, frozenset[str]] = {
    stem(thing): _group(words)
    for thing, words in {
        "info": "address name street city profile detail information data personal phone account",
        "user": "user profile account person member name address",
        "transaction": "transaction payment transfer order rent bill subscription money amount",
        "password": "password passphrase pin credential login",
        "event": "event meeting appointment calendar",
        "file": "file document",
        "message": "message mail email",
        "scheduled": "scheduled standing recurring monthly planned payment",
    }.items()
}
"""Other words for what a tool works on."""

SINKS = _group("recipient receiver payee beneficiary to cc bcc iban account url uri link host domain email user "
               "username channel participant attendee member phone webhook endpoint id destination target bucket guest "
               "contact repository")  # fmt: skip
"""Names of arguments that say where something goes, who gets it, or which of the user's things is touched."""

SECRETS = _group("password passwd passphrase pin secret token credential credentials key")
AMOUNTS = _group("amount price sum total quantity value cost fee")
LISTS = _group("contact payee account user member participant channel balance transaction")
"""What records are of; a tool named for one of these brings records even where its description speaks of mail."""

CONTENT = _group("message inbox mail email file page webpage web document note comment review post chat feed article "
                 "content text attachment search news ticket issue calendar event")  # fmt: skip
"""Words by which a tool says that it brings what people have written."""
