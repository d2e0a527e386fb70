"""A sealed case verified in twelve numbered steps; the first that fails ends it. Pure: bytes and keys in, a result out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stillwatch.ledger.checkpoints import Opened
from stillwatch.ledger.notes import VerifierKey
from stillwatch.sealing.commitments import evidence_hash
from stillwatch.sealing.container import CHECKPOINT, ENVELOPE, NARRATIVE, exhibit_member, unpack
from stillwatch.sealing.custody import check_chain
from stillwatch.sealing.envelope import Envelope, check_keys, check_signatures, check_signers, opened
from stillwatch.sealing.numbers import NotComputableError, Table, recomputed
from stillwatch.sealing.refusals import RefusedCaseError
from stillwatch.sealing.verification.log import check_proof, read_checkpoint
from stillwatch.sealing.verification.members import check_members
from stillwatch.sealing.verification.narrative import check_narrative
from stillwatch.sealing.verification.rows import check_file, read_rows
from stillwatch.sealing.verification.statement import read_statement

STEPS = (
    "archive",
    "envelope",
    "key",
    "signature",
    "statement",
    "members",
    "checkpoint",
    "proofs",
    "exhibits",
    "numbers",
    "custody",
    "narrative",
)
VERIFIED, UNKNOWN_SIGNER, REFUSED = "verified", "unknown signer", "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step that was taken: its number from 1, its name, and what was seen; `failure` where it failed."""

    number: int
    name: str
    seen: str
    failure: RefusedCaseError | None = None


@dataclass(slots=True, kw_only=True)
class Verification:
    """What was found.

    Attributes:
        verdict: `verified`; `unknown signer` where all holds and no key was given to compare; `refused`.
        steps: that were taken, in order; the last one failed where the verdict is `refused`.
        statement: once its signature was checked.
        numbers: uid to `recomputed`, `withheld` or `stated`.
        signer: key that signed.
    """

    verdict: str = REFUSED
    steps: list[Step] = field(default_factory=list[Step])
    statement: Mapping[str, Any] = field(default_factory=dict[str, Any])
    numbers: dict[str, str] = field(default_factory=dict[str, str])
    signer: VerifierKey | None = None

    @property
    def failure(self) -> RefusedCaseError | None:
        """Why it was refused."""
        return self.steps[-1].failure if self.steps else None


def verify_case(data: bytes, trusted: Sequence[VerifierKey]) -> Verification:
    """Take all steps, or stop at the first that fails.

    Args:
        data: the file.
        trusted: verifier keys of the log, from whom one trusts; none: the file's own are used, and the verdict says so.
    """
    walk = _Walk(data, trusted)
    found = walk.found
    for number, name in enumerate(STEPS, 1):
        take: Callable[[], str] = getattr(walk, name)
        try:
            found.steps.append(Step(number=number, name=name, seen=take()))
        except RefusedCaseError as failure:
            found.steps.append(Step(number=number, name=name, seen=str(failure), failure=failure))
            return found
    found.verdict = VERIFIED if trusted else UNKNOWN_SIGNER
    return found


class _Walk:
    """The steps; each leaves what the later ones need."""

    def __init__(self, data: bytes, trusted: Sequence[VerifierKey]) -> None:
        self.found = Verification()
        self._data, self._trusted = data, tuple(trusted)
        self._members: dict[str, bytes] = {}
        self._envelope: Envelope
        self._opened: Opened
        self._predicate: Mapping[str, Any] = {}
        self._tables: dict[str, Table] = {}

    def archive(self) -> str:
        self._members = unpack(self._data)
        if ENVELOPE not in self._members:
            raise RefusedCaseError("member-missing", "the archive", expected=ENVELOPE, got="no such member")
        return f"{len(self._members)} members in the one form"

    def envelope(self) -> str:
        self._envelope = opened(self._members[ENVELOPE])
        self.found.signer = self._envelope.signatures[0][0]
        return f"{len(self._envelope.signatures)} signatures over {len(self._envelope.payload)} bytes"

    def key(self) -> str:
        name = ascii(self._envelope.signatures[0][0].text())
        if not self._trusted:
            return f"no key was given to compare; the file names {name}"
        check_keys(self._envelope, self._trusted)
        return f"the key that was given: {name}"

    def signature(self) -> str:
        check_signatures(self._envelope)
        return "the statement is what was signed"

    def statement(self) -> str:
        self.found.statement = read_statement(self._envelope.payload)
        self._predicate = self.found.statement["predicate"]
        check_signers(self._predicate["log"]["keys"], self._envelope)
        return ", ".join(f"{len(self._predicate[name])} {name}" for name in ("claims", "numbers", "exhibits"))

    def members(self) -> str:
        check_members(self.found.statement, self._members)
        return f"{len(self._members) - 1} members, each with the sha256 that was signed"

    def checkpoint(self) -> str:
        keys = [key for key, _ in self._envelope.signatures]
        self._opened = read_checkpoint(self._members[CHECKPOINT], keys, self._predicate["log"])
        return f"the log had {self._opened.checkpoint.size} records"

    def proofs(self) -> str:
        for exhibit in self._predicate["exhibits"]:
            data = self._members[exhibit_member("proofs", exhibit["uid"])]
            check_proof(self._predicate, exhibit, data, self._members[CHECKPOINT], self._opened)
        return f"{len(self._predicate['exhibits'])} exhibits stand in the log"

    def exhibits(self) -> str:
        for exhibit in self._predicate["exhibits"]:
            uid = exhibit["uid"]
            if not exhibit["withheld"]:
                self._tables[uid] = read_rows(exhibit, self._members[exhibit_member("exhibits", uid)])
                if (data := self._members.get(exhibit_member("files", uid))) is not None:
                    check_file(exhibit, self._tables[uid], data)
        whole = len(self._predicate["exhibits"]) - len(self._tables)
        return f"{sum(len(table.rows) for table in self._tables.values())} rows are those that were logged; {whole} exhibits are withheld"

    def numbers(self) -> str:
        earlier: dict[str, str] = {}
        for number in self._predicate["numbers"]:
            uid = number["uid"]
            self.found.numbers[uid] = _number(number, self._tables.get(number["exhibit"] or ""), earlier)
            earlier[uid] = number["value"]
        kinds = list(self.found.numbers.values())
        return ", ".join(f"{kinds.count(kind)} {kind}" for kind in ("recomputed", "withheld", "stated"))

    def custody(self) -> str:
        events = self._predicate["custody"]
        evidence = evidence_hash([exhibit["root"] for exhibit in self._predicate["exhibits"]])
        check_chain(events, evidence, self._predicate["sealed"]["at"])
        return f"{len(events)} events, each linked to the one before it"

    def narrative(self) -> str:
        check_narrative(self._members[NARRATIVE], self._predicate)
        return "its claims and numbers are the statement's"


def _number(number: Mapping[str, Any], table: Table | None, earlier: Mapping[str, str]) -> str:
    """`recomputed`, `withheld` or `stated`. Raises RefusedCaseError where the rows give another value."""
    try:
        found = recomputed(number, table, earlier)
    except NotComputableError as error:
        raise RefusedCaseError("number-rule", number["uid"], expected=f"a {number['rule']} that can be computed", got=str(error)) from None
    if found is None:
        return "stated" if number["rule"] == "stated" else "withheld"
    if found != number["value"]:
        raise RefusedCaseError("number", number["uid"], expected=found, got=str(number["value"]))
    return "recomputed"
