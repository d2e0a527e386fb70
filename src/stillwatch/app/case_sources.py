"""From the result folder of a scan and the verdict of a proof to what goes into a case."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from stillwatch.app.case_numbers import further_numbers
from stillwatch.app.explaining import find_finding, read_run
from stillwatch.app.state import RESULTS, RUN, file_sha256
from stillwatch.cases.claims import LONGEST_TRACE, MOST_TIES, NewClaim, NewExhibit, NewMember, NewSource, NewTask, NewTie
from stillwatch.cases.templates import parse_template, shipped_tasks
from stillwatch.errors import SchemaError, UnreadableInputError, UsageError
from stillwatch.records.findings import Finding, Run
from stillwatch.records.verdicts import Verdict
from stillwatch.report.codec import from_plain, to_plain

_VERDICT, _FORMAT = "verdict.json", "stillwatch-verdict-1"
"""As a proof writes them; a test holds them to it, since its module brings along all that proofs compute with."""

_LARGEST_VERDICT = 16 * 1024 * 1024
_LARGEST_TEMPLATE = 256 * 1024
_JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """Sources with the claims that come from them."""

    sources: tuple[NewSource, ...]
    claims: tuple[NewClaim, ...]


def gather(folder: Path | None, entities: Sequence[str], verdicts: Sequence[Path]) -> Gathered:
    """What a scan says of these entities, and what verdicts say. Raises UsageError where nothing is named."""
    sources: list[NewSource] = []
    claims: list[NewClaim] = []
    if folder is not None:
        run = read_run(folder)
        sources.append(_scan_source(folder, run))
        claims += _scan_claims(folder, run, _chosen(folder, entities))
    elif entities:
        raise UsageError("--entity names an entity of a scan; name its result folder as well")
    for path in verdicts:
        file = path / _VERDICT if path.is_dir() else path
        claims.append(_verdict_claim(file, len(sources)))
        sources.append(_verdict_source(file))
    if not claims:
        raise UsageError("a case begins with a claim; name the result folder of a scan with --entity, or --verdict with a proof's folder")
    return Gathered(sources=tuple(sources), claims=tuple(claims))


def tasks_from(template: Path | None) -> tuple[NewTask, ...]:
    """The tasks of a template, the shipped one where none is named. Raises UsageError for a file that is none."""
    if template is None:
        return shipped_tasks()
    try:
        with template.open("rb") as file:
            text = file.read(_LARGEST_TEMPLATE).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--template {template} cannot be read ({type(error).__name__}); name a TOML file") from None
    return parse_template(text, str(template))


def _chosen(folder: Path, entities: Sequence[str]) -> list[Finding]:
    from stillwatch.report import read_findings

    if entities:
        found = [find_finding(folder, entity) for entity in entities]
        return list({finding.uid: finding for finding in found}.values())
    findings = read_findings(folder / "findings.jsonl")
    if len(findings) == 1:
        return list(findings)
    known = ", ".join(finding.entity_id for finding in findings[:5])
    raise UsageError(
        f"{folder} holds {len(findings)} findings; say with --entity which of them the case is about" + (f": {known}" if known else "")
    )


def _scan_source(folder: Path, run: Run) -> NewSource:
    plain = to_plain(run)
    names = ("version", "engine", "created_at", "seed", "settings", "versions", "inputs", "rows_in", "rows_out", "quarantined")
    facts: dict[str, Any] = {name: plain[name] for name in names}
    facts["prices"] = {name: plain["prices"].get(name) for name in ("name", "sha256", "currency")}
    facts["results"] = {name: file_sha256(folder / name) for name in RESULTS if (folder / name).exists()}
    return NewSource(kind="scan", name=_name(folder), sha256=file_sha256(folder / RUN), made_at=run.created_at, facts=facts)


def _scan_claims(folder: Path, run: Run, findings: Sequence[Finding]) -> list[NewClaim]:
    import pyarrow.parquet as pq

    wanted = [finding.entity_id for finding in findings]
    rows = pq.read_table(folder / "links.parquet", filters=[("entity_id", "in", wanted)]).to_pylist()
    return [
        _scan_claim(finding, [row for row in rows if row["entity_id"] == finding.entity_id], further_numbers(folder, run, finding))
        for finding in findings
    ]


def _scan_claim(finding: Finding, links: Sequence[dict[str, Any]], further: dict[str, Any]) -> NewClaim:
    ties = ties_of(links)
    return NewClaim(
        source=0,
        kind=finding.kind.value,
        entity_id=finding.entity_id,
        uid=finding.uid,
        title=finding.title,
        statement=finding.summary,
        severity=finding.severity.value,
        numbers=finding_numbers(finding) | further,
        ordinary=finding.ordinary,
        members=tuple(
            NewMember(
                **{name: getattr(member, name) for name in ("account_id", "membership", "reasons", "exchanges", "first_at", "last_at")}
            )
            for member in finding.members
        ),
        ties=ties[:MOST_TIES],
        ties_left_out=max(0, len(ties) - MOST_TIES),
        exhibit=NewExhibit(
            kind="finding",
            label=f"finding {finding.uid[:100]}, as the scan wrote it",
            media_type=_JSON,
            content=_json(to_plain(finding)),
            private=True,
            facts={"file": "findings.jsonl", "uid": finding.uid},
        ),
    )


def finding_numbers(finding: Finding) -> dict[str, Any]:
    """The numbers of a finding, as found; what could not be computed is None."""
    tally = to_plain(finding.tally)
    numbers = {name: to_plain(getattr(finding, name)) for name in ("strength", "p_value", "q_value", "pooling_p_value", "expected_false")}
    said = {"pooling": finding.pooling.value, "harvest": finding.harvest.value}
    period = {"first_at": to_plain(finding.first_at), "last_at": to_plain(finding.last_at)}
    taken = {name: tally[name] for name in ("exchanges", "input_tokens", "output_tokens", "list_price", "currency", "models")}
    readings = [
        {name: to_plain(getattr(reading, name)) for name in ("signal", "value", "unit", "baseline_median", "baseline_high", "p_value")}
        for reading in finding.readings
    ]
    return said | numbers | period | taken | {"readings": readings}


def ties_of(links: Iterable[dict[str, Any]]) -> tuple[NewTie, ...]:
    """Rows of links.parquet as one tie for each trace, most telling first."""
    found: dict[str, dict[str, Any]] = {}
    for row in links:
        key = trace_key(row["kind"], row["trace"])
        tie = found.setdefault(key, {"kind": row["kind"], "trace": row["trace"], "accounts": 0, "sharing": 0, "weight": 0.0})
        tie["accounts"] += 1
        tie["sharing"] = max(tie["sharing"], row["sharing"])
        tie["weight"] = max(tie["weight"], row["weight"])
    ties = [NewTie(key=key, **tie | {"trace": tie["trace"][:LONGEST_TRACE]}) for key, tie in found.items()]
    return tuple(sorted(ties, key=lambda tie: (-tie.weight * tie.accounts, tie.key)))


def trace_key(kind: str, trace: str) -> str:
    """What traces of cases are compared by."""
    return sha256(f"{kind}\0{trace}".encode("utf-8", "surrogatepass")).hexdigest()


def _read_verdict(path: Path) -> tuple[Verdict, bytes]:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_VERDICT + 1)
        if len(content) > _LARGEST_VERDICT:
            raise UnreadableInputError(
                f"{path} has more than {_LARGEST_VERDICT:,} bytes, which no verdict has; name a proof's verdict.json"
            )
        plain = json.loads(content)
        if not isinstance(plain, dict) or plain.get("format") != _FORMAT:
            raise UnreadableInputError(f"{path} is no verdict of this version ({_FORMAT}); name the folder that stillwatch prove wrote")
        return from_plain(Verdict, plain), content
    except OSError as error:
        raise UnreadableInputError(f"{path} cannot be read: {error.strerror}; name the folder that stillwatch prove wrote") from None
    except (ValueError, RecursionError, SchemaError) as error:
        raise UnreadableInputError(
            f"{path} holds no verdict ({type(error).__name__}); name the folder that stillwatch prove wrote"
        ) from None


def _verdict_source(path: Path) -> NewSource:
    verdict, content = _read_verdict(path)
    facts = {
        "version": verdict.version,
        "plan_sha256": verdict.plan_sha256,
        "seal_sha256": verdict.seal_sha256,
        "sealed_at": to_plain(verdict.sealed_at),
        "level": verdict.level,
        "inputs": dict(verdict.inputs),
    }
    return NewSource(kind="verdict", name=_name(path), sha256=sha256(content).hexdigest(), made_at=verdict.made_at, facts=facts)


def _verdict_claim(path: Path, source: int) -> NewClaim:
    verdict, content = _read_verdict(path)
    results = [
        {
            "test": judged.name,
            "key": judged.key,
            "statistic": judged.result.statistic,
            "value": to_plain(judged.result.value),
            "sample": judged.result.sample,
            "log10_p": to_plain(judged.result.log10_p),
            "log10_adjusted": to_plain(judged.log10_adjusted),
            "reaches": judged.reaches,
        }
        for judged in verdict.results
    ]
    numbers = {"outcome": verdict.outcome.value, "level": verdict.level, "log10_e": to_plain(verdict.log10_e), "results": results}
    digest = sha256(content).hexdigest()
    label = f"verdict on {verdict.suspect[:100]}, as the proof wrote it"
    exhibit = NewExhibit(kind="verdict", label=label, media_type=_JSON, content=content, private=False, facts={"file": _name(path)})
    return NewClaim(
        source=source,
        kind="verdict",
        entity_id=verdict.suspect,
        uid=digest,
        title=verdict.headline,
        statement=" ".join(verdict.sentences),
        severity="none",
        numbers=numbers | {"points_to": list(verdict.points_to), "combination": verdict.combination},
        ordinary=tuple(dict.fromkeys(judged.result.words.does_not_show for judged in verdict.results)),
        members=(),
        ties=(),
        ties_left_out=0,
        exhibit=exhibit,
    )


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode()


def _name(path: Path) -> str:
    """A path's last part, which is all that a case tells of where it lay."""
    return Path(os.path.abspath(path)).name or "result"  # noqa: PTH100 - a link keeps its own name
