"""What a scan is asked to do."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stillwatch.app.suppressing import SuppressionFile
from stillwatch.detect.tally import Prices
from stillwatch.govern.vault import Vault
from stillwatch.settings import ScanSettings

SHIPPED_PRICES = "shipped prices.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRequest:
    """What a scan is asked to do.

    Attributes:
        paths: files, folders and patterns.
        accounts: the accounts side table; None: there is none.
        format: a reader's name, or auto.
        out: the result folder.
        engine: duckdb or spark.
        resume: whether to keep the finished stages of an earlier run over the same input.
        prices: the price table of the harvest tally.
        settings: everything else.
        price_table: what the price table is called.
        suppressions: what closed cases decided; None: no file was given.
        vault: that the text of exhibits is sealed with; None: it lies in plain, in a private file.
    """

    paths: tuple[Path, ...]
    accounts: Path | None
    format: str
    out: Path
    engine: str
    resume: bool
    prices: Prices
    settings: ScanSettings
    price_table: str = SHIPPED_PRICES
    suppressions: SuppressionFile | None = None
    vault: Vault | None = field(default=None, repr=False, compare=False)

    def prices_as_json(self) -> dict[str, Any]:
        """The price table as plain values, for run.json: its name, the sha256 of its values, its currency and each model's two prices."""
        models = {name: {"input": price[0], "output": price[1]} for name, price in sorted(self.prices.models.items())}
        values = {"currency": self.prices.currency, "models": models}
        digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
        return {"name": self.price_table, "sha256": digest, **values}
