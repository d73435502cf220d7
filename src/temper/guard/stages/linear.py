"""A linear model over every reading of a text: how much it sounds like the attacks it was fitted on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from temper.core.chat import Role
from temper.core.stage import ALLOWED, Context, Decision, Exchange, Level
from temper.guard.text.fresh import level, read
from temper.guard.text.model import Model, load_model
from temper.guard.text.shipped import identity, shipped_model
from temper.guard.text.withheld import judged
from temper.targets import _digest

_SHORTEST, _WORDS = 12, 3
_NONE = (0.0, (0, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """Scores windows of every reading of the fresh texts with logistic regression over runs of characters and words.

    `model` is a file written by `guard.text.model.train(...).save(path)` from your own traffic; without it the model of
    the shipped corpus is used, fitted once per machine. Texts above the model's threshold get the level `user` or
    `tool`, longer ones than `longest` go to review unread. The reason says which share of benign texts lies above it.
    A tool's text is withheld and the question goes on, without `withhold` it is stopped too.
    Texts of fewer than three words pass unread. Misleads for families it was not fitted on: `Model.families` says what
    was caught of each while it was left out, and most of encoded, optimised (found by a search) and plain-spoken
    orders are not covered by this layer.
    Source: Joulin et al., "Bag of tricks for efficient text classification", 2016 (hashed n-grams, a linear model).

    >>> Linear().user
    'review'
    """

    model: str = ""
    user: str = "review"
    tool: str = "review"
    longest: int = 1_000_000
    withhold: bool = True

    @property
    def digest(self) -> str:
        """Of the options and of the model, wherever its file lies."""
        model = replace(_model(self.model), source="") if self.model else identity()
        return _digest.of_object((replace(self, model=""), model))

    def check(self, exchange: Exchange, context: Context) -> Decision:
        levels = {Role.USER: level(self.user, "linear.user"), Role.TOOL: level(self.tool, "linear.tool")}
        if exchange.reply is not None:
            return ALLOWED
        return judged(exchange, lambda text, role: self._judged(text, levels[role]), self.withhold)

    def _judged(self, text: str, found: Level) -> Decision:
        if len(text) > self.longest:
            reason = f"a text of {len(text):,} characters is longer than the {self.longest:,} that are read"
            return Decision(level=Level.REVIEW, stage="linear", reason=reason)
        model = _model(self.model)
        readings = read(text)
        scores = [model.score(view.text) if _is_order(view.text) else _NONE for view in readings]
        at = max(range(len(scores)), key=lambda place: scores[place][0])
        score, (first, last) = scores[at]
        if score <= 0.0:
            return ALLOWED
        span = " ".join(readings[at].text.split())[first:last]
        return Decision(level=found, stage="linear", reason=_why(model, score, readings[at].how), span=span[:300])


def _is_order(text: str) -> bool:
    """Whether a text is long enough to ask for something; of a name or an address a model knows nothing."""
    return len(text) >= _SHORTEST and len(text[:200].split()) >= _WORDS


def _why(model: Model, score: float, how: tuple[str, ...]) -> str:
    under = f", written in {' under '.join(reversed(how))}" if how else ""
    benign = f"{model.benign.caught} of {model.benign.n} held-out benign texts are"
    return f"sounds like an attack{under}: {score:.2f} above the threshold, as {benign}"


@cache
def _model(path: str) -> Model:
    return load_model(Path(path)) if path else shipped_model()


PLUGIN = Linear
