"""What a screening counts as a match, a test and a row."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenSettings:
    """Settings of a screening; the defaults are the ones whose error rates the documentation states.

    Attributes:
        seed: of every random draw; recorded.
        level: false discovery rate of the watermark findings over documents.
        near_share: share of the sampled wording of a document, or of a response, that must stand in the other.
        least_shared: sampled shingles that the two must share.
        least_words: words below which an equal text is a coincidence, such as `Yes, of course.`
        most_common: responses in which a shingle may occur; a commoner one is a phrase and no trace.
        least_scored: different (context, token) pairs below which a document is not tested for a watermark.
        mixture_level: p at or below which a document counts in the estimate of the marked share; fixed before the data are seen.
        confidence: of every interval.
        max_record_bytes: a longer line or row is quarantined.
        max_depth: brackets nested deeper than this are quarantined unparsed.
        batch_rows, batch_bytes: how much is judged at once.
        paragraph_bytes: a text file is cut at blank lines into documents that reach this size where they can.
    """

    seed: int = 20260101
    level: float = 0.05
    near_share: float = 0.5
    least_shared: int = 3
    least_words: int = 12
    most_common: int = 32
    least_scored: int = 50
    mixture_level: float = 0.01
    confidence: float = 0.95
    max_record_bytes: int = 16 * 1024 * 1024
    max_depth: int = 512
    batch_rows: int = 8_192
    batch_bytes: int = 32 * 1024 * 1024
    paragraph_bytes: int = 2_048
