"""From the arguments of `stillwatch screen` to a request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from stillwatch.app.marking import load_master
from stillwatch.app.screening import ScreenRequest
from stillwatch.errors import UsageError
from stillwatch.marks.keys import derive
from stillwatch.screen.fields import Fields
from stillwatch.screen.marked import KINDS, VLLM, Mark
from stillwatch.screen.settings import ScreenSettings

DEFAULT_WIDTH = {VLLM: 4}
_WIDTH = 2


def screen_request(
    paths: Sequence[Path],
    *,
    out: Path,
    log: Sequence[Path],
    log_format: str,
    marks: tuple[Mark, ...],
    tokenizer: Path | None,
    fields: Fields,
    level: float,
    resume: bool,
) -> ScreenRequest:
    """The request that the arguments ask for. Raises UsageError for what cannot work."""
    if not 0 < level < 1:
        raise UsageError(f"--level is {level}; it takes a number between 0 and 1, such as 0.05")
    if tokenizer is not None and not marks:
        raise UsageError("--tokenizer makes token ids for watermark tests; name a --mark and a --period too")
    return ScreenRequest(
        paths=tuple(paths),
        out=out,
        log=tuple(log),
        log_format=log_format,
        marks=marks,
        tokenizer=tokenizer,
        fields=fields,
        resume=resume,
        settings=replace(ScreenSettings(), level=level),
    )


def marks_for(
    kinds: Sequence[str], *, key: Path | None, periods: Sequence[str], accounts: Sequence[str], width: int | None, gamma: float
) -> tuple[Mark, ...]:
    """A mark for every kind, period and account. The key is read only where a kind is named.

    Raises UsageError for an unknown kind or no period, and whatever reading the key raises.
    """
    if not kinds:
        if periods or accounts or key:
            raise UsageError("--key, --period and --account say nothing without --mark; name the watermark to test for")
        return ()
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise UsageError(f"--mark is {unknown[0]!r}; it takes one of {', '.join(KINDS)}")
    if not periods:
        raise UsageError("--mark needs --period, such as --period 2026-11: keys are derived for a period")
    if not 0 < gamma < 1:
        raise UsageError(f"--gamma is {gamma}; it takes the share of green tokens, between 0 and 1")
    master = load_master(key)
    return tuple(
        Mark(
            kind=kind,
            key=derive(master, purpose=kind, account=account, period=period),
            width=width or DEFAULT_WIDTH.get(kind, _WIDTH),
            gamma=gamma,
            account=account,
            period=period,
        )
        for kind in dict.fromkeys(kinds)
        for period in dict.fromkeys(periods)
        for account in (dict.fromkeys(accounts) or [None])
    )
