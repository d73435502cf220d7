"""The Merkle tree of transparency logs: roots, and proofs that something is in it or that it only grew.

Source: RFC 9162 (Certificate Transparency 2.0), section 2.1; the tree is that of RFC 6962.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

EMPTY = sha256().digest()
"""The root of a tree without leaves."""


def leaf(record: bytes) -> bytes:
    """The hash of a record. Leaves and nodes begin differently, so that none can pass for the other."""
    return sha256(b"\0" + record).digest()


def node(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees side by side."""
    return sha256(b"\1" + left + right).digest()


class Tree:
    """The root of a growing tree from the roots of its complete subtrees alone, one per set bit of its size.

    >>> tree = Tree()
    >>> tree.extend(leaf(bytes([n])) for n in range(5))
    >>> tree.size, len(tree.peaks), tree.root() == root([leaf(bytes([n])) for n in range(5)])
    (5, 2, True)
    """

    __slots__ = ("peaks", "size")

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        self.size = size
        self.peaks = list(peaks)

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaves at the end: about one more hash for each."""
        peaks, size = self.peaks, self.size
        for found in leaves:
            grown = size
            while grown & 1:
                found = sha256(b"\1" + peaks.pop() + found).digest()  # `node` without the cost of a call
                grown >>= 1
            peaks.append(found)
            size += 1
        self.size = size

    def root(self) -> bytes:
        """The root of what is there now."""
        if not self.peaks:
            return EMPTY
        found = self.peaks[-1]
        for peak in self.peaks[-2::-1]:
            found = node(peak, found)
        return found


def root(leaves: Sequence[bytes]) -> bytes:
    """The root of these leaf hashes."""
    tree = Tree()
    tree.extend(leaves)
    return tree.root()


def inclusion(leaves: Sequence[bytes], at: int) -> list[bytes]:
    """What somebody who holds the root and the leaf `at` needs to see that it is in the tree.

    >>> leaves = [leaf(bytes([n])) for n in range(7)]
    >>> included(leaves[3], 3, 7, inclusion(leaves, 3), root(leaves))
    True
    """
    if not 0 <= at < len(leaves):
        raise IndexError(f"leaf {at} of {len(leaves)}")
    if len(leaves) == 1:
        return []
    half = _split(len(leaves))
    if at < half:
        return [*inclusion(leaves[:half], at), root(leaves[half:])]
    return [*inclusion(leaves[half:], at - half), root(leaves[:half])]


def consistency(leaves: Sequence[bytes], first: int) -> list[bytes]:
    """What somebody who holds the root over the first so many leaves needs to see that the whole tree continues it.

    >>> leaves = [leaf(bytes([n])) for n in range(7)]
    >>> consistent(3, 7, consistency(leaves, 3), root(leaves[:3]), root(leaves))
    True
    """
    if not 0 < first <= len(leaves):
        raise IndexError(f"the first {first} of {len(leaves)}")
    return _consistency(leaves, first, known=True)


def included(hashed: bytes, at: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof shows that the leaf `at` of a tree of this size and root has this hash (RFC 9162, 2.1.3.2)."""
    if not 0 <= at < size:
        return False
    step, last, found = at, size - 1, hashed
    for other in proof:
        if last == 0:
            return False
        if step & 1 or step == last:
            found = node(other, found)
            step, last = _over_zeros(step, last)
        else:
            found = node(found, other)
        step, last = step >> 1, last >> 1
    return last == 0 and found == root


def consistent(first: int, second: int, proof: Sequence[bytes], first_root: bytes, second_root: bytes) -> bool:
    """Whether the proof shows that a tree of `second` leaves begins with the tree of `first` (RFC 9162, 2.1.4.2)."""
    if first == second:
        return not proof and first_root == second_root
    if not 0 < first < second or not proof:
        return False
    path = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    step, last = first - 1, second - 1
    while step & 1:
        step, last = step >> 1, last >> 1
    old = new = path[0]
    for other in path[1:]:
        if last == 0:
            return False
        if step & 1 or step == last:
            old, new = node(other, old), node(other, new)
            step, last = _over_zeros(step, last)
        else:
            new = node(new, other)
        step, last = step >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def _over_zeros(step: int, last: int) -> tuple[int, int]:
    """Up to where the node is a right child again: a last leaf that stands alone goes up without being hashed."""
    while step and not step & 1:
        step, last = step >> 1, last >> 1
    return step, last


def _consistency(leaves: Sequence[bytes], first: int, known: bool) -> list[bytes]:
    if first == len(leaves):
        return [] if known else [root(leaves)]
    half = _split(len(leaves))
    if first <= half:
        return [*_consistency(leaves[:half], first, known), root(leaves[half:])]
    return [*_consistency(leaves[half:], first - half, known=False), root(leaves[:half])]


def _split(size: int) -> int:
    """The largest power of two below the size."""
    return 1 << (size - 1).bit_length() - 1
