"""The sources that can be read, in the order in which a record is offered to them."""

from __future__ import annotations

from stillwatch.ingest.readers.base import Context, Reader
from stillwatch.ingest.readers.batch import BATCH
from stillwatch.ingest.readers.bedrock import BEDROCK
from stillwatch.ingest.readers.http_pair import HTTP_PAIR
from stillwatch.ingest.readers.langfuse import LANGFUSE
from stillwatch.ingest.readers.litellm import LITELLM, LITELLM_SPEND_LOGS
from stillwatch.ingest.readers.native import NATIVE
from stillwatch.ingest.readers.otlp import OTLP
from stillwatch.ingest.readers.vertex import VERTEX

__all__ = ["READERS", "Context", "Reader"]

READERS: dict[str, Reader] = {
    reader.name: reader for reader in (NATIVE, LITELLM_SPEND_LOGS, LITELLM, OTLP, BEDROCK, VERTEX, BATCH, LANGFUSE, HTTP_PAIR)
}
"""Readers of JSON records by name."""
