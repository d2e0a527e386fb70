"""Outsiders who vouch for a checkpoint: a time-stamp authority and a witness, played on this machine."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from stillwatch.app.anchoring import AnchorError, anchor_in_time, anchor_with_witness
from stillwatch.app.log_checking import Trust, check_log
from stillwatch.cli import main
from stillwatch.ledger.checkpoints import Checkpoint, open_checkpoint
from stillwatch.ledger.merkle import check_consistency
from stillwatch.ledger.notes import Kind, Note
from stillwatch.ledger.proofs import parse_consistency
from stillwatch.ledger.reading import LogReader
from stillwatch.ledger.refusals import BrokenLogError, NoteError, ProofError
from stillwatch.ledger.signing import NoteSigner

from .conftest import NOW, Made, append, signers

KEY = signers()[0].verifier
WITNESS = NoteSigner("witness.example.com/w1", Kind.ED25519_COSIGNATURE, bytes([9]) * 32)
PQ_WITNESS = NoteSigner("witness.example.com/w2", Kind.ML_DSA_44_COSIGNATURE, bytes([8]) * 32)
Answer = Callable[[str, bytes], tuple[int, bytes]]


@contextmanager
def served(answer: Answer) -> Iterator[str]:
    """An HTTP server on this machine that answers posts; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, content = answer(self.path, body)
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "http://127.0.0.1:9/")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


class Witness:
    """A witness as c2sp.org/tlog-witness v1.0.0 describes it, for one log."""

    def __init__(self, signer: NoteSigner) -> None:
        self.signer, self.size, self.root = signer, 0, b""
        self.asked: list[int] = []

    def __call__(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Its answer to add-checkpoint."""
        assert path == "/add-checkpoint"
        proof = parse_consistency(body, "request")
        checkpoint = open_checkpoint(proof.note, [KEY], "request").checkpoint
        self.asked.append(proof.old)
        if proof.old != self.size:
            return 409, f"{self.size}\n".encode()
        try:
            if self.size:
                check_consistency(self.size, checkpoint.size, proof.path, self.root, checkpoint.root)
        except ProofError:
            return 422, b"inconsistent"
        self.size, self.root = checkpoint.size, checkpoint.root
        return 200, self.signer.sign(checkpoint, time=1_800_000_000).line().encode()


@pytest.mark.parametrize("signer", [WITNESS, PQ_WITNESS])
def test_a_witness_cosigns_growing_states_and_its_lines_are_verified(filled: Callable[..., Made], signer: NoteSigner) -> None:
    made = filled(3)
    witness = Witness(signer)
    with served(witness) as url:
        assert anchor_with_witness(made.folder, url, signer.verifier, [KEY])["size"] == 3
        append(made.folder, 300)
        anchor_with_witness(made.folder, url + "/", signer.verifier, [KEY])
    assert witness.asked == [0, 3]
    found = check_log(made.folder, Trust(keys=(KEY,), witnesses=(signer.verifier,), quorum=1), contents=True)
    assert found.cosigned == ((3, signer.verifier.name, 1_800_000_000), (303, signer.verifier.name, 1_800_000_000))
    assert found.verified.earlier == 2
    append(made.folder, 1)
    # proofs carry the newest cosigned checkpoint that covers the record
    note = LogReader(made.folder, [KEY]).prove(2).note
    assert open_checkpoint(note, [KEY], "x", witnesses=[signer.verifier]).witnesses


@pytest.mark.slow
def test_two_witnesses_make_a_quorum_and_one_does_not(filled: Callable[..., Made]) -> None:
    made = filled(3)
    with served(Witness(WITNESS)) as url:
        anchor_with_witness(made.folder, url, WITNESS.verifier, [KEY])
    trust = Trust(keys=(KEY,), witnesses=(WITNESS.verifier, PQ_WITNESS.verifier), quorum=2)
    with pytest.raises(ProofError, match="1 of the witnesses named cosigned the checkpoint of 3 records, 2 were asked for"):
        check_log(made.folder, trust, contents=False)
    with served(Witness(PQ_WITNESS)) as url:
        anchor_with_witness(made.folder, url, PQ_WITNESS.verifier, [KEY])
    assert len(check_log(made.folder, trust, contents=False).cosigned) == 2


def test_a_witness_that_has_seen_more_than_the_log_tells_of_a_roll_back(filled: Callable[..., Made], tmp_path: Path) -> None:
    made = filled(3)
    shutil.copytree(made.folder, tmp_path / "old")
    append(made.folder, 4)
    witness = Witness(WITNESS)
    with served(witness) as url:
        anchor_with_witness(made.folder, url, WITNESS.verifier, [KEY])
        with pytest.raises(ProofError, match="rolled back"):
            anchor_with_witness(tmp_path / "old", url, WITNESS.verifier, [KEY])
        append(tmp_path / "old", 9, start=50)
        with pytest.raises(AnchorError, match="refused with HTTP status 422"):
            anchor_with_witness(tmp_path / "old", url, WITNESS.verifier, [KEY])


@pytest.mark.parametrize(
    ("answer", "error", "reason"),
    [
        (lambda *_: (200, b""), NoteError, "0 signature lines"),
        (lambda *_: (200, b"x" * 100_000), AnchorError, "longer than"),
        (lambda *_: (302, b""), AnchorError, "status 302"),
        (lambda *_: (409, b"7x"), NoteError, "whole number"),
        (lambda *_: (409, b"2\n"), AnchorError, "another size each time"),
        (lambda *_: (404, b"\x1b[2Jno such log"), AnchorError, "status 404"),
        (
            lambda *_: (200, Note(text="a\n", signatures=(signers()[0].sign(_ANY, time=0),)).content()),
            NoteError,
            "signature line that is none",
        ),
        (lambda *_: (200, WITNESS.sign(_ANY, time=5).line().encode()), NoteError, "wrong"),
    ],
)
def test_a_witness_that_lies_or_floods_changes_nothing(
    filled: Callable[..., Made], answer: Answer, error: type[Exception], reason: str
) -> None:
    made = filled(3)
    with served(answer) as url, pytest.raises(error, match=reason) as refused:
        anchor_with_witness(made.folder, url, WITNESS.verifier, [KEY])
    assert "\x1b" not in str(refused.value)
    assert not (made.public / "witnessed").exists()


_ANY = Checkpoint(origin=KEY.name, size=3, root=bytes(32))


def test_nobody_there_is_said(filled: Callable[..., Made]) -> None:
    with pytest.raises(AnchorError, match="did not answer"):
        anchor_with_witness(filled(1).folder, "http://127.0.0.1:9", WITNESS.verifier, [KEY])
    with pytest.raises(NoteError, match="no cosignatures"):
        anchor_with_witness(filled(1).folder, "http://127.0.0.1:9", KEY, [KEY])


def _certificate(name: str, issuer: tuple[x509.Name, rsa.RSAPrivateKey] | None, key: rsa.RSAPrivateKey) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    day = dt.timedelta(days=1)
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer[0] if issuer else subject).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - day).not_valid_after(now + day)
    builder = builder.add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    if issuer:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256())


class Authority:
    """A time-stamp authority (RFC 3161) out of OpenSSL's."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        root_key, key = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
        root = _certificate("Test root", None, root_key)
        leaf = _certificate("Test authority", (root.subject, root_key), key)
        pem = serialization.Encoding.PEM
        (folder / "root.pem").write_bytes(root.public_bytes(pem))
        (folder / "leaf.pem").write_bytes(leaf.public_bytes(pem))
        (folder / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        (folder / "conf").write_text(
            "[tsa]\ndefault_tsa = it\n[it]\nserial = serial\nsigner_cert = leaf.pem\nsigner_key = key.pem\nsigner_digest = sha256\n"
            "default_policy = 1.2.3.4\ndigests = sha256\ness_cert_id_alg = sha256\n"
        )

    @property
    def root(self) -> Path:
        """Its root certificate."""
        return self.folder / "root.pem"

    def __call__(self, _: str, body: bytes) -> tuple[int, bytes]:
        """Its answer to a request."""
        (self.folder / "request").write_bytes(body)
        command = ["openssl", "ts", "-reply", "-config", "conf", "-queryfile", "request", "-out", "reply"]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)
        return 200, (self.folder / "reply").read_bytes()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority; the test is left out where no OpenSSL is there to play it."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl plays the authority, and it is not installed")
    return Authority(tmp_path_factory.mktemp("tsa") / "authority")


