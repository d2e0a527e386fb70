"""Parcels as files: the log, its accounts table, and the truth about accounts and exchanges."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from campaigns.composing import RELEASE_AT, Parcel
from campaigns.corpora import Corpora
from stillwatch.engines.schema import arrow_schema
from stillwatch.records.tables import ACCOUNTS, EXCHANGES, TRUTH

START = datetime(2026, 3, 2, tzinfo=UTC)
OLD_MODEL, NEW_MODEL = "m-large", "m-large-2"
CHARACTERS_PER_TOKEN = 4
REFUSED = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Where a log lies: exchanges, accounts table, truth about accounts, and which exchange harvests."""

    log: Path
    accounts: Path
    truth: Path
    payload: Path


def write(corpora: Corpora, parcels: list[Parcel], out: Path) -> Written:
    """The log as native Parquet in order of time, and what belongs to it, in `out`."""
    out.mkdir(parents=True, exist_ok=True)
    paths = Written(
        log=out / "log.parquet", accounts=out / "accounts.parquet", truth=out / "truth.parquet", payload=out / "payload.parquet"
    )
    pq.write_table(exchanges_table(corpora, parcels), paths.log, row_group_size=20_000)
    pq.write_table(_accounts(parcels), paths.accounts)
    truth = [(parcel.account_id, parcel.campaign, parcel.kind, parcel.tactic) for parcel in parcels]
    schema = arrow_schema(TRUTH)
    pq.write_table(pa.Table.from_arrays([pa.array(list(c), pa.string()) for c in zip(*truth, strict=True)], schema=schema), paths.truth)
    order = _order(parcels)
    payload = np.concatenate([parcel.payload for parcel in parcels])[order]
    pq.write_table(pa.table({"exchange_id": _ids(len(order)), "payload": payload}), paths.payload)
    return paths


def exchanges_table(corpora: Corpora, parcels: list[Parcel]) -> pa.Table:
    """All exchanges with the columns of EXCHANGES, in order of time; a column that nothing fills is null."""
    order = _order(parcels)
    owner = np.repeat(np.arange(len(parcels)), [len(parcel.rows) for parcel in parcels])
    columns = {**_by_account(parcels, owner), **_by_exchange(corpora, parcels), "exchange_id": None}
    schema = arrow_schema(EXCHANGES)
    taken = pa.array(order)
    arrays: list[Any] = []
    for column in schema:
        if column.name == "exchange_id":
            arrays.append(_ids(len(order)))
        elif column.name in columns:
            arrays.append(pa.array(columns[column.name]).cast(column.type).take(taken))
        else:
            arrays.append(pa.nulls(len(order), column.type))
    return pa.Table.from_arrays(arrays, schema=schema)


def _order(parcels: list[Parcel]) -> np.ndarray:
    return np.argsort(np.concatenate([parcel.seconds for parcel in parcels]), kind="stable")


def _ids(count: int) -> pa.Array:
    return pa.array([f"x{place:08d}" for place in range(count)])


def _by_account(parcels: list[Parcel], owner: np.ndarray) -> dict[str, pa.Array]:
    """The columns that are one value per account."""
    values: dict[str, tuple[list[Any], pa.DataType]] = {
        "account_id": ([parcel.account_id for parcel in parcels], pa.string()),
        "org_id": ([parcel.identity.org for parcel in parcels], pa.string()),
        "client_ip": ([parcel.identity.address for parcel in parcels], pa.string()),
        "user_agent": ([parcel.identity.agent for parcel in parcels], pa.string()),
        "tls_fingerprint": ([parcel.identity.tls for parcel in parcels], pa.string()),
        "asn": ([parcel.identity.asn for parcel in parcels], pa.int64()),
        "stream": ([parcel.identity.stream for parcel in parcels], pa.bool_()),
        "temperature": ([parcel.identity.temperature for parcel in parcels], pa.float64()),
        "max_tokens": ([parcel.identity.max_tokens for parcel in parcels], pa.int64()),
        "system_text": ([parcel.system for parcel in parcels], pa.string()),
    }
    taken = pa.array(owner)
    return {name: pa.array(column, kind).take(taken) for name, (column, kind) in values.items()}


