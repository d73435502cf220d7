"""A system that names a manifest: its model is opened only while it is what was signed."""

from scenarios.story import fixed


def signed(desk, system):
    """The system with its model signed, by the commands."""
    told = desk("sign", system.path / "model.ubj", "--new-key", system.path / "signer")
    assert told.code == 0, told.all
    words = "manifest: model.ubj.manifest.json, public_key: signer.pub"
    return system.model(f"path: model.ubj, kind: probabilities, threshold: 0.5, {words}")


def test_a_signed_model_is_assessed_and_a_changed_one_is_not(desk, system):
    signed(desk, system)
    manifest = system.path / "model.ubj.manifest.json"
    assert desk("verify", manifest, "--public-key", system.path / "signer.pub").code == 0
    assert desk("threats", "--config", system.path / "temper.yaml").code == 0
    with (system.path / "model.ubj").open("ab") as file:
        file.write(b"\0")
    fixed(desk("threats", "--config", system.path / "temper.yaml"), "temper.yaml:", "model.ubj has been changed")
    fixed(desk("verify", manifest, "--public-key", system.path / "signer.pub"), "model.ubj has been changed")


def test_a_manifest_of_something_else_is_refused(desk, system):
    signed(desk, system)
    (system.path / "other.bin").write_bytes(b"x")
    assert desk("sign", system.path / "other.bin", "--key", system.path / "signer.key").code == 0
    words = "manifest: other.bin.manifest.json, public_key: signer.pub"
    system.model(f"path: model.ubj, kind: probabilities, {words}")
    fixed(desk("threats", "--config", system.path / "temper.yaml"), "does not speak of model.ubj")
