"""Acts of other commands into the evidence log: scans, plans, verdicts, mark keys, exports, matches. It decides nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stillwatch import __version__
from stillwatch.app.log_keys import load_signers
from stillwatch.app.vaulting import load_vault
from stillwatch.govern.vault import Box
from stillwatch.ledger.refusals import BusyLogError
from stillwatch.ledger.signing import NoteSigner
from stillwatch.ledger.writing import Act, LogWriter
from stillwatch.records.evidence import KIND_OF, Export, FindingMade, Input, MarkKey, PlanSealed, ScanRun, VerdictReached, content_of
from stillwatch.records.governance import MatchRun

PATIENCE_S = 60.0
"""How long a command that has done its work waits for another one that writes."""
_PAUSE_S = 0.2
LOG_PLACE = "evidence log"
"""First part of the place that contents of a log are sealed for; the second is the index of the record."""


def act(record: object, *, concerns: tuple[int, ...] = ()) -> Act:
    """What is appended for a record of `records.evidence`."""
    return Act(kind=KIND_OF[type(record)], content=content_of(record), concerns=concerns)


def log_box() -> Box | None:
    """What contents of an evidence log are sealed with: the vault of STILLWATCH_VAULT_KEY; None where it is not set."""
    vault = load_vault(None)
    return None if vault is None else vault.box(LOG_PLACE)


@contextmanager
def writing(folder: Path, signers: Sequence[NoteSigner] | None, *, patience_s: float = 0.0) -> Generator[LogWriter]:
    """The log's writer; BusyLogError where another process holds it for longer than `patience_s`."""
    until = time.monotonic() + patience_s
    writer = LogWriter(folder, signers, log_box())
    while True:
        try:
            writer.__enter__()
            break
        except BusyLogError:
            if time.monotonic() > until:
                raise
            time.sleep(_PAUSE_S)
    try:
        yield writer
    finally:
        writer.__exit__(None, None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    """A log that a command records what it does in.

    Attributes:
        folder: of the log.
        signers: its keys.
        clock: gives the time, UTC.
    """

    folder: Path
    signers: tuple[NoteSigner, ...] = field(repr=False)
    clock: Callable[[], datetime]

    @classmethod
    def open(cls, folder: Path, key: Path | None, clock: Callable[[], datetime]) -> Recorder:
        """The log, seen to be sound at its edge and to take this key, before any work is done."""
        recorder = cls(folder=folder, signers=load_signers(key), clock=clock)
        with writing(folder, recorder.signers, patience_s=PATIENCE_S):
            return recorder

    def record(self, records: Sequence[object], *, concerns: tuple[int, ...] = ()) -> int:
        """Append records; index of the first."""
        with writing(self.folder, self.signers, patience_s=PATIENCE_S) as writer:
            return writer.append([act(record, concerns=concerns) for record in records], at=self.clock())

    def scan(self, report: Any, out: Path) -> int:
        """A finished scan and each of its findings, together; index of the run's record."""
        return self.record([scan_run(report, out), *(finding_made(finding) for finding in report.findings)])

    def plan(self, plan: Any, sealed: Any) -> int:
        """A sealed plan; index of its record."""
        commitments = tuple(key.commitment for key in plan.keys)
        return self.record(
            [
                PlanSealed(
                    title=plan.title,
                    suspect=plan.suspect.name,
                    level=plan.level,
                    plan_sha256=sealed.plan_sha256,
                    seal_sha256=sealed.seal_sha256,
                    sealed_at=_iso(sealed.sealed_at),
                    key_commitments=commitments,
                )
            ]
        )

    def verdict(self, verdict: Any, out: Path, planned: int) -> int:
        """A verdict, which points to the record of its plan; index of its record."""
        from stillwatch.app.state import file_sha256

        reached = VerdictReached(
            suspect=verdict.suspect,
            plan_sha256=verdict.plan_sha256,
            outcome=str(verdict.outcome),
            log10_e=float(verdict.log10_e),
            points_to=tuple(verdict.points_to),
            inputs=tuple(Input(name=name, sha256=digest) for name, digest in verdict.inputs),
            verdict_sha256=file_sha256(out / "verdict.json"),
            version=__version__,
        )
        return self.record([reached], concerns=(planned,))

    def export(self, manifest: dict[str, Any], *, by: str, why: str, concerns: tuple[int, ...] = ()) -> int:
        """Findings that were written for a recipient; index of the record."""
        handed = tuple(Input(name=name, sha256=digest) for name, digest in manifest["files"].items())
        to = manifest["recipient"] or "the house itself"
        forms = ", ".join(manifest["formats"])
        return self.record([Export(by=by, to=to, why=why, form=forms, files=handed)], concerns=concerns)

    def match(self, found: dict[str, Any], profile: Path, out: Path) -> int:
        """A partner's profile that was matched with one's own logs; index of the record. `found`: as match.json holds it."""
        from stillwatch.app.state import file_sha256

        rows = {file["path"]: file["rows_in"] for file in found["files"]}
        made = MatchRun(
            version=found["version"],
            profile_id=found["profile"]["id"],
            producer=found["profile"]["producer"],
            profile_sha256=file_sha256(profile),
            inputs=tuple(Input(name=name, sha256=digest, rows=rows.get(name)) for name, digest in sorted(found["inputs"].items())),
            rows_in=found["rows_in"],
            quarantined=found["quarantined"],
            groups={group["id"]: str(group["worth"]) for group in found["groups"]},
            results=tuple(Input(name=path.name, sha256=file_sha256(path)) for path in sorted(out.iterdir()) if path.is_file()),
        )
        return self.record([made])

    def mark_keys(self, commitments: Sequence[dict[str, Any]]) -> int:
        """Commitments to secrets that will mark answers; index of the first record."""
        return self.record([MarkKey(**found) for found in commitments])


def scan_run(report: Any, out: Path) -> ScanRun:
    """What is recorded of a scan: inputs by hash, settings, counts, and its result files by hash."""
    from stillwatch.app.state import RESULTS, RUN, file_sha256
    from stillwatch.report.codec import to_plain

    run = report.run
    rows = {file.path: file.rows_in for file in run.files}
    plain = to_plain(run)
    return ScanRun(
        version=run.version,
        engine=run.engine,
        created_at=_iso(run.created_at),
        seed=run.seed,
        settings=plain["settings"],
        versions=plain["versions"],
        prices={name: plain["prices"].get(name) for name in ("name", "sha256", "currency")},
        inputs=tuple(Input(name=name, sha256=digest, rows=rows.get(name)) for name, digest in sorted(run.inputs.items())),
        rows_in=run.rows_in,
        rows_out=run.rows_out,
        quarantined=run.quarantined,
        findings=len(report.findings),
        results=tuple(Input(name=name, sha256=file_sha256(out / name)) for name in (*RESULTS, RUN) if (out / name).exists()),
    )


def finding_made(finding: Any) -> FindingMade:
    """What is recorded of a finding: everything that it says but the text of exchanges, which is there as a hash."""
    import hashlib

    from stillwatch.ledger.canonical import canonical_json
    from stillwatch.report.codec import to_plain

    return FindingMade(
        uid=finding.uid,
        entity_id=finding.entity_id,
        kind=str(finding.kind),
        title=finding.title,
        pooling=str(finding.pooling),
        harvest=str(finding.harvest),
        severity=str(finding.severity),
        strength=float(finding.strength),
        p_value=None if finding.p_value is None else float(finding.p_value),
        q_value=None if finding.q_value is None else float(finding.q_value),
        members=tuple(member.account_id for member in finding.members),
        exchange_ids=tuple(exhibit.exchange_id for exhibit in finding.exhibits),
        ordinary=tuple(finding.ordinary),
        finding_sha256=hashlib.sha256(canonical_json(to_plain(finding))).hexdigest(),
    )


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
