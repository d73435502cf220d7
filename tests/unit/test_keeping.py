"""Where runs and arrays are kept: what a temper.yaml says, what the environment says, and arrays in a bucket."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import numpy as np
import pytest

from temper.config.keeping import kept_in, kept_of
from temper.config.reading import parse
from temper.core.errors import ConfigError, StoreError
from temper.store import bucket
from temper.store.blobs import Blobs, Damaged
from temper.store.database import Store

fsspec = pytest.importorskip("fsspec")


def test_a_temper_yaml_says_where_and_without_a_word_it_is_beside_it(tmp_path):
    document = parse("store: postgresql://me@db/runs\nblobs: s3://bucket/temper\n", "temper.yaml")
    assert kept_of(document) == ("postgresql://me@db/runs", "s3://bucket/temper")
    assert kept_in(tmp_path) == ("", "")
    with pytest.raises(ConfigError, match=r"temper\.yaml:1: store: 'runs\.db' is no URL"):
        kept_of(parse("store: runs.db\n", "temper.yaml"))


def test_the_environment_is_before_the_file_and_nothing_is_made_where_nothing_was_kept(tmp_path, monkeypatch):
    assert Store.there(tmp_path) is None
    assert not list(tmp_path.iterdir())
    monkeypatch.setenv("TEMPER_BLOBS", "memory://elsewhere")
    assert Store.near(tmp_path, "", "memory://here").bucket == "memory://elsewhere"
    assert Store.there(tmp_path) is not None
    monkeypatch.setenv("TEMPER_STORE", "mysql://db")
    with pytest.raises(StoreError, match="cannot be kept in 'mysql'"):
        Store.near(tmp_path)


@pytest.fixture(params=["file", "memory"])
def blobs(request, tmp_path):
    place = {"file": f"file://{tmp_path}/far", "memory": f"memory://{tmp_path.name}"}[request.param]
    return Blobs(tmp_path / "near", place)


def damage(blobs, name, content):
    """What somebody does who can write to the bucket."""
    files, root = fsspec.core.url_to_fs(blobs.url)
    files.pipe_file(f"{root}/{name[:2]}/{name[2:]}", content)


def test_arrays_come_back_from_a_bucket_and_nothing_is_written_here(blobs):
    array = np.arange(12.0).reshape(3, 4)
    name = blobs.put_array(array)
    assert blobs.put_array(array) == name
    np.testing.assert_array_equal(blobs.get_array(name), array)
    assert not blobs.root.exists()


def test_what_was_torn_or_swapped_in_a_bucket_is_named_and_written_again(blobs):
    name = blobs.put(b"what was measured")
    for wrong in (b"what was meas", b"", b"\x80\x04cos\nsystem\n(S'true'\ntR."):
        damage(blobs, name, wrong)
        with pytest.raises(Damaged, match=f"{name[:12]} was changed"):
            blobs.get(name)
    assert blobs.put(b"what was measured") == name
    assert blobs.get(name) == b"what was measured"
    with pytest.raises(Damaged, match="is missing"):
        blobs.get(sha256(b"else").hexdigest())
    with pytest.raises(StoreError, match="no SHA-256"):
        blobs.get("../../etc/passwd")


def test_many_writers_of_the_same_array_leave_one(blobs):
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(blobs.put, [b"same"] * 12))) == 1
    files, root = fsspec.core.url_to_fs(blobs.url)
    assert len([path for path in files.find(root) if "tmp-" not in path]) == 1


def test_a_bucket_that_fails_is_tried_again_and_its_keys_are_not_told(monkeypatch, tmp_path):
    monkeypatch.setattr(bucket, "PAUSES", (0.0, 0.0))
    memory, fails = fsspec.filesystem("memory"), [OSError("key=secret"), TimeoutError()]
    whole = type(memory).pipe_file

    def flaky(self, *args, **more):
        if fails:
            raise fails.pop()
        return whole(self, *args, **more)

    monkeypatch.setattr(type(memory), "pipe_file", flaky)
    far = Blobs(tmp_path, "memory://flaky")
    assert far.get(far.put(b"x")) == b"x"
    fails += [OSError("key=secret")] * 9
    with pytest.raises(StoreError, match="cannot be reached: OSError") as caught:
        far.put(b"y")
    assert "secret" not in str(caught.value)
    with pytest.raises(StoreError, match="cannot be reached: ValueError"):
        Blobs(tmp_path, "nonsense://secret").put(b"z")


def test_a_store_keeps_its_arrays_in_the_bucket_and_measures_again_what_is_gone(tmp_path):
    store = Store.open(tmp_path, bucket="memory://tasks")
    store.save_task("k", "a", {"n": 1}, {"x": np.arange(5)})
    found = store.task("k")
    assert found is not None
    np.testing.assert_array_equal(found[1]["x"], np.arange(5))
    fsspec.filesystem("memory").rm("/tasks", recursive=True)
    assert store.task("k") is None
