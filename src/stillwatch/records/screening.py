"""What a screening of a corpus concludes, and the columns of the tables that it writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from stillwatch.records.tables import DOUBLE, INT32, INT64, STRING, STRING_LIST, Column, Table

DOCUMENTS = Table(
    "documents",
    (
        Column("source", STRING, nullable=False, meaning="file or folder of the corpus that the document belongs to"),
        Column("file", STRING, nullable=False),
        Column("row", INT64, nullable=False, meaning="1-based line, element or row of the file; of a text file, the document's first line"),
        Column("document_id", STRING, meaning="null: the file gives none"),
        Column("words", INT64, meaning="null: the document has token ids and no text"),
        Column("tokens", INT64, meaning="token ids that were tested; null: none"),
        Column("content_key", INT64, nullable=False, meaning="the same for documents of the same wording, or of the same token ids"),
        Column("match", STRING, meaning="exact, near or none; null: no log was given, or the text is too short to tell"),
        Column("match_exchange", STRING, meaning="the exchange whose response it matches; null: no match"),
        Column("match_account", STRING, meaning="the account that was served it; null: no match"),
        Column("shared", INT32, meaning="sampled shingles shared with the closest response; null as for match"),
        Column("of_document", DOUBLE, meaning="`shared` as a share of the document's; null as for match"),
        Column("of_response", DOUBLE, meaning="`shared` as a share of the response's; null as for match"),
        Column("mark", STRING, meaning="kind, account and period of the key with the smallest p; null: not tested"),
        Column("scored", INT64, meaning="different (context, token) pairs behind the p-value; null: not tested"),
        Column("score", DOUBLE, meaning="green tokens, or nats; null: not tested"),
        Column(
            "p_value", DOUBLE, meaning="smallest p of all keys, corrected for their number; null: no key, no token ids or too few of them"
        ),
        Column("q_value", DOUBLE, meaning="Benjamini-Hochberg over all documents with a p-value; null as for p_value"),
        Column("leads", STRING_LIST, nullable=False, meaning="kinds of residue that the text holds; a lead is no verdict"),
    ),
)

SOURCES = Table(
    "sources",
    (
        Column("source", STRING, nullable=False),
        Column("documents", INT64, nullable=False),
        Column("distinct", INT64, nullable=False, meaning="documents of different content"),
        Column("comparable", INT64, nullable=False, meaning="documents long enough to be compared with the log"),
        Column("exact", INT64, nullable=False),
        Column("near", INT64, nullable=False),
        Column("matched_share", DOUBLE, meaning="estimate over distinct comparable documents; null: none"),
        Column("matched_low", DOUBLE),
        Column("matched_high", DOUBLE),
        Column("tested", INT64, nullable=False, meaning="documents with a p-value"),
        Column("marked", INT64, nullable=False, meaning="documents with q at or below the level"),
        Column("marked_share", DOUBLE, meaning="estimate over distinct tested documents; null: none"),
        Column("marked_low", DOUBLE),
        Column("marked_high", DOUBLE),
        Column("with_leads", INT64, nullable=False),
    ),
)


NOT_SHOWN = (
    "That nothing was found does not show that no model made it: text that was paraphrased, unmarked or never logged leaves no trace.",
    "A match shows equal wording, not who copied whom: both may have one source, such as a licence, a poem or the customer's own text.",
    "A watermark finding points to the key that made the mark; somebody else may have published the marked text first.",
    "Leads (chat templates, assistants speaking of themselves, refusals) are places to look at, and no finding.",
    "The statement speaks of the files with the hashes that it names, and of no others.",
)
"""What no screening shows, a sentence each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareEstimate:
    """What share of distinct documents carries a trace beyond what chance gives.

    Attributes:
        documents: distinct documents that could carry it.
        hits: how many show it.
        by_chance: how many would show it by chance if none carried it.
        share, low, high: estimate and ends of the interval, 0 to 1.
        confidence: of the interval.
    """

    documents: int
    hits: int
    by_chance: float
    share: float
    low: float
    high: float
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceScreened:
    """What was found in a source, or in the whole corpus.

    Attributes:
        name: of the source.
        documents, distinct: all, and of different content.
        comparable, exact, near: long enough to be compared with the log; the same wording as a response; nearly so.
        tested, marked: with a p-value, and with a q-value at or below the level.
        with_leads: documents with residue.
        leads: documents for each kind of residue.
        matched_share, marked_share: estimates; None where nothing could be compared or tested.
    """

    name: str
    documents: int
    distinct: int
    comparable: int
    exact: int
    near: int
    tested: int
    marked: int
    with_leads: int
    leads: dict[str, int]
    matched_share: ShareEstimate | None
    marked_share: ShareEstimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenedFile:
    """A file of the corpus: rows_in = rows_out + quarantined."""

    file: str
    source: str
    format: str
    bytes: int
    sha256: str
    rows_in: int
    rows_out: int
    quarantined: int
    reasons: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenedMark:
    """A watermark that documents were tested for; the key itself stands nowhere, its commitment does."""

    kind: str
    account: str | None
    period: str
    width: int
    gamma: float | None
    commitment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenedLog:
    """The served log that documents were compared with.

    Attributes:
        files: sha256 by file name.
        rows_in, rows_out: rows that came in, and that could be read.
        responses: answers and thoughts that were indexed.
        shingles: sampled shingles that the index holds.
        common: sampled shingles that were left out for standing in too many responses.
    """

    files: dict[str, str]
    rows_in: int
    rows_out: int
    responses: int
    shingles: int
    common: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Screening:
    """A finished screening: what report and attestation say.

    Attributes:
        created_at: UTC.
        version: of Stillwatch.
        settings: every setting.
        files, ignored: what was read, and (path, reason) of what was left aside.
        log, marks, tokenizer: what it was compared with; None, empty or None where that was not given.
        whole, sources: what was found.
        strongest: rows of the documents table, the strongest first.
        containment: documents by tenth of `of_document`, of those that share anything with the log.
        p_counts: tested documents by twentieth of p.
    """

    created_at: datetime
    version: str
    settings: dict[str, Any]
    files: tuple[ScreenedFile, ...]
    ignored: tuple[tuple[str, str], ...]
    log: ScreenedLog | None
    marks: tuple[ScreenedMark, ...]
    tokenizer: str | None
    whole: SourceScreened
    sources: tuple[SourceScreened, ...]
    strongest: tuple[dict[str, Any], ...]
    containment: tuple[int, ...]
    p_counts: tuple[int, ...]


def unlooked(screening: Screening) -> list[str]:
    """What was asked for and could be looked for in no document, a sentence each: that nothing was found then says nothing."""
    whole, settings = screening.whole, screening.settings
    said: list[str] = []
    if screening.log is not None and not whole.comparable:
        said.append(f"No document was compared with the served log: none has {settings['least_words']} words.")
    if screening.marks and not whole.tested:
        said.append(
            f"No document was tested for a watermark: none has {settings['least_scored']} different pairs of context and token id. Name "
            "the column of token ids (--token-column), or the marked model's tokenizer (--tokenizer)."
        )
    return said