@pytest.mark.slow
def test_a_time_stamp_is_asked_for_kept_and_verified(
    filled: Callable[..., Made], authority: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    made = filled(3)
    with served(authority) as url:
        arguments = ["log", "anchor", str(made.folder), "--tsa", url, "--tsa-root", str(authority.root), "--vkey", KEY.text(), "--json"]
        assert main(arguments) == 0
    said = json.loads(capsys.readouterr().out)["timestamp"]
    assert (said["size"], said["authority"]) == (3, "CN=Test authority")
    append(made.folder, 2)
    found = check_log(made.folder, Trust(keys=(KEY,), roots=authority.root), contents=True)
    ((size, stamp),) = found.stamps
    assert size == 3
    assert abs((stamp.at - dt.datetime.now(dt.UTC)).total_seconds()) < 300
    assert stamp.at != NOW
    assert "not checked" in check_log(made.folder, Trust(keys=(KEY,)), contents=True).unchecked[0]


@pytest.mark.slow
def test_a_time_stamp_of_something_else_is_refused(filled: Callable[..., Made], authority: Authority, tmp_path: Path) -> None:
    made = filled(3)
    with served(authority) as url:
        anchor_in_time(made.folder, url, authority.root, [KEY])
        kept = made.public / "timestamps/3.tsr"
        of_three = kept.read_bytes()
        append(made.folder, 1)
        anchor_in_time(made.folder, url, authority.root, [KEY])
    other = Authority(tmp_path / "other")
    trust = Trust(keys=(KEY,), roots=authority.root)
    with pytest.raises(ProofError, match="under the roots given"):
        check_log(made.folder, Trust(keys=(KEY,), roots=other.root), contents=False)
    for broken in ((made.public / "timestamps/4.tsr").read_bytes(), of_three[:-10], b"", b"\x30\x03\x02\x01\x02"):
        kept.write_bytes(broken)
        with pytest.raises(ProofError):
            check_log(made.folder, trust, contents=False)
    kept.unlink()
    with pytest.raises(BrokenLogError, match=r"3\.tsr is missing"):
        check_log(made.folder, trust, contents=False)


@pytest.mark.slow
def test_an_old_answer_of_the_authority_is_not_taken_again(filled: Callable[..., Made], authority: Authority) -> None:
    made = filled(3)
    answers: list[tuple[int, bytes]] = []

    def replaying(path: str, body: bytes) -> tuple[int, bytes]:
        answers.append(answers[0] if answers else authority(path, body))
        return answers[-1]

    with served(replaying) as url:
        anchor_in_time(made.folder, url, authority.root, [KEY])
        with pytest.raises(ProofError, match="Nonce"):
            anchor_in_time(made.folder, url, authority.root, [KEY])
