"""Signed notes, checkpoints and cosignatures are those of the C2SP specifications, and nothing else is taken for one."""

from __future__ import annotations

import base64
import pickle
from pathlib import Path

import pytest

from stillwatch.ledger.checkpoints import Checkpoint, _verify, open_checkpoint, parse_checkpoint
from stillwatch.ledger.notes import LARGEST_NOTE, Kind, Note, Signature, parse_key, parse_note
from stillwatch.ledger.refusals import LedgerError, NoteError
from stillwatch.ledger.signing import NoteSigner, parse_signers, sign_note, signers_text
from stillwatch.ledger.witnesses import with_cosignatures

from .conftest import ORIGIN, signers

# c2sp.org/signed-note v1.0.0, the example of its section on verifier keys
VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
NOTE = (
    "This is an example message.\n\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
CHECKPOINT = Checkpoint(origin=ORIGIN, size=20852163, root=bytes(range(32)))
ML_DSA = NoteSigner(ORIGIN, Kind.ML_DSA_44_COSIGNATURE, bytes([7]) * 32)
WITNESS = NoteSigner("witness.example.com/w1", Kind.ED25519_COSIGNATURE, bytes([9]) * 32)
PQ_WITNESS = NoteSigner("witness.example.com/w2", Kind.ML_DSA_44_COSIGNATURE, bytes([8]) * 32)


def _note(*more: NoteSigner) -> bytes:
    return sign_note(CHECKPOINT, (*signers(), *more), time=1679315147).content()


def test_the_specifications_example_verifies_and_reads_back() -> None:
    key, note = parse_key(VKEY), parse_note(NOTE.encode(), "example")
    assert key.text() == VKEY
    assert note.content() == NOTE.encode()
    _verify(note, CHECKPOINT, key, note.signatures[0], "example")
    changed = Note(text=note.text.replace("example", "Example"), signatures=note.signatures)
    with pytest.raises(NoteError, match="wrong"):
        _verify(changed, CHECKPOINT, key, note.signatures[0], "example")


def test_a_checkpoint_is_three_lines_and_its_own_log_s() -> None:
    assert CHECKPOINT.text() == f"{ORIGIN}\n20852163\n{base64.b64encode(bytes(range(32))).decode()}\n"
    opened = open_checkpoint(_note(), [signers()[0].verifier], "x")
    assert opened.checkpoint == CHECKPOINT
    assert opened.signed_by == (signers()[0].verifier,)


def test_the_cosigned_message_is_the_specification_s() -> None:
    opened = open_checkpoint(
        _note(WITNESS, PQ_WITNESS, ML_DSA), [signers()[0].verifier], "x", witnesses=[WITNESS.verifier, PQ_WITNESS.verifier]
    )
    assert opened.witnesses == ((WITNESS.verifier, 1679315147), (PQ_WITNESS.verifier, 1679315147))


def test_a_log_may_sign_with_ml_dsa_as_well_and_either_key_opens() -> None:
    note = _note(ML_DSA)
    assert open_checkpoint(note, [ML_DSA.verifier], "x").signed_by == (ML_DSA.verifier,)
    assert len(open_checkpoint(note, [signers()[0].verifier, ML_DSA.verifier], "x").signed_by) == 2


@pytest.mark.parametrize("place", range(0, 600, 7))
def test_no_changed_byte_is_taken(place: int) -> None:
    note = bytearray(_note(WITNESS))
    place %= len(note)
    note[place] ^= 1
    try:
        found = open_checkpoint(bytes(note), [signers()[0].verifier], "x", witnesses=[WITNESS.verifier])
    except LedgerError:
        return
    # the witness's name or id is another one now: the line is left alone, as that of an unknown key
    assert found.checkpoint == CHECKPOINT
    assert found.witnesses == ()


@pytest.mark.parametrize("cut", [1, 2, 40, 100, 150])
def test_a_note_that_is_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(NoteError):
        open_checkpoint(_note()[:-cut], [signers()[0].verifier], "x")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a\n01\nAAAA\n", "whole number"),
        ("a\n-1\nAAAA\n", "whole number"),
        ("a\n9223372036854775808\nAAAA\n", "whole number"),
        ("a\n\u0661\nAAAA\n", "whole number"),
        ("a\n1\nAAAA\n", "root of 3 bytes"),
        ("a\n1\nAAA=x\n", "Base64"),
        ("a\n1\n", "has 2 lines"),
        ("a\n1\n\nAAAA\n", "no empty line"),
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str, reason: str) -> None:
    with pytest.raises(NoteError, match=reason):
        parse_checkpoint(text, "x")


