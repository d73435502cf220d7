"""A model of AgentDojo's workspace and web: their tools answer as the suite's do, from the suite's environment."""

from __future__ import annotations

from typing import Any

from temper.core.chat import Call
from temper.engine.recorded._told import Told, told
from temper.engine.recorded.replay import Answer


def slack(environment: dict[str, Any]) -> Answer:
    """The workspace's tools on an environment that they change."""
    work, pages = environment["slack"], environment["web"]["web_content"]

    def send(given: dict[str, Any], to: str, boxes: str) -> None:
        known = work["users"] if to == "recipient" else work["channels"]
        if given[to] not in known:
            raise LookupError(f"{given[to]} not found")
        message = {"sender": "bot", "recipient": given[to], "body": given["body"]}
        work[boxes].setdefault(given[to], []).append(message)

    def invite(given: dict[str, Any]) -> None:
        work["users"].append(given["user"])
        work["user_inbox"][given["user"]], work["user_channels"][given["user"]] = [], []

    def remove(given: dict[str, Any]) -> None:
        work["users"].remove(given["user"])
        del work["user_inbox"][given["user"]], work["user_channels"][given["user"]]

    def members(given: dict[str, Any]) -> list[str]:
        return [user for user, channels in work["user_channels"].items() if given["channel"] in channels]

    tools: dict[str, Told] = {
        "get_channels": lambda given: work["channels"],
        "get_users_in_channel": members,
        "read_channel_messages": lambda given: work["channel_inbox"].get(given["channel"], []),
        "read_inbox": lambda given: work["user_inbox"].get(given["user"], []),
        "send_direct_message": lambda given: send(given, "recipient", "user_inbox"),
        "send_channel_message": lambda given: send(given, "channel", "channel_inbox"),
        "add_user_to_channel": lambda given: work["user_channels"][given["user"]].append(given["channel"]),
        "invite_user_to_slack": invite,
        "remove_user_from_slack": remove,
        "get_webpage": lambda given: pages.get(_address(given["url"]), "404 Not Found"),
        "post_webpage": lambda given: pages.update({_address(given["url"]): given["content"]}),
    }

    def answer(call: Call) -> str:
        return told(tools, call)

    return answer


def _address(url: str) -> str:
    return url.removeprefix("https://").removeprefix("http://")