def _by_exchange(corpora: Corpora, parcels: list[Parcel]) -> dict[str, pa.Array]:
    """The columns that differ from exchange to exchange."""
    seconds = np.concatenate([parcel.seconds for parcel in parcels])
    failed = np.concatenate([np.zeros(len(parcel.rows), bool) if parcel.failed is None else parcel.failed for parcel in parcels])
    prompts = pa.array([text for parcel in parcels for text in parcel.prompts], pa.string())
    answers = [None if lost else text for lost, text in zip(failed, _responses(corpora, parcels), strict=True)]
    responses = pa.array(answers, pa.string())
    adopts = np.concatenate([np.full(len(parcel.rows), parcel.identity.takes_new_model) for parcel in parcels])
    size = len(seconds)
    return {
        "source": pa.array(["native"] * size),
        "started_at": pa.array((START.timestamp() * 1e6 + seconds * 1e6).astype("int64"), pa.timestamp("us", tz="UTC")),
        "session_id": pa.array([name for parcel in parcels for name in parcel.sessions or [None] * len(parcel.rows)], pa.string()),
        "end_user_id": pa.array([name for parcel in parcels for name in parcel.end_users or [None] * len(parcel.rows)], pa.string()),
        "model_served": pa.array(np.where(adopts & (seconds >= RELEASE_AT), NEW_MODEL, OLD_MODEL).tolist()),
        "input_tokens": pa.array(pc.utf8_length(prompts).to_numpy() // CHARACTERS_PER_TOKEN + 1, pa.int64()),
        "output_tokens": pa.array(
            pc.fill_null(pc.utf8_length(responses), 0).to_numpy(zero_copy_only=False) // CHARACTERS_PER_TOKEN, pa.int64()
        ),
        "status": pa.array(np.where(failed, REFUSED, 200), pa.int32()),
        "error_code": pa.array(["refused" if lost else None for lost in failed.tolist()], pa.string()),
        "prompt_text": prompts,
        "response_text": responses,
        "turns": pa.array(np.concatenate([parcel.turns for parcel in parcels]), pa.int32()),
        "text_state": pa.array(["full"] * size),
    }


def _responses(corpora: Corpora, parcels: list[Parcel]) -> list[str | None]:
    """The corpora's answers; a grade has no answer in any corpus, so a mark and the reply's first words stand for it."""
    texts: list[str | None] = []
    for parcel in parcels:
        answers = corpora.responses[parcel.rows].tolist()
        if parcel.tactic == "grading_and_cleaning":
            graded = zip(answers, parcel.payload.tolist(), strict=True)
            answers = [f"{len(text or '') % 10 + 1} of 10. {(text or '')[:160]}" if marked else text for text, marked in graded]
        texts.extend(answers)
    return texts


def _accounts(parcels: list[Parcel]) -> pa.Table:
    identities = [parcel.identity for parcel in parcels]
    firsts = [float(parcel.seconds[0]) for parcel in parcels]
    columns: dict[str, list[Any]] = {
        "account_id": [parcel.account_id for parcel in parcels],
        "created_at": [START + timedelta(seconds=first - own.created) for first, own in zip(firsts, identities, strict=True)],
        "plan": [own.plan for own in identities],
        "org_id": [own.org for own in identities],
        "email_domain": [own.email_domain for own in identities],
        "payment_fingerprint": [own.payment for own in identities],
        "declared_use": [own.declared_use for own in identities],
        "verification": [own.verification for own in identities],
        "status": ["active"] * len(parcels),
    }
    schema = arrow_schema(ACCOUNTS)
    arrays = [pa.array(columns.get(column.name, [None] * len(parcels)), column.type) for column in schema]
    return pa.Table.from_arrays(arrays, schema=schema)
