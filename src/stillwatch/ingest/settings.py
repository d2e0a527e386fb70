"""What ingest accepts and how much it holds in memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestSettings:
    """Bounds on one run's input.

    Attributes:
        max_record_bytes: a longer line or array element is quarantined without being held in memory. Requests of 32 MB are accepted by
            large providers, so nobody gets a row refused by writing at length.
        max_depth: brackets nested deeper than this are quarantined unparsed; a request's tool schemas may nest deeply.
        max_id_chars: a longer id or label keeps its start and the hash of the whole.
        earliest, latest: a time outside [earliest, latest) is quarantined.
        default_account: account of Batch files; None: the folder or file name stands for it.
        account_tag: key of request metadata (Bedrock) or label (Vertex) that names the account, tried before the usual ones;
            None: only those.
        join_access_logs: whether access logs fill client_ip and user_agent of JSON sources where they are null.
        batch_rows, batch_bytes: how much is normalised at once.
        part_rows: rows of one normalised file.
        shard_rows: a shard takes whole row groups until it holds at least this many rows.
    """

    max_record_bytes: int = 40 * 1024 * 1024
    max_depth: int = 512
    max_id_chars: int = 512
    earliest: datetime = datetime(2015, 1, 1, tzinfo=UTC)
    latest: datetime = datetime(2100, 1, 1, tzinfo=UTC)
    default_account: str | None = None
    account_tag: str | None = None
    join_access_logs: bool = True
    batch_rows: int = 16_384
    batch_bytes: int = 32 * 1024 * 1024
    part_rows: int = 1_048_576
    shard_rows: int = 65_536
