"""The columns of every table on the path: name, type, whether it may be null, and what a null means.

Types are named as Arrow names them; `stillwatch.engines.schema` turns a table into an Arrow schema.
"""

from __future__ import annotations

from dataclasses import dataclass

STRING = "string"
BOOL = "bool"
INT8 = "int8"
INT16 = "int16"
INT32 = "int32"
INT64 = "int64"
FLOAT = "float"
DOUBLE = "double"
BINARY = "binary"
TIMESTAMP = "timestamp[us, UTC]"
INT64_LIST = "list<int64>"
STRING_LIST = "list<string>"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        name: as it stands in the file.
        type: an Arrow type name from this module.
        nullable: whether a row may leave it out.
        meaning: what it holds, and what a null says.
    """

    name: str
    type: str
    nullable: bool = True
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A named table and its columns, in order."""

    name: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Column names, in order."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """The column called `name`; KeyError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


def _columns(kind: str, names: str, meaning: str) -> tuple[Column, ...]:
    return tuple(Column(name, kind, nullable=True, meaning=meaning) for name in names.split())


TEXT_COLUMNS = ("system_text", "prompt_text", "response_text", "reasoning_text")
"""The four columns of an exchange that hold private text; they are never written to a result folder."""

_IDENTITY = (
    Column("exchange_id", STRING, nullable=False, meaning="unique within the run; from the source, else sha256 of the raw record"),
    Column("source", STRING, nullable=False, meaning="the reader that produced the row"),
    Column("started_at", TIMESTAMP, nullable=False, meaning="when the request came in"),
    Column("ended_at", TIMESTAMP, nullable=True, meaning="when the response was complete; null: the source does not say"),
    Column("account_id", STRING, nullable=False, meaning="the billing identity"),
    Column("org_id", STRING),
    Column("project_id", STRING),
    Column("key_id", STRING, meaning="a hash of the API key, never the key"),
    Column("end_user_id", STRING, meaning="set by the caller, so the caller can forge it"),
    Column("session_id", STRING),
    Column("trace_id", STRING),
    Column("client_ip", STRING),
    Column("user_agent", STRING),
    Column("tls_fingerprint", STRING),
    Column("asn", INT64),
    Column("endpoint", STRING),
    Column("model_requested", STRING),
    Column("model_served", STRING),
)

_PARAMETERS = (
    *_columns(BOOL, "stream logprobs", "null: the source does not say"),
    *_columns(DOUBLE, "temperature top_p", "null: not set, or the source does not say"),
    *_columns(INT64, "n max_tokens seed top_logprobs logit_bias_size tools_count", "null: not set, or the source does not say"),
    *_columns(STRING, "response_format reasoning_effort", "null: not set, or the source does not say"),
)

_OUTCOME = (
    Column("input_tokens", INT64, meaning="as the source counts, with cached ones or without; null: the source does not say"),
    Column("cached_input_tokens", INT64, meaning="the part of the input that was read from a cache; null: the source does not say"),
    Column("output_tokens", INT64, meaning="reasoning included; null: the source does not say"),
    Column("reasoning_tokens", INT64, meaning="the part of the output that is reasoning; null: the source does not say"),
    Column("status", INT32, meaning="HTTP status; null: the source does not say"),
    Column("finish_reason", STRING),
    Column("error_code", STRING),
)

_PROVENANCE = (
    Column("turns", INT32, meaning="messages before the response; null: the source does not say"),
    Column("text_state", STRING, nullable=False, meaning="full, truncated, redacted or absent"),
    Column("sampling_rate", DOUBLE, meaning="share of traffic this row stands for; null: all of it"),
    Column("raw_sha256", STRING, meaning="of the raw record's bytes; null: the source is a table without raw records"),
)

EXCHANGES = Table(
    "exchanges",
    (
        *_IDENTITY,
        *_PARAMETERS,
        *_OUTCOME,
        *(Column(name, STRING, meaning="null: not logged") for name in TEXT_COLUMNS),
        *_PROVENANCE,
    ),
)
"""One row per request and its response, as a reader produces it."""

SKETCH_COLUMNS = (
    Column("prompt_chars", INT32, meaning="bytes of the last user turn; null: no text"),
    Column("response_chars", INT32, meaning="bytes of the response; null: no text"),
    Column("prompt_key", INT64, meaning="hash of the prompt's words, case and digits folded; null: no text"),
    Column("prompt_bucket", INT64, meaning="near-duplicate bucket of the prompt (MinHash); null: no text"),
    Column("system_key", INT64, meaning="hash of the system text's words; null: no system text"),
    Column("wording", INT64_LIST, meaning="winnowed fingerprints of the system text and the prompt; null: no text"),
    Column("subject", INT16, meaning="cell of the subject codebook, from 0; null: no text"),
    Column("embedding", BINARY, meaning="the exchange in the fitted subject space, signed bytes; null: no text"),
    Column("elicits", INT32, meaning="bits of stillwatch.sketch.phrases.Elicits; null: no text"),
    Column("task", INT8, meaning="capability asked for, see stillwatch.sketch.phrases.TASKS; null: no text"),
    Column(
        "language", INT8, meaning="control cell of the same text as the subject, only to compare like with like; no signal; null: no text"
    ),
    Column("reasoning_share", FLOAT, meaning="share of the response that has the shape of worked reasoning, 0 to 1; null: no text"),
    Column("session_rule", STRING, meaning="how session_id was derived from the text, or none; null: not checked"),
)

