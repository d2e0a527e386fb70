"""Reads a provider's logs, in the formats people have, into the exchanges table; what cannot be read is quarantined with its reason."""

from __future__ import annotations

from stillwatch.ingest.accounts import RefusedAccount, read_accounts
from stillwatch.ingest.ingesting import IngestResult, ingest
from stillwatch.ingest.inputs import InputFile, InputPlan
from stillwatch.ingest.plan import FORMATS, available_columns, first_accounts, plan_inputs
from stillwatch.ingest.settings import IngestSettings
from stillwatch.ingest.shards import Shard

__all__ = [
    "FORMATS",
    "IngestResult",
    "IngestSettings",
    "InputFile",
    "InputPlan",
    "RefusedAccount",
    "Shard",
    "available_columns",
    "first_accounts",
    "ingest",
    "plan_inputs",
    "read_accounts",
]
