"""The Merkle tree of RFC 6962: hashes, roots, and proofs of inclusion and consistency. Pure arithmetic over SHA-256.

A tree over `size` leaves is asked for its perfect subtrees by `nodes(level, index)`: the hash over leaves [index * 2 ** level,
(index + 1) * 2 ** level). Hashes have 32 bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

from stillwatch.ledger.refusals import ProofError

HASH_BYTES = 32
LONGEST_PATH = 63
"""Hashes of a proof: a log has fewer than 2 ** 63 records."""

EMPTY_ROOT = hashlib.sha256(b"").digest()
Nodes = Callable[[int, int], bytes]


def leaf_hash(record: bytes) -> bytes:
    """Of a record's bytes. Source: RFC 6962, section 2.1."""
    return hashlib.sha256(b"\x00" + record).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Of two subtrees. Source: RFC 6962, section 2.1."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def perfect_root(hashes: Sequence[bytes]) -> bytes:
    """Root over a power of two of hashes, at least one."""
    level = list(hashes)
    sha256 = hashlib.sha256
    while len(level) > 1:
        pairs = iter(level)
        level = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
    return level[0]


def range_root(start: int, end: int, nodes: Nodes) -> bytes:
    """Root over leaves [start, end), where `start` is a multiple of a power of two that is no smaller than the length."""
    if start == end:
        return EMPTY_ROOT
    root: bytes | None = None
    for level, index in reversed(list(_perfect(start, end))):
        found = nodes(level, index)
        root = found if root is None else node_hash(found, root)
    return root or EMPTY_ROOT


def inclusion_path(index: int, size: int, nodes: Nodes) -> list[bytes]:
    """The hashes from the leaf's sibling up to the root's child.

    Raises ProofError for an index outside the tree.

    Source: RFC 6962, section 2.1.1.
    """
    if not 0 <= index < size:
        raise ProofError(f"record {index} is not in a log of {size} records; ask for one that is")
    start, end = 0, size
    path: list[bytes] = []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(range_root(middle, end, nodes))
            end = middle
        else:
            path.append(range_root(start, middle, nodes))
            start = middle
    return path[::-1]


def consistency_path(old: int, new: int, nodes: Nodes) -> list[bytes]:
    """The hashes that show that the tree over the first `old` leaves is a part of the tree over `new` ones.

    Raises ProofError where `old` is not in [0, new].

    Source: RFC 6962, section 2.1.2.
    """
    if not 0 <= old <= new:
        raise ProofError(f"a log of {new} records cannot hold an earlier state of {old}; it was cut back, or it is another log")
    if old in (0, new):
        return []
    start, end, path = 0, new, list[bytes]()
    whole = True
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(range_root(middle, end, nodes))
            end = middle
        else:
            path.append(range_root(start, middle, nodes))
            start, whole = middle, False
    if not whole:
        path.append(range_root(start, end, nodes))
    return path[::-1]


def check_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Nothing where the path shows that `leaf` is the hash of leaf `index` in the tree of that size and root; else ProofError.

    Source: RFC 9162, section 2.1.3.2 (the same trees as RFC 6962).
    """
    if not 0 <= index < size:
        raise ProofError(f"a proof is of record {index}, and its checkpoint is of {size} records; ask for the proof again")
    place, last, found = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise ProofError(f"a proof of record {index} in {size} has {len(path)} hashes, which are too many; ask for the proof again")
        if place & 1 or place == last:
            found = node_hash(sibling, found)
            place, last = _up(place, last)
        else:
            found = node_hash(found, sibling)
        place, last = place >> 1, last >> 1
    if last != 0 or found != root:
        raise ProofError(
            f"the proof does not lead from record {index} to the root of the checkpoint of {size} records: the record, the proof or the "
            "checkpoint is another; compare them with their originals"
        )


def check_consistency(old: int, new: int, path: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Nothing where the path shows that the tree of `old` leaves and root is a part of the tree of `new` ones; else ProofError.

    Source: RFC 9162, section 2.1.4.2.
    """
    failed = ProofError(
        f"the log of {new} records does not hold the one of {old} records that was signed earlier: its past was rewritten, or it was "
        "split in two; keep both checkpoints, they are the proof"
    )
    if not 0 <= old <= new:
        raise ProofError(f"a log of {new} records cannot hold an earlier state of {old}; it was cut back, or it is another log")
    if old in (0, new):
        same = old_root == (new_root if old == new else EMPTY_ROOT)
        if path or not same:
            raise failed
        return
    found = _roots_of_consistency(old, new, [old_root, *path] if old & (old - 1) == 0 else list(path))
    if found != (old_root, new_root):
        raise failed


def _roots_of_consistency(old: int, new: int, path: list[bytes]) -> tuple[bytes, bytes] | None:
    """Both roots that the path leads to; None where it has too few or too many hashes."""
    if not path:
        return None
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old_root = new_root = path[0]
    for sibling in path[1:]:
        if last == 0:
            return None
        if place & 1 or place == last:
            old_root, new_root = node_hash(sibling, old_root), node_hash(sibling, new_root)
            place, last = _up(place, last)
        else:
            new_root = node_hash(new_root, sibling)
        place, last = place >> 1, last >> 1
    return (old_root, new_root) if last == 0 else None


def _up(place: int, last: int) -> tuple[int, int]:
    """Both shifted until `place` is a right child, or the leftmost node."""
    while place and not place & 1:
        place, last = place >> 1, last >> 1
    return place, last


def _split(length: int) -> int:
    """The largest power of two below `length`, which is at least 2."""
    return 1 << ((length - 1).bit_length() - 1)


def _perfect(start: int, end: int) -> Iterator[tuple[int, int]]:
    """(level, index) of the perfect subtrees of [start, end), from the left."""
    while start < end:
        level = (end - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level
