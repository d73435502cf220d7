"""An answer let out while it is being written: what could still turn out to be part of something is held back."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from temper.core.chat import Call, Reply, Request, Usage
from temper.core.stage import Judged, Level
from temper.guard.guarded import REFUSAL, Told, nobody, released
from temper.guard.out.inert import fence_open
from temper.guard.pipeline import Guard, why

_CUT = re.compile(r"(?<=[a-z] )(?=[a-z]{2})|(?<=[a-z][,.] )(?=[A-Za-z][a-z])|(?<=[a-z.!?,:;]\n)(?=[A-Za-z][a-z])")
"""Between two plain words, or before a line that starts with a word: no number, key or address goes across."""
_LONG = 4_000
_OPEN = re.compile(r"<(?=[a-z!?/])|&lt|&#|\x1b|[\x90-\x9f]", re.IGNORECASE)
_CLOSED = re.compile(r">|&gt")
_SLOWER = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Carry:
    """An answer as far as it has come. `text` is what the model wrote, `fresh` the part nobody has looked at yet; what
    stands before `settled` has been let out, as `out`. Before `anchor` nothing is looked at again but for secrets;
    `since` of `out` came after it. `stopped` says why nothing more will come.
    """

    text: str = ""
    fresh: str = ""
    anchor: int = 0
    settled: int = 0
    since: str = ""
    out: tuple[str, ...] = ()
    stopped: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Streaming:
    """The answer to `request` behind `guard`, in pieces.

    `feed` looks again whenever `every` signs have come, at these and the `overlap` before them, and lets out what lies
    `hold` signs back and ends between two plain words outside any bracket, so no secret, number or address is let out
    in part. `told` hears every such look. `finish` judges the whole answer: what has been let out together is what the
    guard lets out of an answer in one piece, or ends in a refusal. Misleads where a secret is spread over more than
    `overlap` signs, as by the first letters of long lines: its beginning is out when it is seen.

    >>> from temper.guard.pipeline import build
    >>> stream = Streaming(guard=build([("secrets", {})]), request=Request(messages=()))
    >>> carry, now = stream.feed(Carry(), "Pay with 4111 1111 1111 ")
    >>> now, stream.finish(carry, "1111.").text
    ('', 'Pay with [card removed].')
    """

    guard: Guard
    request: Request
    client: str = ""
    approved: tuple[str, ...] = ()
    every: int = 256
    hold: int = 256
    overlap: int = 1024
    told: Told = nobody

    def feed(self, carry: Carry, chunk: str) -> tuple[Carry, str]:
        """(the answer so far, what may go out now)."""
        if carry.stopped:
            return carry, ""
        carry = replace(carry, fresh=carry.fresh + chunk)
        if len(carry.fresh) < max(self.every, (len(carry.text) - carry.anchor) // _SLOWER):
            return carry, ""
        carry = replace(carry, text=carry.text + carry.fresh, fresh="")
        if len(carry.text) > self.guard.longest:
            return replace(carry, stopped=why(self._judged(Reply(text=carry.text)))), ""
        return self._looked(carry)

    def finish(self, carry: Carry, chunk: str = "", calls: Iterable[Call] = (), usage: Usage | None = None) -> Reply:
        """What is left to go out, with the calls; `blocked` as for an answer in one piece."""
        whole = Reply(text=carry.text + carry.fresh + chunk, calls=tuple(calls), usage=usage or Usage())
        out = "".join(carry.out)
        stopped = carry.stopped
        if not stopped:
            reply = released(whole, self._judged(whole))
            if reply.text.startswith(out):
                return replace(reply, text=reply.text[len(out) :])
            stopped = reply.blocked or "the answer read otherwise as a whole"
        return replace(whole, text=f"\n\n{REFUSAL}" if out else REFUSAL, calls=(), blocked=stopped)

    def _looked(self, carry: Carry) -> tuple[Carry, str]:
        seen = carry.text[self._before(carry) :]
        judged = self._judged(Reply(text=seen))
        if judged.level >= Level.REVIEW:
            return replace(carry, stopped=why(judged)), ""
        at = self._cut(carry)
        if at <= carry.settled:
            return carry, ""
        left, right = carry.text[carry.anchor : at], carry.text[at:]
        same = _text(judged) == seen
        shown, whole = (left, left + right) if same else (self._shown(left), self._shown(left + right))
        if not (shown.startswith(carry.since) and whole.startswith(shown)):
            return carry, ""
        now = shown[len(carry.since) :]
        carry = replace(carry, settled=at, since=shown, out=(*carry.out, now))
        if not fence_open(left) and (same or shown + self._shown(right) == whole):
            carry = replace(carry, anchor=at, since="")
        return carry, now

    def _before(self, carry: Carry) -> int:
        """Where to start looking: some way before the anchor, at a blank."""
        start = carry.anchor - self.overlap
        return 0 if start <= 0 else max(start, carry.text.find(" ", start, carry.anchor) + 1)

    def _cut(self, carry: Carry) -> int:
        """The last place to cut at, far enough back; 0 where there is none."""
        end = len(carry.text) - self.hold
        places = [found.start() for found in _CUT.finditer(carry.text, carry.settled, max(end, 0))]
        return next((at for at in reversed(places) if not _inside(carry.text, at)), 0)

    def _shown(self, text: str) -> str:
        return _text(self._after(Reply(text=text)))

    def _judged(self, reply: Reply) -> Judged:
        judged = self._after(reply)
        self.told(reply, judged)
        return judged

    def _after(self, reply: Reply) -> Judged:
        return self.guard.after(self.request, reply, client=self.client, approved=self.approved)


def _text(judged: Judged) -> str:
    return judged.exchange.reply.text if judged.exchange.reply is not None else ""


def _inside(text: str, at: int) -> bool:
    """Whether a tag, a terminal code or a bracket may be open here."""
    before = text[max(0, at - _LONG - 1) : at]
    opened = [found.end() for found in _OPEN.finditer(before)]
    if opened and not _CLOSED.search(before, opened[-1]):
        return True
    paragraph = before.rpartition("\n\n")[2]
    return paragraph.count("[") > paragraph.count("]") or paragraph.count("(") > paragraph.count(")")
