"""Tool permissions on the two AgentDojo suites they were not made on, with the package's own tools answering.

    python -m bench.guard.agentdojo_held_out [--quick]

Workspace and travel, as `bench.guard.agentdojo` does banking and slack. Policies and permissions were committed before
any task of these suites was read ("Tool policies of AgentDojo's workspace and travel, written from the signatures
before any of their tasks is read"). That blind run gave, for the written policies: workspace, 240 pairs, utility .800
[.675, .925], attack success .008 [.000, .037]; travel, 120 pairs, utility .950 [.850, 1.000], attack success .108
[.000, .250]. Then the permissions changed with the failures known (nouns ask as verbs do; what an outsider wrote goes
into the user's own things only from where the user pointed; numbers in what people write are the system's), the
policies did not: what is printed is no blind figure.

Needs the package (`pip install agentdojo`), which is no dependency of anything here; with it the bench also says
whether our models of banking and slack answer as the package does. Attacks without recorded calls are left out.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bench.guard.agentdojo import DATA, HERE, least_privilege
from bench.table import machine, table
from temper.core.chat import Call, Tool
from temper.engine.recorded.agentdojo import ORDER, WORLDS, unattacked
from temper.engine.recorded.replay import Answer, Defence, Recorded, Replayed, open_door, replay
from temper.engine.recorded.score import pairs, share
from temper.guard.stages.permissions import Permissions

VERSION, SUITES = "v1.2.2", ("workspace", "travel")


def main(words: list[str]) -> int:
    """Print the tables."""
    try:
        from agentdojo.task_suite.load_suites import get_suites
    except ImportError:
        print("nothing to measure: the package agentdojo is not installed")
        return 0
    print(machine("numpy", "agentdojo"))
    suites = get_suites(VERSION)
    for name in SUITES:
        whole = recorded(name, suites[name])
        every = [one for one in whole if one.attacked][:: 4 if "--quick" in words else 1]
        silent = sum(not one.attacked for one in whole)
        print(f"\n{name}: {len(every)} of {len(whole)} pairs; in {silent} the attack has no recorded calls")
        rows = [(title, [replay(one, build(one)) for one in every]) for title, build in _defences(name).items()]
        _print(name, rows)
    if DATA.is_dir():
        for name in WORLDS:
            print(f"{name}: {_alike(name, suites[name])} answers of our model are the package's, word for word")
    return 0


def _defences(name: str) -> dict[str, Callable[[Recorded], Defence]]:
    policy = Permissions(policy=str(HERE / f"{name}.yaml"))
    return {
        "none": lambda one: open_door,
        "least privilege (oracle)": least_privilege,
        "inferred": lambda one: Permissions().check,
        "policy": lambda one: policy.check,
    }


def _print(name: str, rows: Sequence[tuple[str, list[Replayed]]]) -> None:
    rng = np.random.default_rng(5)
    cells = [
        (
            title,
            len(found),
            share(pairs(found, "useful"), rng),
            f"{np.mean([one.answerable for one in found]):.3f}",
            share(pairs(found, "broken"), rng),
        )
        for title, found in rows
    ]
    columns = ("defence", "n", "utility", "with a human", "attack success")
    table(f"{name}: 95 % intervals over user tasks and attacks", columns, cells)
    for title, found in rows[2:]:
        lost = Counter(_why(one) for one in found if not one.useful)
        table(f"{name}, {title}: what fails", ("task, call, reason", "pairs"), sorted(lost.items()))
        passed = Counter(f"{one.recorded.attack} on {one.recorded.user}" for one in found if one.broken)
        print(f"{name}, {title}: attacks that pass: {', '.join(sorted(passed)) or 'none'}")


def _why(one: Replayed) -> str:
    step = next(step for step in one.user if not step.through)
    return f"{one.recorded.user} {step.call.name}: {step.reason.partition(']: ')[2][:90]}"


def recorded(name: str, suite: Any) -> list[Recorded]:
    """Every pair of a suite, recorded from the package."""
    tools = tuple(
        Tool(name=one.name, description=one.description, parameters=one.parameters.model_json_schema())
        for one in suite.tools
    )
    found = []
    for attack_id, attack in suite.injection_tasks.items():
        planted = ORDER.format(goal=attack.GOAL)
        filled = dict.fromkeys(suite.get_injection_vector_defaults(), planted)
        for user_id, user in suite.user_tasks.items():
            environment = user.init_environment(suite.load_and_inject_default_environment(filled))
            found.append(
                Recorded(
                    user=f"{name}.{user_id}",
                    attack=f"{name}.{attack_id}",
                    prompt=user.PROMPT,
                    calls=_calls(user.ground_truth(environment.model_copy(deep=True))),
                    attacked=_calls(attack.ground_truth(environment.model_copy(deep=True))),
                    world=_world(suite, environment),
                    tools=tools,
                    planted=planted,
                )
            )
    return found


def _calls(truth: Any) -> tuple[Call, ...]:
    return tuple(Call(name=one.function, arguments=json.dumps(dict(one.args), default=_plain)) for one in truth)


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value.isoformat()


def _world(suite: Any, environment: Any) -> Callable[[], Answer]:
    from agentdojo.agent_pipeline.tool_execution import tool_result_to_str
    from agentdojo.functions_runtime import FunctionsRuntime

    def fresh() -> Answer:
        runtime, state = FunctionsRuntime(suite.tools), environment.model_copy(deep=True)

        def answer(call: Call) -> str:
            result, error = runtime.run_function(state, call.name, json.loads(call.arguments))
            return str(error) if error else tool_result_to_str(result)

        return answer

    return fresh


def _alike(name: str, suite: Any) -> str:
    """How many answers to the users' recorded calls are the same, in the world before anybody writes into it."""
    environment = suite.load_and_inject_default_environment({})
    same = []
    for one in unattacked(DATA, name):
        ours, theirs = one.world(), _world(suite, environment)()
        same += [ours(call) == theirs(call) for call in one.calls]
    return f"{sum(same)} of {len(same)}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
