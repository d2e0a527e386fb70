"""The governance file, and the log's records as governance reads them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from stillwatch.app.log_keys import load_signers
from stillwatch.app.private_files import create_private
from stillwatch.app.recording import PATIENCE_S, act, log_box, writing
from stillwatch.errors import SchemaError, UnreadableInputError
from stillwatch.govern.approvals import Recorded
from stillwatch.govern.policy import LARGEST, Act, Policy, parse_policy
from stillwatch.ledger.canonical import read_canonical
from stillwatch.ledger.notes import VerifierKey
from stillwatch.ledger.reading import LogReader
from stillwatch.ledger.refusals import BrokenLogError
from stillwatch.ledger.signing import NoteSigner
from stillwatch.ledger.writing import LogWriter
from stillwatch.records.evidence import ACTS, record_of
from stillwatch.settings import governance_file

SHIPPED = "the shipped policy"


def shipped_text() -> str:
    """The governance file that comes with the program."""
    return (files("stillwatch.govern") / "policy.toml").read_text("utf-8")


def write_policy(out: Path) -> dict[str, str]:
    """A copy of the shipped governance file, to be filled in. OutputError where something is there already."""
    create_private(out, shipped_text())
    return {"file": str(out), "next": "name your people in it, and give it with --governance or STILLWATCH_GOVERNANCE"}


def load_policy(path: Path | None) -> Policy:
    """The policy of a governance file, of the one that STILLWATCH_GOVERNANCE names, or the shipped one, which names nobody.

    Raises UnreadableInputError for a file that cannot be read, PolicyError and PersonError for what it says.
    """
    named = governance_file()
    path = path or (Path(named) if named else None)
    if path is None:
        return parse_policy(shipped_text(), SHIPPED, shipped_text())
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise UnreadableInputError(f"{path} has more than {LARGEST:,} bytes, which no governance file has; name the right one")
        return parse_policy(content.decode(), str(path), shipped_text())
    except OSError as error:
        raise UnreadableInputError(f"{path} cannot be read: {error.strerror}; make one with `stillwatch govern init`") from None
    except UnicodeDecodeError:
        raise UnreadableInputError(f"{path} is not UTF-8 text, as a governance file is; name the right one") from None


def allowed(act: Act, by: str) -> str:
    """Who does it: where a governance file is configured, the person's one spelling, if it lets them; else the name as it is given.

    Raises DeniedError and PersonError as the policy does.
    """
    return load_policy(None).check(act, by) if governance_file() is not None else by


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeper:
    """What acts of governance need: the policy, the log that they are recorded in with its keys, and the time.

    Attributes:
        policy: what is allowed to whom.
        folder: of the log.
        signers: its keys.
        clock: gives the time, UTC.
    """

    policy: Policy
    folder: Path
    signers: tuple[NoteSigner, ...] = field(repr=False)
    clock: Callable[[], datetime]

    @classmethod
    def open(cls, policy: Policy, folder: Path, key: Path | None, clock: Callable[[], datetime]) -> Keeper:
        """The log, seen to take this key. Errors as those of its writer."""
        keeper = cls(policy=policy, folder=folder, signers=load_signers(key), clock=clock)
        with keeper.writing():
            return keeper

    @property
    def keys(self) -> tuple[VerifierKey, ...]:
        """The log's present keys, to read it with."""
        return tuple(signer.verifier for signer in self.signers)

    @contextmanager
    def writing(self) -> Generator[LogWriter]:
        """The log, held alone: what is read of it in the block is still so when something is appended."""
        with writing(self.folder, self.signers, patience_s=PATIENCE_S) as writer:
            yield writer

    def append(self, writer: LogWriter, record: object, *, concerns: tuple[int, ...] = ()) -> int:
        """Record an act; index of its record."""
        return writer.append([act(record, concerns=concerns)], at=self.clock())


def recorded(folder: Path, keys: Sequence[VerifierKey], kinds: Sequence[str] = ()) -> list[Recorded]:
    """The records of these kinds, or all, whose contents were not erased, each seen to open its commitment.

    Raises BrokenLogError for a content that is another than was committed to, SchemaError for one that is no such record.
    """
    from stillwatch.ledger.entries import commitment

    reader = LogReader(folder, keys)
    entries = dict(reader.entries(kinds))
    found: list[Recorded] = []
    with reader.contents(log_box()) as contents:
        for index, salt, content in contents.openings(min(entries, default=0), max(entries, default=-1) + 1):
            entry = entries.get(index)
            if entry is None or (kinds and entry.kind not in kinds) or entry.kind not in ACTS:
                continue
            if commitment(salt, content) != entry.commitment:
                raise BrokenLogError(f"the content of record {index} is not what was committed to; see `stillwatch log verify`")
            record: Any = _record(entry.kind, content, index)
            found.append(Recorded(index=index, at=datetime.fromisoformat(entry.at), record=record, concerns=entry.concerns))
    return found


def _record(kind: str, content: bytes, index: int) -> Any:
    try:
        return record_of(ACTS[kind], read_canonical(content), f"record {index}")
    except SchemaError as error:
        raise SchemaError(f"{error}; it was recorded by another version") from None
