"""Trees, roots and proofs are those of RFC 6962."""

from __future__ import annotations

import hashlib

import pytest

from stillwatch.ledger.growing import GrowingTree
from stillwatch.ledger.merkle import (
    EMPTY_ROOT,
    check_consistency,
    check_inclusion,
    consistency_path,
    inclusion_path,
    leaf_hash,
    perfect_root,
    range_root,
)
from stillwatch.ledger.refusals import ProofError

# The records that implementations of RFC 6962 hold each other against, and the roots of their first 1 to 8.
RECORDS = [
    bytes.fromhex(text) for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def nodes(leaves: list[bytes]):
    """Perfect subtrees over leaf hashes."""
    return lambda level, index: perfect_root(leaves[index << level : (index + 1) << level])


LEAVES = [leaf_hash(record) for record in RECORDS]


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_the_known_ones(size: int) -> None:
    assert range_root(0, size, nodes(LEAVES)).hex() == ROOTS[size - 1]
    tree = GrowingTree()
    assert list(tree.extend(LEAVES[:size])) == []
    assert tree.root().hex() == ROOTS[size - 1]


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert hashlib.sha256().digest() == EMPTY_ROOT
    assert GrowingTree().root() == EMPTY_ROOT


def test_the_shapes_of_the_rfcs_example_proofs() -> None:
    # RFC 6962, section 2.1.3: over seven leaves
    leaves = LEAVES[:7]
    a, b, c, d, e, f, j = leaves
    g, h, i = (perfect_root(pair) for pair in ([a, b], [c, d], [e, f]))
    k, m = perfect_root([g, h]), perfect_root([i, j])
    tree = nodes(leaves)
    assert inclusion_path(0, 7, tree) == [b, h, m]
    assert inclusion_path(3, 7, tree) == [c, g, m]
    assert inclusion_path(4, 7, tree) == [f, j, k]
    assert inclusion_path(6, 7, tree) == [i, k]
    assert consistency_path(3, 7, tree) == [c, d, g, m]
    assert consistency_path(4, 7, tree) == [m]
    assert consistency_path(6, 7, tree) == [i, j, k]


def test_every_proof_of_every_small_tree_holds_and_no_other() -> None:
    leaves = [leaf_hash(bytes([number])) for number in range(40)]
    tree = nodes(leaves)
    roots = [range_root(0, size, tree) for size in range(41)]
    for size in range(1, 41):
        for index in range(size):
            path = inclusion_path(index, size, tree)
            check_inclusion(leaves[index], index, size, path, roots[size])
            for wrong in ((leaves[index], index + 1, path), (leaves[index - 1], index, path), (leaves[index], index, path[:-1])):
                if size > 1:
                    with pytest.raises(ProofError):
                        check_inclusion(wrong[0], wrong[1], size, wrong[2], roots[size])
        for old in range(size + 1):
            path = consistency_path(old, size, tree)
            check_consistency(old, size, path, roots[old], roots[size])
            with pytest.raises(ProofError):
                check_consistency(old, size, [*path, leaves[0]], roots[old], roots[size])
            with pytest.raises(ProofError):
                check_consistency(old, size, path, leaves[1], roots[size])
            if 0 < old < size:
                with pytest.raises(ProofError):
                    check_consistency(old, size, path[:-1], roots[old], roots[size])
                with pytest.raises(ProofError):
                    check_consistency(old, size, path, roots[old], roots[size - 1])


@pytest.mark.parametrize(("index", "size"), [(-1, 4), (4, 4), (0, 0)])
def test_a_record_outside_the_log_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(ProofError):
        inclusion_path(index, size, nodes(LEAVES))
    with pytest.raises(ProofError):
        check_inclusion(LEAVES[0], index, size, [], LEAVES[0])


def test_a_log_cannot_hold_more_than_it_has() -> None:
    with pytest.raises(ProofError, match="cut back"):
        consistency_path(5, 4, nodes(LEAVES))
    with pytest.raises(ProofError, match="cut back"):
        check_consistency(5, 4, [], LEAVES[0], LEAVES[0])