def test_another_origin_another_key_and_no_signature_are_refused() -> None:
    key = signers()[0].verifier
    other = Checkpoint(origin="example.org/other", size=1, root=bytes(32))
    with pytest.raises(NoteError, match=r"of the log 'example\.org/other'"):
        open_checkpoint(sign_note(other, signers(1, other.origin), time=0).content(), [key], "x")
    with pytest.raises(NoteError, match="trusted are"):
        open_checkpoint(sign_note(CHECKPOINT, signers(2), time=0).content(), [key], "x")
    forged = Signature(name=key.name, key_id=key.key_id, payload=bytes(64))
    with pytest.raises(NoteError, match="wrong"):
        open_checkpoint(Note(text=CHECKPOINT.text(), signatures=(forged,)).content(), [key], "x")


def test_a_known_key_s_wrong_line_refuses_the_whole_note() -> None:
    forged = Signature(name=WITNESS.verifier.name, key_id=WITNESS.verifier.key_id, payload=bytes(72))
    note = Note(text=CHECKPOINT.text(), signatures=(*sign_note(CHECKPOINT, signers(), time=0).signatures, forged))
    assert open_checkpoint(note.content(), [signers()[0].verifier], "x").witnesses == ()
    with pytest.raises(NoteError, match="wrong"):
        open_checkpoint(note.content(), [signers()[0].verifier], "x", witnesses=[WITNESS.verifier])


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"a\n\n", b"a\n\n- x y\n", "a\n\n— x\n".encode(), b"a\xff\n\n", b"\x1b[2J\n\n", b"a" * (LARGEST_NOTE + 1)]
)
def test_what_is_no_note_is_refused_without_a_look_inside(data: bytes) -> None:
    with pytest.raises(NoteError):
        parse_note(data, "x")


def test_too_many_signatures_are_refused() -> None:
    with pytest.raises(NoteError, match="at most 32"):
        parse_note(("a\n\n" + "— a AAAAAAAA\n" * 33).encode(), "x")


@pytest.mark.parametrize(
    "text", ["", "a", "a+b+c", VKEY[:-1], VKEY.replace("530d903a", "530d903b"), VKEY.replace("AekyeR", "BekyeR"), "a b+00000000+AQ=="]
)
def test_what_is_no_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        parse_key(text)


def test_a_private_key_shows_itself_to_nobody_and_reads_back() -> None:
    both = (*signers(), ML_DSA)
    text = signers_text(both)
    assert [key.verifier for key in parse_signers(text, "x")] == [key.verifier for key in both]
    for secret in (text.split("+")[4], "AQEBAQEB"):
        assert secret not in repr(both)
    with pytest.raises(NoteError):
        pickle.dumps(both[0])
    for broken in ("", text.replace("PRIVATE", "PUBLIC"), text + text, text.splitlines()[1], text.replace("+AQ", "+BA"), "PRIVATE+KEY+a+b"):
        with pytest.raises(NoteError) as refused:
            parse_signers(broken, "the key file")
        assert "AQEBAQEB" not in str(refused.value)


def test_a_witness_s_lines_join_the_note_and_others_stay_out() -> None:
    stranger = NoteSigner("witness.example.org", Kind.ED25519_COSIGNATURE, bytes([3]) * 32)
    answer = "".join(key.sign(CHECKPOINT, time=5).line() for key in (stranger, WITNESS)).encode()
    note, opened = with_cosignatures(_note(), answer, [signers()[0].verifier], [WITNESS.verifier], "the witness")
    assert opened.witnesses == ((WITNESS.verifier, 5),)
    assert b"example.org" not in note
    with pytest.raises(NoteError, match="none of which"):
        with_cosignatures(_note(), stranger.sign(CHECKPOINT, time=5).line().encode(), [signers()[0].verifier], [WITNESS.verifier], "w")
    with pytest.raises(NoteError, match="without a time"):
        with_cosignatures(_note(), WITNESS.sign(CHECKPOINT, time=0).line().encode(), [signers()[0].verifier], [WITNESS.verifier], "w")


def test_foreign_text_in_messages_does_nothing(tmp_path: Path) -> None:
    with pytest.raises(NoteError) as refused:
        open_checkpoint("evil\u202e\u2028x\n1\nAAAA\n\n— a AAAAAAAA\n".encode(), [signers()[0].verifier], "x")
    assert str(refused.value).isascii() or "\u202e" not in str(refused.value)
