"""What a scan concludes: readings, members, tallies, findings, and the run they come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Verdict(StrEnum):
    """An answer to one question about an entity."""

    YES = "yes"
    UNCLEAR = "unclear"
    NO = "no"


class Severity(StrEnum):
    """How much a finding matters, in rising order."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info to 4 for critical."""
        return list(Severity).index(self)


class EntityKind(StrEnum):
    """What is judged."""

    ACCOUNT = "account"
    GROUP = "group"


class Axis(StrEnum):
    """Which of the two questions a signal speaks to."""

    POOLING = "pooling"
    HARVEST = "harvest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One signal read on one entity.

    Attributes:
        signal: id in the catalogue (`stillwatch signals`).
        axis: the question it speaks to.
        value: in `unit`.
        baseline_median, baseline_high: median and 95th percentile of the reference entities; None: no reference.
        reference_size: how many entities the baseline rests on.
        p_value: share of reference entities at least as extreme, smoothed; None: used as description only.
        contribution: nats that it adds to the entity's strength.
        sentence: value and baseline in words.
        ordinary: the honest explanation.
    """

    signal: str
    axis: Axis
    value: float
    unit: str
    baseline_median: float | None
    baseline_high: float | None
    reference_size: int
    p_value: float | None
    contribution: float
    sentence: str
    ordinary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """An account in an entity, and why."""

    account_id: str
    membership: float
    reasons: tuple[str, ...]
    exchanges: int
    first_at: datetime | None
    last_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What an entity took.

    Attributes:
        list_price: in `currency`; None: no model of the entity has a price.
        currency: of the price table; None: written by a version that did not note it.
        unpriced_models: models that the price table does not know, so that the price is a lower bound.
        models: (model, exchanges), most first.
        capabilities: (capability, exchanges), most first.
        comparisons: (name of a known distillation set, its exchanges, ours divided by it).
    """

    exchanges: int
    input_tokens: int | None
    output_tokens: int | None
    list_price: float | None
    currency: str | None = None
    unpriced_models: tuple[str, ...]
    models: tuple[tuple[str, int], ...]
    capabilities: tuple[tuple[str, int], ...]
    comparisons: tuple[tuple[str, int, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent:
    """A signal that could not speak, and why."""

    signal: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """One exchange shown as an example; the text is masked for secrets and cut."""

    exchange_id: str
    account_id: str
    started_at: datetime
    shows: str
    prompt: str
    response: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkEdge:
    """One account's tie to one trace, for the picture of a group."""

    account_id: str
    kind: str
    trace: str
    label: str
    sharing: int
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """The numbers behind a finding's pictures; each is an aggregate of exchanges.parquet.

    Attributes:
        days: UTC midnights, one per day of the log.
        entity_daily, provider_daily: exchanges per day, the same length as `days`.
        entity_week, benign_week: 168 shares of a typical week that sum to 1, Monday 00:00 UTC first.
        subjects: (label, entity's exchanges, all other exchanges), most of the entity's first.
        edges: links of a sample of members, strongest first.
    """

    days: tuple[datetime, ...]
    entity_daily: tuple[int, ...]
    provider_daily: tuple[int, ...]
    entity_week: tuple[float, ...]
    benign_week: tuple[float, ...]
    subjects: tuple[tuple[str, int, int], ...]
    edges: tuple[LinkEdge, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppressed:
    """That a finding was decided already, so that it is shown and need not be looked at again.

    Attributes:
        case, case_uid: the case that decided it, by its number here and its name outside.
        disposition, reason: how the case was closed.
        decided_by, decided_at: by whom and when.
        until: when this ends.
        overlap: Jaccard index of the accounts of this finding and of those that were decided on.
    """

    case: str
    case_uid: str
    disposition: str
    reason: str
    decided_by: str
    decided_at: datetime
    until: datetime
    overlap: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A claim about one entity, with everything needed to check and to contest it.

    Attributes:
        uid: stable for the same entity and input.
        strength: combined evidence for harvest, nats.
        p_value: of the harvest statistic against the reference entities; None: too few exchanges.
        q_value: Benjamini-Hochberg within groups or within accounts, each at half the level; None: too few exchanges.
        pooling_p_value: of the group's validation; None: a single account.
        expected_false: false findings to expect among those at least as strong as this one.
        techniques: MITRE ATLAS ids with names.
        ordinary: honest explanations considered, in words.
        next_step: a reversible thing to do.
        suppressed: that it was decided already, by which case and until when; None: it was not, or that has ended or no longer fits.
    """

    uid: str
    entity_id: str
    kind: EntityKind
    title: str
    summary: str
    pooling: Verdict
    harvest: Verdict
    severity: Severity
    strength: float
    p_value: float | None
    q_value: float | None
    pooling_p_value: float | None
    expected_false: float | None
    first_at: datetime
    last_at: datetime
    members: tuple[Member, ...]
    readings: tuple[Reading, ...]
    tally: Tally
    techniques: tuple[tuple[str, str], ...]
    ordinary: tuple[str, ...]
    silent: tuple[Silent, ...]
    next_step: str
    exhibits: tuple[Exhibit, ...]
    pictures: Pictures
    suppressed: Suppressed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCount:
    """What became of one input file: rows_in = rows_out + quarantined."""

    path: str
    format: str
    rows_in: int
    rows_out: int
    quarantined: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftAside:
    """A file that was found and not read, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """The smallest campaign that a run could have seen.

    Attributes:
        accounts: smallest group that could reach a finding.
        exchanges_per_account: that each of them needs.
        single_account_exchanges: that one account alone needs.
        words: the same as a paragraph, with its assumption.
    """

    accounts: int | None
    exchanges_per_account: int | None
    single_account_exchanges: int | None
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of a run and what it took."""

    name: str
    seconds: float
    rows: int
    resumed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a scan read, with which settings, and how the counts reconcile; `run.json` is this record.

    `entities` are all accounts that no group claims, and all groups; `judged` of them had enough exchanges for a p-value.

    Attributes:
        inputs: sha256 of each file that was read.
        notes: what else to know about the run, in sentences.
        left_aside: files that were found and not read, with the reason; an unreadable log among them is counted in `files` too.
        accounts_known: accounts of the log that stand in the accounts table; None: no table was given.
        prices: the price table: its name, the sha256 of its values, its currency, and each model's price per million tokens.
        suppressions: of the file that was given: its name and sha256, how many suppressions it holds, how many had ended, how many findings
            are suppressed, and which suppressions in force fit nothing, and why; empty: no file was given.
    """

    version: str
    engine: str
    created_at: datetime
    seed: int
    settings: dict[str, object]
    versions: dict[str, str]
    inputs: dict[str, str]
    files: tuple[FileCount, ...]
    rows_in: int
    rows_out: int
    quarantined: int
    quarantine_reasons: dict[str, int]
    accounts: int
    entities: int
    judged: int
    groups: int
    first_at: datetime | None
    last_at: datetime | None
    missing_columns: tuple[str, ...]
    silent: tuple[Silent, ...]
    power: Power
    stages: tuple[Stage, ...]
    notes: tuple[str, ...] = field(default_factory=tuple)
    left_aside: tuple[LeftAside, ...] = field(default_factory=tuple)
    accounts_known: int | None = None
    prices: dict[str, object] = field(default_factory=dict)
    suppressions: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that the report page shows."""

    run: Run
    findings: tuple[Finding, ...]
