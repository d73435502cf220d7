"""Heads of answers that came before: who has seen one need not read it again, which takes most of an answer's time."""

from __future__ import annotations

END = b"\r\n\r\n"
_MOST = 512


class Heads(dict[bytes, tuple[int, int] | None]):
    """Of each head the status and the length of the body behind it; None where it came once, since many never come
    again (they hold an id). Only what a parser has read is learned, and only where a content-length alone says how
    long the body is.

    >>> heads, answer = Heads(), b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok"
    >>> heads.learn(answer, 200), heads.learn(answer, 200)
    (None, None)
    >>> heads
    {b'HTTP/1.1 200 OK\\r\\nContent-Length: 2': (200, 2)}
    """

    def learn(self, answer: bytes, status: int) -> None:
        """A whole answer that a parser found to have this status and to leave its connection open."""
        head, _, body = answer.partition(END)
        if len(self) >= _MOST:  # most of them hold a second that is over
            self.clear()
        self[head] = (status, len(body)) if head in self and _length(head) == len(body) else None


def _length(head: bytes) -> int:
    """What the head itself says; -1 where a body ends otherwise."""
    fields = [line.partition(b":") for line in head.lower().split(b"\r\n")[1:]]
    told = [value.strip() for name, _, value in fields if name in (b"content-length", b"transfer-encoding")]
    return int(told[0]) if len(told) == 1 and told[0].isdigit() else -1
