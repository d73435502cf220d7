"""Pickles: refused unless trusted, scanned first, and a hostile one is refused even then."""

import pickle

import pytest

from scenarios.story import fixed


@pytest.fixture
def pickled(system):
    """The system with a scikit-learn model in a pickle."""
    import joblib
    from sklearn.ensemble import RandomForestClassifier

    from temper.demos import fraud

    learned = fraud.rows(system.frame("train"))
    model = RandomForestClassifier(n_estimators=10, max_depth=6, random_state=0).fit(learned.x, learned.y)
    joblib.dump(model, system.path / "model.joblib")
    return system.model("path: model.joblib, kind: probabilities, threshold: 0.5")


class Hostile:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return exec, (f"open({self.mark!r}, 'w').write('owned')",)


def test_a_pickle_is_refused_and_the_way_out_is_named(desk, pickled):
    message = fixed(desk.assess(pickled), "model.joblib", "pickle", "ONNX")
    assert "--trust-pickle" in message or "trust_pickle" in message


def test_a_pickle_is_loaded_when_its_owner_vouches_for_it(desk, pickled):
    told = desk.assess(pickled, "--trust-pickle")
    assert told.code in (0, 1, 3), told.all
    assert pickled.store.run().measurements[0].status.value == "ok"


@pytest.mark.parametrize("trust", [(), ("--trust-pickle",)])
@pytest.mark.parametrize("name", ["model.pkl", "model.joblib", "model.ubj"])
def test_a_hostile_pickle_is_refused_even_when_trusted_and_never_run(desk, system, name, trust):
    mark = system.path / "mark"
    (system.path / name).write_bytes(pickle.dumps(Hostile(mark)))
    system.model(f"path: {name}, kind: probabilities, threshold: 0.5")
    message = fixed(desk.assess(system, *trust), name)
    assert not mark.exists()
    assert "exec" in message or name == "model.ubj", message


def test_init_never_runs_a_pickle(desk, system):
    mark = system.path / "mark"
    (system.path / "model.pkl").write_bytes(pickle.dumps(Hostile(mark)))
    words = ("--model", system.path / "model.pkl", "--data", system.path / "test.parquet", "--target", "is_fraud")
    desk("init", *words)
    assert not mark.exists()


def test_a_cut_off_pickle_is_refused(desk, pickled):
    file = pickled.path / "model.joblib"
    file.write_bytes(file.read_bytes()[:-200])
    fixed(desk.assess(pickled, "--trust-pickle"), "model.joblib", "the scan found", "than there are")


def test_the_model_s_file_is_a_threat_of_its_own(desk, system):
    told = desk.assess(system, "--only", "artifact")
    assert told.code in (0, 1, 3), told.all
    found = {m.name: m for m in system.store.run().measurements}
    assert found["artifact.findings"].value == 0
    assert "SHA-256" in found["artifact.findings"].method
    assert found["artifact.rows_kept"].value == 0
    assert any("sum_hessian" in caveat for caveat in found["artifact.statistics_kept"].caveats)
