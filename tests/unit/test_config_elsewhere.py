"""A temper.yaml read from another folder finds the same files."""

from __future__ import annotations

from pathlib import Path

from temper.config.elsewhere import elsewhere


def test_files_are_named_in_full_and_the_system_keeps_its_name(tmp_path: Path) -> None:
    path = tmp_path / "temper.yaml"
    path.write_text(
        "model: {path: a.ubj, manifest: /keys/a.json}\ndata: {test: t.csv, history: h.parquet}\n"
        "guard: {fallback: {challenger: b.ubj, otherwise: 0.1}, audit: {folder: audit}}\n"
    )
    found = elsewhere(path)
    assert found["model"] == {"path": str(tmp_path / "a.ubj"), "manifest": "/keys/a.json"}
    assert found["data"] == {"test": str(tmp_path / "t.csv"), "history": str(tmp_path / "h.parquet")}
    assert found["guard"] == {
        "fallback": {"challenger": str(tmp_path / "b.ubj"), "otherwise": 0.1},
        "audit": {"folder": "audit"},
    }
    assert found["system"] == {"name": tmp_path.name}


def test_what_is_not_there_stays_away(tmp_path: Path) -> None:
    path = tmp_path / "temper.yaml"
    path.write_text("system: {name: bank, criticality: high}\nmodel: {url: 'http://127.0.0.1:9'}\ndata:\n")
    found = elsewhere(path)
    assert found["system"] == {"name": "bank", "criticality": "high"}
    assert found["model"] == {"url": "http://127.0.0.1:9"}
    assert "guard" not in found


def test_a_challenger_may_say_its_kind(tmp_path: Path) -> None:
    path = tmp_path / "temper.yaml"
    path.write_text("guard: {fallback: {challenger: {path: b.onnx, kind: logits}}}\n")
    assert elsewhere(path)["guard"]["fallback"]["challenger"] == {"path": str(tmp_path / "b.onnx"), "kind": "logits"}
