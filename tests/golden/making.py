"""Sample cases sealed with keys, times and salts that never change, so that the same bytes come out wherever this runs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from stillwatch.ledger.canonical import canonical_json
from stillwatch.ledger.checkpoints import Checkpoint
from stillwatch.ledger.entries import commitment, new_entry
from stillwatch.ledger.merkle import inclusion_path, leaf_hash, perfect_root, range_root
from stillwatch.ledger.notes import Kind
from stillwatch.ledger.proofs import InclusionProof
from stillwatch.ledger.signing import NoteSigner, sign_note
from stillwatch.marks.keys import MasterSecret
from stillwatch.records.cases import (
    CaseContent,
    CaseExhibit,
    CaseInput,
    CaseMember,
    CaseNumber,
    Claim,
    Column,
    ColumnType,
    Condition,
    CustodyEvent,
    Disposition,
    Identifies,
    Named,
    OrdinaryExplanation,
    Rule,
)
from stillwatch.sealing.commitments import evidence_digest
from stillwatch.sealing.exhibits import file_exhibit, note_exhibit, rows_exhibit
from stillwatch.sealing.narrative import narrative_page
from stillwatch.sealing.recipients import Withholding
from stillwatch.sealing.seal import Logged, Prepared, Render, Sealing, prepared, sealed
from stillwatch.share.naming import Identifiers, pseudonyms_for

ORIGIN = "example.com/evidence"
START = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
SALT_KEY = hashlib.sha256(b"golden salt key").digest()
MASTER = MasterSecret(hashlib.sha256(b"golden master").digest())


def signers(seed: int = 7, *, ml_dsa: bool = False, origin: str = ORIGIN) -> tuple[NoteSigner, ...]:
    """Keys of a log, by a number."""
    keys = (NoteSigner(origin, Kind.ED25519, bytes([seed]) * 32),)
    return keys + ((NoteSigner(origin, Kind.ML_DSA_44_COSIGNATURE, bytes([seed + 100]) * 32),) if ml_dsa else ())


def exchanges(count: int = 12) -> CaseExhibit:
    """Rows of requests of three accounts."""
    columns = (
        Column(name="exchange_id", identifies=Identifies.EXCHANGE),
        Column(name="account_id", identifies=Identifies.ACCOUNT),
        Column(name="started_at", type=ColumnType.TIME),
        Column(name="output_tokens", type=ColumnType.INTEGER),
        Column(name="price", type=ColumnType.DECIMAL),
        Column(name="carries", type=ColumnType.BOOLEAN),
        Column(name="prompt", text=True),
    )
    rows = [
        (
            f"exchange_{place:04d}",
            f"acct_{place % 3:04d}",
            (START + timedelta(minutes=7 * place)).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            900 + 37 * place if place % 5 else None,
            f"0.{10 + place:02d}",
            place % 4 != 3,
            f"Solve step by step, item {place}.",
        )
        for place in range(count)
    ]
    return rows_exhibit(
        "E1",
        "Requests of the group",
        shows="Three accounts ask in turn, every seven minutes, with the same wording.",
        origin="stillwatch scan of june.jsonl, finding-7",
        columns=columns,
        rows=rows,
    )


def tests() -> CaseExhibit:
    """P-values and e-values of many tests; the last row stands for six that found nothing."""
    decimals = [Column(name=name, type=ColumnType.DECIMAL) for name in ("p_value", "log10_p", "log10_e")]
    columns = (decimals[0], Column(name="tests", type=ColumnType.INTEGER), *decimals[1:])
    rows = (("0.001", 1, "-3", "1.5"), ("0.004", 2, "-2.397940008672", "1.25"), ("0.5", 6, "0", "-0.301029995664"))
    title, shows = "All tests of the scan", "How strong the finding is among all that were tried."
    return rows_exhibit("E4", title, shows=shows, origin="entities.parquet of the scan", columns=columns, rows=rows)


def exhibits() -> tuple[CaseExhibit, ...]:
    """Rows, a file, a note and tests."""
    return (
        exchanges(),
        file_exhibit(
            "E2",
            "Settings of the scan",
            shows="With which thresholds the group was judged.",
            origin="run.json of the scan",
            name="run.json",
            media_type="application/json",
            data=b'{"fdr":"0.05"}\n',
        ),
        note_exhibit(
            "E3",
            "Note of the analyst",
            shows="What the customer answered when asked.",
            origin="the analyst",
            by="ann",
            at="2026-06-17T08:00:00Z",
            words="The customer was asked twice and has not answered.",
        ),
        tests(),
    )


def numbers() -> tuple[CaseNumber, ...]:
    """One for each rule."""

    def number(place: int, rule: Rule, value: str, unit: str, label: str, **given: Any) -> CaseNumber:
        how = given.pop("how", "From the rows of E1, as the scan read them.")
        exhibit = given.pop("exhibit", None if rule in (Rule.RATIO, Rule.STATED) else "E1")
        return CaseNumber(uid=f"N{place}", label=label, value=value, unit=unit, rule=rule, how=how, exhibit=exhibit, **given)

    return (
        number(1, Rule.COUNT, "12", "requests", "requests of the group"),
        number(2, Rule.DISTINCT, "3", "accounts", "accounts in the group", column="account_id"),
        number(3, Rule.SUM, "9987", "tokens", "tokens that were answered", column="output_tokens"),
        number(4, Rule.SHARE, "0.75", "of requests", "carry the fixed wording", where=(Condition(column="carries", equals=True),)),
        number(5, Rule.MIN, "0.10", "USD", "cheapest request", column="price"),
        number(6, Rule.MAX, "0.21", "USD", "dearest request", column="price"),
        number(7, Rule.COUNT, "4", "requests", "of one account", where=(Condition(column="account_id", equals="acct_0001"),)),
        number(8, Rule.RATIO, "4.000", "requests each", "requests for each account", of=("N1", "N2")),
        number(
            9, Rule.STATED, "0.0004", "q-value", "false discovery rate", how="stillwatch scan june.jsonl --seed 7; q_value of the finding."
        ),
        number(10, Rule.DISTINCT, "12", "prompts", "different prompts", column="prompt"),
        number(11, Rule.MAX, "2026-06-01T10:17:00.000000Z", "UTC", "last request", column="started_at"),
        number(12, Rule.SUM, "1598.67", "USD", "price of the tokens", column="output_tokens", by="price"),
        number(13, Rule.MIN, "0.001", "probability", "smallest p-value", column="p_value", exhibit="E4"),
        number(14, Rule.Q_VALUE, "0.018", "q-value", "of it", column="p_value", by="tests", of=("N13",), exhibit="E4"),
        number(15, Rule.HOLM, "-2.522879", "log10", "with Holm's correction", column="log10_p", exhibit="E4"),
        number(16, Rule.LOG_MEAN, "1.221028", "log10", "combined e-value", column="log10_e", exhibit="E4"),
    )


def content(**changes: Any) -> CaseContent:
    """A case of three accounts; `changes` replace fields."""
    shown = changes.get("exhibits", exhibits())
    key = changes.get("salt_key", SALT_KEY)
    first, second = evidence_digest(key, shown[:1]), evidence_digest(key, shown)

    def event(days: int, who: str, action: str, why: str, before: str | None, after: str) -> CustodyEvent:
        return CustodyEvent(at=START + timedelta(days=days), who=who, action=action, why=why, before=before, after=after)

    made = CaseContent(
        case_id="case-2026-0007",
        title="Three accounts collect answers for training",
        summary="Three accounts act as one and asked for worked solutions at a pace that no customer of their size has.",
        opened_at=START + timedelta(days=15),
        claims=(
            Claim(
                uid="C1",
                text="acct_0000, acct_0001 and acct_0002 are one operation that collects answers.",
                about="group-0007",
                about_kind=Identifies.GROUP,
                certainty="High: among findings at least as strong, 4 in 10,000 are expected to be false.",
                source="finding-7",
                numbers=("N1", "N2", "N4", "N9"),
                exhibits=("E1", "E3"),
            ),
        ),
        numbers=numbers(),
        exhibits=shown,
        ordinary=(
            OrdinaryExplanation(text="A team that evaluates models.", weighed="It would not deal one list out over three accounts."),
            OrdinaryExplanation(text="A reseller.", weighed="Its customers would not ask in turn."),
        ),
        limits=("It does not show that a model was trained.", "It does not show who stands behind the accounts."),
        members=tuple(CaseMember(account_id=f"acct_{place:04d}", group_id="group-0007") for place in range(3)),
        versions=(Named(name="stillwatch", value="0.1.0"), Named(name="duckdb", value="1.4.0")),
        settings=(Named(name="fdr", value="0.05"), Named(name="minimum_exchanges", value="200")),
        seeds=(Named(name="scan", value="7"),),
        inputs=(CaseInput(name="june.jsonl", sha256=hashlib.sha256(b"june").hexdigest(), rows=1_200_000),),
        custody=(
            event(15, "scan", "collected", "finding-7 of the scan", None, first),
            event(16, "ann", "exhibits added", "settings, the answer of the customer, and all tests", first, second),
        ),
        dispositions=(
            Disposition(outcome="true", reason="confirmed", words="Two people agreed.", by="bob", at=START + timedelta(days=17)),
        ),
        identifiers=((Identifies.FINDING, "finding-7"),),
        salt_key=key,
    )
    return replace(made, **changes)


class Log:
    """A log in memory: records before, between and after those of the case.

    Args:
        records: canonical content of each exhibit's record, by uid.
        keys: that sign.
        size: records in all, at least those of the case and one.
    """

    def __init__(self, records: Mapping[str, bytes], keys: Sequence[NoteSigner], size: int = 11) -> None:
        at = START + timedelta(days=18)
        self.salts = {uid: hashlib.sha256(b"golden log salt " + uid.encode()).digest() for uid in records}
        first = 4
        self.indexes = {uid: first + place for place, uid in enumerate(records)}
        by_index = {index: uid for uid, index in self.indexes.items()}
        self.entries: list[bytes] = []
        for index in range(max(size, first + len(records))):
            uid = by_index.get(index)
            committed = commitment(self.salts[uid], records[uid]) if uid else hashlib.sha256(b"other %d" % index).hexdigest()
            self.entries.append(new_entry("case_exhibit" if uid else "view", at, committed).content())
        self.note = self.note_at(len(self.entries), keys)

    def nodes(self, level: int, index: int) -> bytes:
        """Hash of a perfect subtree."""
        start = index << level
        return perfect_root([leaf_hash(entry) for entry in self.entries[start : start + (1 << level)]])

    def note_at(self, size: int, keys: Sequence[NoteSigner]) -> bytes:
        """The signed checkpoint of the first so many records."""
        checkpoint = Checkpoint(origin=keys[0].verifier.name, size=size, root=range_root(0, size, self.nodes))
        return sign_note(checkpoint, tuple(keys), time=int(START.timestamp())).content()

    def logged(self) -> dict[str, Logged]:
        """What the seal needs of each exhibit's record."""
        size = len(self.entries)
        return {uid: Logged(salt=self.salts[uid], proof=self.proof(index, size, self.note)) for uid, index in self.indexes.items()}

    def proof(self, index: int, size: int, note: bytes) -> InclusionProof:
        """The proof of a record in the tree of a size."""
        return InclusionProof(index=index, path=tuple(inclusion_path(index, size, self.nodes)), note=note, extra=self.entries[index])


def how(recipient: str | None = None, withholding: Withholding | None = None) -> Sealing:
    """How the sample is sealed."""
    return Sealing(
        at=START + timedelta(days=20),
        by="ann",
        recipient=recipient,
        why=f"for {recipient or 'the house'}",
        version="0.1.0",
        withholding=withholding or Withholding(shown=frozenset({"E1.prompt"})),
    )


def seal_sample(
    case: CaseContent | None = None,
    *,
    recipient: str | None = None,
    withholding: Withholding | None = None,
    keys: Sequence[NoteSigner] | None = None,
    render: Render = narrative_page,
    render_pdf: Render | None = None,
) -> tuple[bytes, Prepared, Log]:
    """The sealed file, with the case as it was prepared and the log that it stands in."""
    ready = prepared(case or content())
    log = Log(ready.records, keys or signers())
    names = Identifiers() if recipient is None else pseudonyms_for(MASTER, recipient)
    return sealed(ready, how(recipient, withholding), names, log.logged(), keys or signers(), render, render_pdf), ready, log


def canonical(value: Any) -> bytes:
    """Canonical JSON, for changes of statements."""
    return canonical_json(value)
