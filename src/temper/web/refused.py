"""A request that is not answered, and the page that says why."""

from __future__ import annotations


class Refused(Exception):
    """Becomes a page with this status; `heading` and `text` are this program's words, never the client's.

    `case` is the id of the case whose present state the page shows.
    """

    def __init__(self, status: int, heading: str, text: str, case: str = "") -> None:
        super().__init__(heading)
        self.status, self.heading, self.text, self.case = status, heading, text, case
