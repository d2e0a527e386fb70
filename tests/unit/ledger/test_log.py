"""A log in a folder: what was appended is there, in the form that others read, and one writer at a time adds to it."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey

from stillwatch.errors import OutputError
from stillwatch.ledger.canonical import canonical_json
from stillwatch.ledger.entries import MOST_CONCERNED, PlainEntries, commitment, new_entry
from stillwatch.ledger.merkle import check_consistency, leaf_hash
from stillwatch.ledger.notes import Kind
from stillwatch.ledger.proofs import check_inclusion_proof, parse_consistency, parse_inclusion
from stillwatch.ledger.reading import LogReader
from stillwatch.ledger.refusals import BrokenLogError, BusyLogError, CanonicalError, NoteError, ProofError
from stillwatch.ledger.signing import NoteSigner
from stillwatch.ledger.tiles import tile_path, tiles_of
from stillwatch.ledger.writing import Act, LogWriter, create_log

from .conftest import NOW, ORIGIN, Made, acts, append, signers, sound

KEY = signers()[0].verifier


def test_tile_paths_are_the_specification_s() -> None:
    # c2sp.org/tlog-tiles v0.1.0, "Merkle Tree" and "Partial Tiles"
    assert tile_path(0, 1234067) == "tile/0/x001/x234/067"
    assert tile_path("entries", 273, 112) == "tile/entries/273.p/112"
    found = list(tiles_of(70_000))
    assert [len([1 for level, _, width in found if level == wanted and width == 256]) for wanted in range(3)] == [273, 1, 0]
    assert [(level, index, width) for level, index, width in found if width < 256] == [(0, 273, 112), (1, 1, 17), (2, 0, 1)]
    assert list(tiles_of(256)) == [(0, 0, 256), (1, 0, 1)]


@pytest.mark.parametrize("batches", [(1,), (255,), (256,), (257,), (1, 1, 254, 1), (300, 212, 1000)])
def test_whatever_the_batches_the_log_verifies_and_holds_exactly_what_it_should(
    filled: Callable[..., Made], batches: tuple[int, ...]
) -> None:
    made = filled(*batches)
    size = sum(batches)
    found = sound(made.folder)
    assert (found.checkpoint.size, found.contents, found.erased, found.kinds) == (size, size, 0, {"view": size})
    with LogReader(made.folder, [KEY]).contents() as contents:
        assert [json.loads(content) for _, _, content in contents.openings(0, size)] == [act.content for act in acts(size)]
    expected = {tile_path(*tile) for tile in tiles_of(size)} | {
        tile_path("entries", index, width) for level, index, width in tiles_of(size) if level == 0
    }
    present = {path.relative_to(made.public).as_posix() for path in made.public.rglob("*") if path.is_file()}
    assert expected <= present
    assert not [path for path in present if path.endswith(".partial")]
    # partial tiles go when their full one stands
    full = {path for path in expected if ".p/" not in path}
    assert not [path for path in present if ".p/" in path and path.split(".p/")[0] in full]


@pytest.mark.slow
def test_another_hand_s_reader_finds_the_same_tree(filled: Callable[..., Made]) -> None:
    made = filled(700, 65_000)
    size = 65_700
    other = TilesReader(LocalBackend(made.public))
    checkpoint = other.get_checkpoint()
    checkpoint.verify(Vkey.from_string(KEY.text()))
    reader = LogReader(made.folder, [KEY])
    assert (checkpoint.origin, checkpoint.size) == (ORIGIN, size)
    assert other.calculate_root_hash() == checkpoint.root_hash == reader.opened.checkpoint.root
    for index in (0, 255, 256, 699, 700, 65_535, 65_536, size - 1):
        record = reader.record(index)
        assert other.get_entry(index) == record
        other.get_inclusion_proof(index, size).check(leaf_hash(record), checkpoint.root_hash)
        assert tuple(other.get_inclusion_proof(index, size).node_hashes) == parse_inclusion(reader.prove(index).content(), "x").path
    for old in (1, 255, 256, 700, 65_536, size):
        theirs = other.get_consistency_proof(old, size)
        assert tuple(theirs.node_hashes) == reader.prove_consistency(old).path
        check_consistency(old, size, theirs.node_hashes, other.mth(0, old), checkpoint.root_hash)


def test_another_hand_s_verifiers_take_our_cosignatures(filled: Callable[..., Made]) -> None:
    made = filled(3)
    checkpoint = LogReader(made.folder, [KEY]).opened.checkpoint
    theirs = TilesReader(LocalBackend(made.public)).get_checkpoint()
    for kind in Kind:
        signer = NoteSigner("witness.example.com", kind, bytes([5]) * 32)
        vkey = Vkey.from_string(signer.verifier.text())
        line = signer.sign(checkpoint, time=1_800_000_000)
        vkey.get_verifier().verify(line.payload, theirs)


@pytest.mark.slow
def test_a_proof_reads_few_tiles_and_holds_alone(filled: Callable[..., Made]) -> None:
    made = filled(66_000)
    for index in (0, 12_345, 65_999):
        reader = LogReader(made.folder, [KEY])
        text = reader.prove(index).content()
        assert len(reader.nodes.touched) <= 5  # at most two tiles of each of three levels
        proof = parse_inclusion(text, "x")
        assert proof.extra is not None
        assert check_inclusion_proof(proof, proof.extra, [KEY], "x").checkpoint.size == 66_000
        with pytest.raises(ProofError):
            check_inclusion_proof(proof, proof.extra + b" ", [KEY], "x")


def test_a_proof_s_text_is_the_specification_s(filled: Callable[..., Made]) -> None:
    lines = LogReader(filled(5).folder, [KEY]).prove(4).content().decode().split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    assert lines[1].startswith("extra ")
    assert lines[2] == "index 4"
    assert (lines[4], lines[5], lines[6]) == ("", ORIGIN, "5")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"@v1", b"@v2", "first line"),
        (b"index 3", b"index 03", "whole number"),
        (b"index 3", b"index 5", "does not lead"),
        (b"index 3\n", b"", "no index"),
        (b"\n\n", b"\n", "not the Base64"),
        (b"index 3\n", b"index 3\nAAAA\n", "3 bytes"),
        (b"index 3\n", b"index 3\n" + b"A" * 43 + b"=\n", "too many"),
    ],
)
def test_what_is_no_proof_is_refused(filled: Callable[..., Made], old: bytes, new: bytes, reason: str) -> None:
    text = LogReader(filled(8).folder, [KEY]).prove(3).content()
    assert old in text
    with pytest.raises(ProofError, match=reason):
        _checked(text.replace(old, new, 1))


def _checked(text: bytes) -> None:
    proof = parse_inclusion(text, "x")
    check_inclusion_proof(proof, proof.extra or b"", [KEY], "x")


def test_a_consistency_proof_is_what_a_witness_takes(filled: Callable[..., Made]) -> None:
    text = LogReader(filled(6).folder, [KEY]).prove_consistency(3).content()
    assert text.startswith(b"old 3\n")
    assert parse_consistency(text, "x").old == 3
    for broken in (b"old x\n\na", text.replace(b"old 3", b"new 3"), text[:20]):
        with pytest.raises(ProofError):
            parse_consistency(broken, "x")


def test_two_writers_at_once_are_refused_and_the_first_goes_on(empty: Made) -> None:
    with LogWriter(empty.folder, signers()) as writer:
        writer.append(acts(1), at=NOW)
        with pytest.raises(BusyLogError, match="another process writes"), LogWriter(empty.folder, signers()):
            pass
        writer.append(acts(1), at=NOW)
    append(empty.folder, 1)
    assert sound(empty.folder).checkpoint.size == 3


def test_another_key_and_another_log_s_key_append_nothing(filled: Callable[..., Made]) -> None:
    made = filled(2)
    for given in (signers(2), signers(1, "example.org/other")):
        with pytest.raises(NoteError, match="not the one in use"), LogWriter(made.folder, given):
            pass
    assert sound(made.folder).checkpoint.size == 2


def test_contents_are_private_and_the_rest_may_be_served(filled: Callable[..., Made]) -> None:
    made = filled(300)
    assert stat.S_IMODE((made.folder / "private").stat().st_mode) == 0o700
    assert stat.S_IMODE(made.contents.stat().st_mode) == 0o600
    served = b"".join(path.read_bytes() for path in made.public.rglob("*") if path.is_file())
    assert b"analyst" not in served
    made.contents.chmod(0o644)
    with pytest.raises(Exception, match="may be used by others"), LogWriter(made.folder, signers()):
        pass


def test_nothing_is_made_over_anything(tmp_path: Path, empty: Made) -> None:
    (tmp_path / "file").write_text("x")
    for folder in (empty.folder, tmp_path, tmp_path / "file"):
        with pytest.raises(OutputError):
            create_log(folder, signers(), at=NOW)


def test_equal_contents_have_unlike_commitments(empty: Made) -> None:
    with LogWriter(empty.folder, signers()) as writer:
        writer.append([Act(kind="view", content={"a": 1})] * 50, at=NOW)
    assert len({entry.commitment for _, entry in LogReader(empty.folder, [KEY]).entries()}) == 50


def test_fast_entries_are_the_entries() -> None:
    committed = commitment(bytes(32), b"x")
    assert PlainEntries(NOW).record("view", committed) == new_entry("view", NOW, committed).content()
    with pytest.raises(CanonicalError):
        PlainEntries(NOW).record('x"y', committed)


def test_what_cannot_be_recorded_leaves_nothing(empty: Made) -> None:
    with LogWriter(empty.folder, signers()) as writer:
        writer.append(acts(2), at=NOW)
        wrong = [
            Act(kind="view", content={"a": float("nan")}),
            Act(kind="No kind", content={}),
            Act(kind="hold", content={}, concerns=(2,)),
            Act(kind="hold", content={}, concerns=tuple(range(MOST_CONCERNED + 1))),
            Act(kind="view", content="x" * (16 * 2**20)),
        ]
        for act in wrong:
            with pytest.raises(CanonicalError):
                writer.append([*acts(3), act], at=NOW)
        writer.append(acts(1), at=NOW)
    assert sound(empty.folder).checkpoint.size == 3


def test_erased_contents_are_gone_from_the_file_and_the_log_verifies(empty: Made) -> None:
    marks = [f"secret-{number}-".encode() * 30 for number in range(40)]
    with LogWriter(empty.folder, signers()) as writer:
        writer.append([Act(kind="view", content={"text": mark.decode()}) for mark in marks], at=NOW)
        writer.append([Act(kind="erasure", content={"why": "asked"}, concerns=(3, 7))], at=NOW, erases=(3, 7))
    stored = b"".join(path.read_bytes() for path in (empty.folder / "private").iterdir())
    assert [mark in stored for mark in marks] == [number not in (3, 7) for number in range(40)]
    found = sound(empty.folder)
    assert (found.contents, found.erased, found.unfinished) == (39, 2, ())


def test_a_content_that_is_gone_without_a_record_is_named(filled: Callable[..., Made]) -> None:
    import sqlite3

    made = filled(10)
    with sqlite3.connect(made.contents) as base:
        base.execute("DELETE FROM contents WHERE idx = 4")
    with pytest.raises(BrokenLogError, match="no record says that they were erased, first 4"):
        sound(made.folder)


def test_a_change_of_keys_is_followed_from_the_old_one(filled: Callable[..., Made]) -> None:
    made = filled(5)
    for old, new in ((1, 2), (2, 3)):
        with LogWriter(made.folder, signers(old)) as writer:
            writer.rotate(signers(new), Act(kind="key_rotation", content={"by": "x", "why": "y"}), at=NOW)
            writer.append(acts(4), at=NOW)
    for seed in (1, 2, 3):
        assert sound(made.folder, signers(seed)[0].verifier).checkpoint.size == 15
    with pytest.raises(NoteError, match="not the one in use"), LogWriter(made.folder, signers(2)):
        pass
    with pytest.raises(NoteError):
        sound(made.folder, signers(4)[0].verifier)


def test_an_old_key_signs_nothing_after_it_was_replaced(filled: Callable[..., Made]) -> None:
    from stillwatch.ledger.signing import sign_note

    made = filled(5)
    with LogWriter(made.folder, signers(1)) as writer:
        writer.rotate(signers(2), Act(kind="key_rotation", content={"by": "x", "why": "y"}), at=NOW)
        writer.append(acts(4), at=NOW)
    now = LogReader(made.folder, [KEY]).opened.checkpoint
    (made.public / "checkpoint").write_bytes(sign_note(now, signers(1), time=0).content())
    with pytest.raises(NoteError):
        sound(made.folder)


def test_a_reader_that_began_before_goes_on_while_the_log_grows(filled: Callable[..., Made]) -> None:
    made = filled(200)
    reader = LogReader(made.folder, [KEY])
    append(made.folder, 300, start=200)
    assert not (made.public / "tile/0/000.p").exists()
    assert len(list(reader.entries())) == 200
    reader.prove(150)


def test_canonical_contents_are_what_is_committed_to(filled: Callable[..., Made]) -> None:
    made = filled(3)
    reader = LogReader(made.folder, [KEY])
    with reader.contents() as contents:
        for index, salt, content in contents.openings(0, 3):
            assert content == canonical_json(acts(3)[index].content)
            assert commitment(salt, content) == reader.entry(index).commitment
