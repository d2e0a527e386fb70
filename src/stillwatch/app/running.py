"""From a command's arguments to a request."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stillwatch.app.request import SHIPPED_PRICES, ScanRequest
from stillwatch.app.suppressing import read_suppressions
from stillwatch.app.vaulting import load_vault
from stillwatch.detect.tally import Prices, parse_prices, shipped_prices
from stillwatch.errors import UsageError
from stillwatch.settings import from_environment


def request_for(
    paths: tuple[Path, ...],
    *,
    accounts: Path | None,
    format: str,  # noqa: A002 - the option's name
    out: Path,
    engine: str,
    prices: Path | None,
    seed: int | None,
    resume: bool,
    account_tag: str | None = None,
    suppressions: Path | None = None,
    vault_key: Path | None = None,
) -> ScanRequest:
    """The request that the arguments ask for, on top of the environment's settings."""
    settings = from_environment()
    settings = replace(settings, ingest=replace(settings.ingest, account_tag=account_tag))
    return ScanRequest(
        paths=paths,
        accounts=accounts,
        format=format,
        out=out,
        engine=engine,
        resume=resume,
        prices=shipped_prices() if prices is None else _prices(prices),
        settings=settings if seed is None else replace(settings, seed=seed),
        price_table=SHIPPED_PRICES if prices is None else prices.name,
        suppressions=None if suppressions is None else read_suppressions(suppressions),
        vault=load_vault(vault_key),
    )


def _prices(path: Path) -> Prices:
    try:
        return parse_prices(path.read_text("utf-8"), path.name)
    except OSError as error:
        message = f"--prices {path}: {error.strerror}; give the path of a TOML price table"
        raise UsageError(message) from None
    except UnicodeDecodeError:
        message = f"--prices {path}: not a text file; give the path of a TOML price table"
        raise UsageError(message) from None
