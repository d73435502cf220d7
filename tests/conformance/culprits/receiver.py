"""Receivers of alerts, each of which breaks one law; `Honest` breaks none."""

from __future__ import annotations

import itertools
import os
from dataclasses import replace
from typing import Any
from urllib.request import Request, urlopen

from temper.core.alert import Alert
from temper.core.errors import StoreError, TemperError
from temper.monitoring.receivers._post import json, post, where
from temper.monitoring.receivers.webhook import Webhook
from temper.testing import receiver

CALLS = itertools.count()


class Honest(Webhook):
    """A signed post."""


class Silent(Webhook):
    """Sends nothing."""

    def send(self, alert: Alert) -> None:
        return None


class Chatty(Webhook):
    """Sends everything twice."""

    def send(self, alert: Alert) -> None:
        Webhook.send(self, alert)
        Webhook.send(self, alert)


class Endless(Webhook):
    """Never says that it is over."""

    def send(self, alert: Alert) -> None:
        Webhook.send(self, replace(alert, ends=None))


class Counts(Webhook):
    """Says how many it has sent."""

    def send(self, alert: Alert) -> None:
        Webhook.send(self, replace(alert, text=f"number {next(CALLS)}"))


class Hopes(Webhook):
    """Takes everything for sent."""

    def send(self, alert: Alert) -> None:
        try:
            Webhook.send(self, alert)
        except TemperError:
            return


class Follows(Webhook):
    """Goes where it is sent."""

    def send(self, alert: Alert) -> None:
        _posted(Request(os.environ[self.url_env], json({"title": alert.title}), method="POST"))


class Anywhere(Webhook):
    """Asks whatever stands in the environment."""

    def send(self, alert: Alert) -> None:
        url, _ = where(self.url, self.url_env, self.host)
        post(url, "127.0.0.1", json({}), {})


class Tells(Webhook):
    """Says where it could not go."""

    def send(self, alert: Alert) -> None:
        try:
            Webhook.send(self, alert)
        except TemperError as error:
            raise StoreError(f"{os.environ[self.url_env]}: {error.message}") from None


class Raw(Webhook):
    """Sends on whatever columns are called."""

    def send(self, alert: Alert) -> None:
        post(*where(self.url, self.url_env, self.host), alert.title.encode(), {})


def _posted(request: Request) -> None:
    try:
        urlopen(request, timeout=2.0).close()
    except OSError as error:
        raise StoreError("not taken") from error


INNOCENT = Honest
BITES: dict[Any, tuple[Any, ...]] = {
    receiver.law_an_alert_arrives: (Silent, Chatty),
    receiver.law_the_end_is_told: (Endless,),
    receiver.law_twice_is_the_same: (Counts,),
    receiver.law_what_was_not_taken_is_said: (Hopes,),
    receiver.law_nobody_is_asked_elsewhere: (Follows,),
    receiver.law_only_the_named_host_is_asked: (Anywhere,),
    receiver.law_no_secret_is_told: (Tells,),
    receiver.law_hostile_text_is_inert: (Raw,),
}
