"""`temper stress`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from temper.cli import _options as options

ROOMS = ["stress", "validation.metamorphic", "validation.label_delay"]
Target = Annotated[
    str | None,
    typer.Argument(
        metavar="[URL|serve|service]",
        help="Put a service under load: a URL, `serve` (the guarded gateway of temper.yaml, started for it) or "
        "`service` (the url there). Without it the model itself is stressed with bad inputs.",
    ),
]
Plan = Annotated[
    str, typer.Option(help="search, constant:200, ramp:10-500, steps:100,200,400, spike:100*5 or times:FILE.")
]
Within = Annotated[float | None, typer.Option(help="Load: 99 % of the answers within; default 100 (chat 1000).")]
First = Annotated[float | None, typer.Option(help="Load: where the search begins; default 50 a second (chat 1).")]
Limits = Annotated[
    list[str] | None,
    typer.Option(help="Load of `serve`: cpu=0.5, memory=400M, files=64, cores=1 or disk=20M; or repeat it."),
]
IsChat = Annotated[bool, typer.Option("--chat", help="Load: an OpenAI-compatible chat, judged by first tokens.")]


def command(
    target: Target = None,
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
    suite: options.Suite = "standard",
    only: options.Only = None,
    seed: options.Seed = 0,
    engine: options.Engine = "processes",
    json: options.Json = False,
    allow_inconclusive: options.Lenient = False,
    trust_pickle: options.Trust = False,
    plan: Plan = "search",
    seconds: Annotated[float, typer.Option(help="Load: how long; of each run, where it searches.")] = 3.0,
    limit_ms: Within = None,
    most: Annotated[float | None, typer.Option(help="Load: never search beyond this rate.")] = None,
    first: First = None,
    body: Annotated[Path | None, typer.Option(help="Load: a file of JSON bodies, one a line.")] = None,
    method: Annotated[str | None, typer.Option(help="Load: GET, POST, PUT, PATCH or DELETE.")] = None,
    header: Annotated[list[str] | None, typer.Option(help="Load: NAME:VALUE, or repeat it.")] = None,
    key_env: Annotated[str | None, typer.Option(help="Load: variable that holds the service's key.")] = None,
    ca: Annotated[Path | None, typer.Option(help="Load: file of the certificates to trust.")] = None,
    yes_this_host: Annotated[str, typer.Option(help="Load: a host that is not this machine, once more.")] = "",
    script: Annotated[str, typer.Option(help="Load: print the plan as a script for locust or k6; send nothing.")] = "",
    generators: Annotated[int, typer.Option(min=1, max=64, help="Load: processes that send.")] = 1,
    connections: Annotated[int, typer.Option(min=1, max=20_000, help="Load: connections in all.")] = 256,
    limit: Limits = None,
    pid: Annotated[int | None, typer.Option(help="Load: the service's process, to watch its memory.")] = None,
    chat: IsChat = False,
    model: Annotated[str, typer.Option(help="Chat: the model to name.")] = "",
    prompts: Annotated[Path | None, typer.Option(help="Chat: a file of prompts, one a line.")] = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="Chat: the most tokens of an answer.")] = 64,
    no_stream: Annotated[bool, typer.Option("--no-stream", help="Chat: ask for answers in one piece.")] = False,
    max_requests: Annotated[int, typer.Option(min=1, help="Chat: never more requests in all.")] = 5_000,
    silence: Annotated[float | None, typer.Option(min=0.1, help="Chat: seconds without a token that end it.")] = None,
) -> None:
    """Stress the model with bad inputs that nobody sent on purpose, or put a service under load."""
    if target is None:
        from temper.cli._run import run

        return run(config, suite, only or ROOMS, json, allow_inconclusive, trust_pickle, seed=seed, engine=engine)
    from temper.cli._load import run as load
    from temper.engine.load.chat import Chat

    sent: dict[str, Any] = {"body": body, "method": method, "headers": tuple(header or ()), "key_env": key_env}
    much: dict[str, Any] = {"plan": plan, "seconds": seconds, "limit_ms": limit_ms, "most": most, "first": first}
    how: dict[str, Any] = {"ca": ca, "confirmed": yes_this_host, "generators": generators, "connections": connections}
    asked: dict[str, Any] = {"model": model, "prompts": prompts, "max_tokens": max_tokens, "silence": silence}
    talk = Chat(stream=not no_stream, max_requests=max_requests, **asked) if chat else None
    how |= {"limits": tuple(limit or ()), "chat": talk, "pid": pid, "seed": seed, "trust_pickle": trust_pickle}
    load({"target": target, "config": config, **sent, **much, **how}, json, script)
