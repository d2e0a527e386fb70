"""Keys of evidence logs: made and read as private files, never printed."""

from __future__ import annotations

import secrets
from pathlib import Path

from stillwatch.app.private_files import create_private, read_private
from stillwatch.errors import UnreadableInputError, UsageError
from stillwatch.ledger.notes import Kind, VerifierKey, parse_key
from stillwatch.ledger.signing import SEED_BYTES, NoteSigner, parse_signers, signers_text
from stillwatch.settings import log_key_line

_LARGEST_KEY_FILE = 64 * 1024


def make_signers(out: Path, origin: str, *, ml_dsa: bool) -> tuple[NoteSigner, ...]:
    """A new key for a log of that name, in a new file with mode 0600; with a second, ML-DSA-44 key where asked for."""
    kinds = (Kind.ED25519, Kind.ML_DSA_44_COSIGNATURE) if ml_dsa else (Kind.ED25519,)
    signers = tuple(NoteSigner(origin, kind, secrets.token_bytes(SEED_BYTES)) for kind in kinds)
    create_private(out, signers_text(signers))
    return signers


def load_signers(path: Path | None) -> tuple[NoteSigner, ...]:
    """The keys of a private file, or of the environment where no file is named.

    Raises UsageError where neither is there, UnreadableInputError for a file that others may read, NoteError for another content.
    """
    if path is not None:
        return parse_signers(read_private(path), str(path))
    line = log_key_line()
    if line is None:
        raise UsageError("no key of the log: --log-key names no file and STILLWATCH_LOG_KEY is not set; give the file that `log init` made")
    return parse_signers(line, "STILLWATCH_LOG_KEY")


def read_vkeys(given: list[str]) -> tuple[VerifierKey, ...]:
    """Verifier keys from texts, or from files that hold one on each line. Raises NoteError, UnreadableInputError."""
    return tuple(parse_key(line) for text in given for line in _lines(text))


def _lines(text: str) -> list[str]:
    if "+" in text:
        return [text]
    try:
        with Path(text).open("rb") as file:
            lines = file.read(_LARGEST_KEY_FILE).decode().split("\n")
    except (OSError, UnicodeDecodeError):
        raise UnreadableInputError(f"{text} is neither a verifier key (NAME+ID+KEY) nor a file of such; give one of them") from None
    if not any(line.strip() for line in lines):
        raise UnreadableInputError(f"{text} holds no verifier key, and nothing can be checked with none; give a file of lines NAME+ID+KEY")
    return [line for line in lines if line.strip()]
