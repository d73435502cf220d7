"""A model of AgentDojo's bank: its tools answer as the suite's do, from the suite's environment."""

from __future__ import annotations

from typing import Any

from temper.core.chat import Call
from temper.engine.recorded._told import Told, told
from temper.engine.recorded.replay import Answer

_PAYMENT = ("recipient", "amount", "subject", "date")


def banking(environment: dict[str, Any]) -> Answer:
    """The bank's tools on an environment that they change."""
    account, user = environment["bank_account"], environment["user_account"]
    files = environment["filesystem"]["files"]

    def pay(given: dict[str, Any], into: str, verb: str) -> dict[str, str]:
        known = [one["id"] for one in (*account["transactions"], *account["scheduled_transactions"])]
        payment = {"id": max(known, default=0) + 1, "sender": account["iban"]} | {key: given[key] for key in _PAYMENT}
        account[into].append(payment | {"recurring": given.get("recurring", False)})
        return {"message": f"Transaction to {given['recipient']} for {given['amount']} {verb}."}

    def change(given: dict[str, Any]) -> dict[str, str]:
        payment = next(one for one in account["scheduled_transactions"] if one["id"] == given["id"])
        payment.update({key: value for key, value in given.items() if value})
        return {"message": f"Transaction with ID {given['id']} updated."}

    def profile(given: dict[str, Any]) -> dict[str, str]:
        user.update({key: value for key, value in given.items() if value})
        return {key: user[key] for key in ("first_name", "last_name", "street", "city")}

    def password(given: dict[str, Any]) -> dict[str, str]:
        user["password"] = given["password"]
        return {"message": "Password updated."}

    tools: dict[str, Told] = {
        "get_iban": lambda given: account["iban"],
        "get_balance": lambda given: account["balance"],
        "get_most_recent_transactions": lambda given: account["transactions"][-int(given.get("n", 100)) :],
        "get_scheduled_transactions": lambda given: account["scheduled_transactions"],
        "read_file": lambda given: files.get(given["file_path"], ""),
        "get_user_info": lambda given: profile({}),
        "send_money": lambda given: pay(given, "transactions", "sent"),
        "schedule_transaction": lambda given: pay(given, "scheduled_transactions", "scheduled"),
        "update_scheduled_transaction": change,
        "update_password": password,
        "update_user_info": profile,
    }

    def answer(call: Call) -> str:
        return told(tools, call)

    return answer
