"""The Merkle tree against its recursive definition and against the published vectors of certificate transparency."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from temper.store.ledger.tree import EMPTY, Tree, consistency, consistent, included, inclusion, leaf, node, root

# RFC 6962 test data of the certificate-transparency reference implementation.
RECORDS = [bytes.fromhex(text) for text in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
# The hashes of inner nodes that the published proofs are made of.
H01, H23, H45, H67 = (
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
)
H03, H47 = (
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
)
L1 = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
L4 = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
L0 = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
INCLUSIONS = [
    (0, 1, []),
    (0, 2, [L1]),
    (1, 2, [L0]),
    (0, 8, [L1, H23, H47]),
    (5, 8, [L4, H67, H03]),
    (2, 3, [H01]),
    (1, 5, [L0, H23, L4]),
]
CONSISTENCIES = [
    (1, 1, []),
    (1, 8, [L1, H23, H47]),
    (6, 8, [H45, H67, H03]),
    (2, 5, [H23, L4]),
    (2, 8, [H23, H47]),
]
LEAVES = [leaf(record) for record in RECORDS]
many = st.lists(st.binary(max_size=40), min_size=1, max_size=70)


def defined(records):
    """RFC 9162, 2.1.1, word for word."""
    if not records:
        return sha256(b"").digest()
    if len(records) == 1:
        return sha256(b"\x00" + records[0]).digest()
    half = 1
    while half * 2 < len(records):
        half *= 2
    return sha256(b"\x01" + defined(records[:half]) + defined(records[half:])).digest()


@pytest.mark.parametrize("size", range(9))
def test_published_roots(size):
    assert root(LEAVES[:size]).hex() == ROOTS[size]


@pytest.mark.parametrize(("at", "size", "path"), INCLUSIONS)
def test_published_inclusion_proofs(at, size, path):
    assert [one.hex() for one in inclusion(LEAVES[:size], at)] == path
    assert included(LEAVES[at], at, size, [bytes.fromhex(one) for one in path], bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("first", "size", "path"), CONSISTENCIES)
def test_published_consistency_proofs(first, size, path):
    assert [one.hex() for one in consistency(LEAVES[:size], first)] == path
    roots = bytes.fromhex(ROOTS[first]), bytes.fromhex(ROOTS[size])
    assert consistent(first, size, [bytes.fromhex(one) for one in path], *roots)


@pytest.mark.parametrize("size", range(70))
def test_grown_by_any_steps_the_root_is_the_defined_one(size):
    records = [bytes([n, n]) for n in range(size)]
    tree = Tree()
    for step in (records[: size // 3], records[size // 3 : size // 2], records[size // 2 :]):
        tree = Tree(tree.size, tree.peaks)
        tree.extend(map(leaf, step))
    assert tree.root() == defined(records)
    assert tree.size == size
    assert len(tree.peaks) == size.bit_count()


def test_a_tree_without_leaves():
    assert Tree().root() == EMPTY == root([])


@pytest.mark.parametrize("size", range(1, 34))
def test_every_proof_of_every_small_tree(size):
    leaves = [leaf(bytes([n])) for n in range(size)]
    whole = root(leaves)
    for at in range(size):
        assert included(leaves[at], at, size, inclusion(leaves, at), whole)
        first = at + 1
        assert consistent(first, size, consistency(leaves, first), root(leaves[:first]), whole)


@given(records=many, data=st.data())
def test_a_proof_of_inclusion_shows_nothing_else(records, data):
    leaves = [leaf(record) for record in records]
    size, at = len(leaves), data.draw(st.integers(0, len(leaves) - 1))
    proof, whole = inclusion(leaves, at), root(leaves)
    assert included(leaves[at], at, size, proof, whole)
    assert not included(leaf(b"other" + records[at]), at, size, proof, whole)
    assert not included(leaves[at], at, size, proof, leaf(whole))
    assert not included(leaves[at], at, size, [*proof, whole], whole)
    assert not included(leaves[at], size, size, proof, whole)
    assert not included(leaves[at], -1, size, proof, whole)
    if proof:
        assert not included(leaves[at], at, size, proof[:-1], whole)
        spoilt = data.draw(st.integers(0, len(proof) - 1))
        assert not included(leaves[at], at, size, [*proof[:spoilt], EMPTY, *proof[spoilt + 1 :]], whole)


@given(records=many, data=st.data())
def test_a_proof_of_consistency_shows_nothing_else(records, data):
    leaves = [leaf(record) for record in records]
    size, first = len(leaves), data.draw(st.integers(1, len(leaves)))
    proof, old, new = consistency(leaves, first), root(leaves[:first]), root(leaves)
    assert consistent(first, size, proof, old, new)
    assert not consistent(first, size, proof, leaf(old), new)
    assert not consistent(first, size, proof, old, leaf(new))
    assert not consistent(first, size, [*proof, old], old, new)
    assert not consistent(0, size, proof, EMPTY, new)
    assert not consistent(size + 1, size, proof, old, new)
    for at in range(len(proof)):
        assert not consistent(first, size, [*proof[:at], EMPTY, *proof[at + 1 :]], old, new)


def test_a_log_that_forgot_a_record_has_no_proof_of_consistency():
    old = [leaf(bytes([n])) for n in range(9)]
    new = [*old[:4], *old[5:], *(leaf(bytes([n])) for n in range(9, 15))]
    assert not consistent(9, len(new), consistency(new, 9), root(old), root(new))


@pytest.mark.parametrize("at", [-1, 3, 100])
def test_no_proof_of_what_is_not_there(at):
    with pytest.raises(IndexError):
        inclusion(LEAVES[:3], at)
    with pytest.raises(IndexError):
        consistency(LEAVES[:3], at if at != 3 else 0)


def test_a_node_is_no_leaf():
    assert node(b"a" * 32, b"b" * 32) != leaf(b"a" * 32 + b"b" * 32)