SKETCHED = Table(
    "sketched",
    (*(column for column in EXCHANGES.columns if column.name not in TEXT_COLUMNS), *SKETCH_COLUMNS),
)
"""One row per exchange after sketching: everything but the text. This is what a result folder keeps."""

ACCOUNTS = Table(
    "accounts",
    (
        Column("account_id", STRING, nullable=False, meaning="joins to exchanges"),
        Column("created_at", TIMESTAMP, meaning="null: unknown"),
        *_columns(STRING, "plan org_id email_domain payment_fingerprint verification declared_use", "null: unknown"),
        Column("monthly_quota_tokens", INT64, meaning="for the plan-to-usage ratio; null: unknown"),
        Column("status", STRING, meaning="active, limited or suspended; null: unknown"),
        Column("status_changed_at", TIMESTAMP, meaning="needed to see failover; null: unknown"),
    ),
)

TRUTH = Table(
    "truth",
    (
        Column("account_id", STRING, nullable=False),
        Column("campaign_id", STRING, meaning="null: honest"),
        Column("role", STRING, nullable=False, meaning="the kind of customer, or of campaign account"),
        Column("tactic", STRING, meaning="null: honest"),
    ),
)
"""Ground truth of a simulated or composed log."""

TRACES = Table(
    "traces",
    (
        Column("account_id", STRING, nullable=False),
        Column("kind", STRING, nullable=False, meaning="the kind of trace, see stillwatch.features.traces"),
        Column("trace", STRING, nullable=False, meaning="its value; accounts with the same kind and trace share it"),
        Column("count", INT64, nullable=False, meaning="exchanges of the account that carry it"),
        Column("first_at", TIMESTAMP),
        Column("last_at", TIMESTAMP),
    ),
)

ENTITIES = Table(
    "entities",
    (
        Column("entity_id", STRING, nullable=False),
        Column("kind", STRING, nullable=False, meaning="account or group"),
        Column("accounts", INT64, nullable=False),
        Column("exchanges", INT64, nullable=False),
        Column("pooling", STRING, nullable=False, meaning="yes, unclear or no"),
        Column("harvest", STRING, nullable=False, meaning="yes, unclear or no"),
        Column("strength", DOUBLE, nullable=False, meaning="combined evidence, nats"),
        Column("p_value", DOUBLE, meaning="of the harvest statistic; null: too few exchanges to judge"),
        Column(
            "q_value", DOUBLE, meaning="Benjamini-Hochberg within groups or accounts, doubled for the two; null: too few exchanges to judge"
        ),
        Column("pooling_p_value", DOUBLE, meaning="of the group's validation; null: a single account"),
        Column("severity", STRING, nullable=False, meaning="none, info, low, medium, high or critical"),
    ),
)

MEMBERS = Table(
    "members",
    (
        Column("entity_id", STRING, nullable=False),
        Column("account_id", STRING, nullable=False),
        Column("membership", DOUBLE, nullable=False, meaning="strength of the membership, 0 to 1"),
        Column("reasons", STRING, nullable=False, meaning="JSON array of sentences"),
        Column("exchanges", INT64, nullable=False),
        Column("first_at", TIMESTAMP),
        Column("last_at", TIMESTAMP),
    ),
)

LINKS = Table(
    "links",
    (
        Column("entity_id", STRING, nullable=False),
        Column("account_id", STRING, nullable=False),
        Column("kind", STRING, nullable=False),
        Column("trace", STRING, nullable=False),
        Column("count", INT64, nullable=False, meaning="exchanges of the account that carry the trace"),
        Column("sharing", INT64, nullable=False, meaning="accounts in the whole log that carry the trace"),
        Column("weight", DOUBLE, nullable=False, meaning="what sharing it is worth, nats"),
        Column("first_at", TIMESTAMP),
        Column("last_at", TIMESTAMP),
    ),
)
"""Account to trace: a popular trace stays one node, so a group of 25,000 has 25,000 links and not 300 million."""

LABELS = Table(
    "labels",
    (
        Column("case", INT64, nullable=False, meaning="number of the case that was closed"),
        Column("case_uid", STRING, nullable=False, meaning="its name outside the store"),
        Column("kind", STRING, nullable=False, meaning="account or group"),
        Column("entity_id", STRING, nullable=False, meaning="as the scan that was decided on names it"),
        Column("finding_uid", STRING, nullable=False),
        Column("severity", STRING, nullable=False, meaning="of the finding that was decided on"),
        Column("scan_sha256", STRING, nullable=False, meaning="of that scan's run.json"),
        Column("members", STRING_LIST, nullable=False, meaning="accounts of the entity"),
        Column("disposition", STRING, nullable=False, meaning="true, benign_true or false"),
        Column("reason", STRING, nullable=False, meaning="reason code"),
        Column("decided_at", TIMESTAMP, nullable=False),
        Column("decided_by", STRING, nullable=False),
    ),
)
"""What closed cases say about findings: `stillwatch case labels`."""
