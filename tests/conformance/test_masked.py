"""No net that hides its gradients comes out robust: the second attempt breaks it, or the doubt says what is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import temper
from temper.core.errors import ContractError
from temper.core.measure import Measurement, Status
from temper.core.requirement import Policy, Requirement, Verdict
from temper.core.schema import Schema
from temper.core.target import ScoreKind
from temper.core.threat import Actor
from temper.testing import masked

torch = pytest.importorskip("torch")

BALL = temper.Budget(norm="linf", radius=0.1)  # every row lies 0.08 from the decision
NAMED = {
    "quantised activations": ("masked gradients", "misleading gradients"),
    "quantised input": ("masked gradients", "misleading gradients"),
    "stopped gradient": ("masked gradients",),
    "detached branch": ("misleading gradients",),
    "broken gradient": ("not finite",),
    "randomised": ("random model",),
    "saturated": ("masked gradients", "misleading gradients"),
}
HIDING = sorted(masked.MASKED)


def opened(name: str) -> Any:
    kind = ScoreKind.PROBABILITIES if name == "saturated" else None
    return temper.target(masked.MASKED[name](), kind=kind, stochastic=name == "randomised")


def attacked(target: Any, attack: str = "evasion.pgd", gap: float = masked.GAP, n: int = 12, **more: Any) -> Any:
    x, y = masked.rows(n, gap)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return temper.attack(target, attack, x, y, budget=BALL, schema=Schema.box(0, 1), **more)


def never_robust(found: Measurement, name: str) -> None:
    """Broken at least in half of the cases, or in doubt for a reason that names it."""
    broken = found.value is not None and found.value >= 0.5
    if not broken:
        assert found.status is Status.INCONCLUSIVE, (name, found)
        assert any(word in found.reason for word in NAMED[name]), found.reason


@pytest.mark.parametrize("attack", ["evasion.pgd", "evasion.fmn"])
@pytest.mark.parametrize("name", HIDING)
def test_a_net_that_hides_its_gradients_is_broken_or_in_doubt(name: str, attack: str) -> None:
    never_robust(attacked(opened(name), attack).success_rate, name)


@pytest.mark.parametrize("name", ["quantised activations", "quantised input", "stopped gradient", "detached branch"])
def test_the_second_attempt_breaks_what_the_first_cannot_and_says_how(name: str) -> None:
    found = attacked(opened(name))
    assert found.success_rate.value == 1.0
    assert any(word.startswith("adaptive: a slope measured") for word in found.success_rate.caveats)
    moved = np.abs(found.x_adv - masked.rows(12)[0]).reshape(12, -1).max(axis=1)
    assert (moved <= BALL.radius * (1 + 1e-6)).all()
    assert (found.queries > 49).all()  # each question of the second attempt is counted


@pytest.mark.parametrize("name", sorted(NAMED.keys() - {"randomised"}))
def test_rows_out_of_reach_leave_the_net_in_doubt_with_the_reason(name: str) -> None:
    """Nothing can be broken at this distance: sound gradients would say so, hidden ones cannot."""
    found = attacked(opened(name), gap=0.16)
    assert found.success_rate.value == 0.0
    assert found.success_rate.status is Status.INCONCLUSIVE
    assert any(word in check for word in NAMED[name] for check in found.checks), found.checks


@pytest.mark.parametrize("attack", ["evasion.apgd", "evasion.apgd_targeted", "evasion.fmn"])
@pytest.mark.parametrize("build", [masked.honest, masked.loud, masked.half, masked.dropping])
def test_a_net_that_hides_nothing_is_not_accused(build: Any, attack: str) -> None:
    """The sound twin, also with loud logits, in half precision, and left in training mode: robust and said so."""
    found = attacked(temper.target(build()), attack, gap=0.16)
    assert found.checks == ()
    assert (found.success_rate.value, found.success_rate.status) == (0.0, Status.OK)


def curved(seed: int = 0, noise: float = 0.05) -> Any:
    """A small net with bends, trained on noisy rows until its margins are wide."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 32), torch.nn.ReLU(), torch.nn.Linear(32, 2))
        x, y = (torch.as_tensor(values) for values in masked.rows(200, 0.16))
        x, steps = x.float(), torch.optim.Adam(net.parameters(), 0.01)
        for _ in range(150):
            steps.zero_grad()
            torch.nn.functional.cross_entropy(net(x + noise * torch.randn_like(x)), y).backward()
            steps.step()
    return net.eval()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_trained_net_with_wide_margins_is_not_accused(seed: int) -> None:
    found = attacked(temper.target(curved(seed)), gap=0.16, n=24)
    assert found.success_rate.status is Status.OK, found.checks
    assert not [check for check in found.checks if "gradient" in check]


def system(name: str, build: Any, gap: float) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        actor = Actor(name="insider", knowledge="white-box", norm="linf", radius=0.1, queries=300)
        at_most = Requirement(id="holds", metric="evasion.strongest.success_rate", at_most=0.4, severity="critical")
        return temper.System(
            model=build(),
            data=masked.rows(24, gap),
            schema=Schema.box(0, 1),
            actors=(actor,),
            stochastic=name == "randomised",
            policy=Policy(name="p", requirements=(at_most,)),
            classes=2,
            name=name,
        )


def judged(name: str, build: Any, tmp_path: Any, gap: float = masked.GAP, only: Any = ("evasion.fmn",)) -> Verdict:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        one = system(name, build, gap)
        return temper.assess(
            one, suite="quick", only=[*only, "evasion.square"], engine="serial", store=tmp_path
        ).verdict


@pytest.mark.parametrize("name", [name for name in HIDING if name != "saturated"])
def test_an_assessment_never_passes_a_net_that_hides_its_gradients(name: str, tmp_path: Any) -> None:
    assert judged(name, masked.MASKED[name], tmp_path) in (Verdict.FAIL, Verdict.INCONCLUSIVE)


def test_an_assessment_passes_the_sound_twin(tmp_path: Any) -> None:
    assert judged("sound", masked.honest, tmp_path, gap=0.16) is Verdict.PASS


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in HIDING if name != "saturated"])
def test_a_whole_evasion_assessment_never_passes_a_net_that_hides_its_gradients(name: str, tmp_path: Any) -> None:
    assert judged(name, masked.MASKED[name], tmp_path, only=("evasion",)) in (Verdict.FAIL, Verdict.INCONCLUSIVE)


def test_probabilities_that_are_all_nought_or_one_are_refused_before_anything_is_spent(tmp_path: Any) -> None:
    actor = Actor(name="insider", knowledge="white-box", norm="linf", radius=0.1)
    one = temper.System(
        model=masked.saturated(),
        data=masked.rows(24),
        schema=Schema.box(0, 1),
        actors=(actor,),
        kind="probabilities",
        classes=2,
    )
    with pytest.raises(ContractError, match="these are labels, not scores"):
        temper.assess(one, suite="quick", only=["evasion"], engine="serial", store=tmp_path)
