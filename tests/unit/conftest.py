"""A full report, once with ordinary words and once with the nastiest texts that a log can hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from stillwatch.records.findings import (
    Axis,
    EntityKind,
    Exhibit,
    FileCount,
    Finding,
    LinkEdge,
    Member,
    Pictures,
    Power,
    Reading,
    Report,
    Run,
    Severity,
    Silent,
    Stage,
    Tally,
    Verdict,
)
from stillwatch.stats.seeds import generator

START = datetime(2026, 6, 1, tzinfo=UTC)
DAYS = 14
NASTY = (
    "<script>alert(1)</script>",
    "</style><svg onload=alert(2)>",
    "javascript:alert(3)",
    "<a href=\"https://evil.example/?q=1\" onclick='x()'>go</a>",
    "Tom & Jerry \"quoted\" 'single' http://plain.example",
    "\x1b[31mred\x1b]8;;https://evil.example\x07link\x1b]8;;\x07 \x00\x08",
    "safe\u202egpj.exe\u2066 \u200b\ufeff",
    "$x^2$ \\frac{1}{2} $\\unknown{$ 100% $",
    "A" * 100_000,
    "🧪👩‍🔬 emoji and 蒸馏模型的输出 かな 한국어",
    "{{ 7 * 7 }} {% raw %} ]]> --> <!-- ",
    "[bold red]markup[/] [link=https://evil.example]x[/link] \ud800",
    "e" + "\u0301" * 500,
)

_LINKS = (
    ("fixed wording", "Grade the answer below from 1 to 10, then explain", 24, 3.1),
    ("prompt list dealt out", "list of 48,112 prompts, no repeats", 24, 4.4),
    ("parameters", "temperature 0.7, top_p 1, n 4, max 8192", 19, 1.2),
    ("payment", "card print 9f…c2", 6, 5.0),
    ("lockstep", "same 5-minute buckets, 61 % of them", 22, 2.2),
    ("sign-up burst", "created within 40 minutes on 28 May", 17, 1.9),
    ("session ids", "counter-like session ids", 21, 2.6),
)
_SIGNALS = (
    ("subject_evenness", Axis.HARVEST, 0.93, "share", 0.41, 0.68, 0.0008, 3.2),
    ("reasoning_elicitation", Axis.HARVEST, 0.71, "share", 0.02, 0.14, 0.0004, 3.9),
    ("prompt_novelty", Axis.HARVEST, 0.998, "share", 0.83, 0.95, 0.004, 1.7),
    ("output_yield", Axis.HARVEST, 11.4, "tokens per token", 1.9, 6.2, 0.01, 1.1),
    ("idle_hours", Axis.HARVEST, 0.0, "hours", 9.0, 17.0, 0.02, 0.8),
    ("grading_tasks", Axis.HARVEST, 0.12, "share", 0.01, 0.10, 0.04, 0.4),
    ("fixed_wording_share", Axis.POOLING, 0.88, "share", 0.05, 0.3, None, 0.0),
    ("single_turn", Axis.HARVEST, 0.4, "share", 0.5, 0.9, 0.7, -0.3),
)


def _pictures(size: int, seed: int, accounts: int) -> Pictures:
    draw = generator(seed, "pictures")
    rhythm = 1.0 + 0.1 * draw.random(168)
    hours = np.arange(168) % 24
    benign = np.exp(-((hours - 14) ** 2) / 30) * np.where(np.arange(168) < 120, 1.0, 0.35) + 0.02
    edges = tuple(
        LinkEdge(account_id=f"acct_{seed}_{place:03d}", kind=kind, trace=f"{kind}:{row}", label=label, sharing=sharing, weight=weight)
        for row, (kind, label, sharing, weight) in enumerate(_LINKS)
        for place in range(min(accounts, 24))
        if draw.random() < sharing / 26
    )
    labels = ("coding", "mathematics", "law", "medicine", "chemistry", "translation", "grading", "tool use", "poetry", "history")
    return Pictures(
        days=tuple(START + timedelta(days=day) for day in range(DAYS)),
        entity_daily=tuple(int(size / DAYS * draw.uniform(0.6, 1.4)) if day > 3 else int(size / 400) for day in range(DAYS)),
        provider_daily=tuple(int(90_000 * draw.uniform(0.8, 1.2) * (0.6 if day % 7 > 4 else 1)) for day in range(DAYS)),
        entity_week=tuple(float(share) for share in rhythm / rhythm.sum()),
        benign_week=tuple(float(share) for share in benign / benign.sum()),
        subjects=tuple((label, size // 11, 120_000 // (place + 1)) for place, label in enumerate(labels)),
        edges=edges if accounts > 1 else (),
    )


def _finding(place: int, severity: Severity, accounts: int, size: int, *, harvest: Verdict = Verdict.YES) -> Finding:
    strength = 12.0 - place
    members = tuple(
        Member(
            account_id=f"acct_{place}_{number:03d}",
            membership=max(0.1, 1.0 - number / (accounts + 3)),
            reasons=tuple(label for _, label, _, _ in _LINKS[: 2 + number % 3]) if accounts > 1 else (),
            exchanges=size // accounts,
            first_at=START + timedelta(days=3, hours=number % 20),
            last_at=START + timedelta(days=13, hours=number % 20),
        )
        for number in range(accounts)
    )
    readings = tuple(
        Reading(
            signal=signal,
            axis=axis,
            value=value,
            unit=unit,
            baseline_median=median,
            baseline_high=high,
            reference_size=1_240,
            p_value=p_value,
            contribution=nats,
            sentence=f"{signal} is {value:g} {unit}; comparable entities have {median:g}, 95 in 100 at most {high:g}.",
            ordinary="A team that evaluates models, or builds a benchmark, shows the same.",
        )
        for signal, axis, value, unit, median, high, p_value, nats in _SIGNALS
    )
    return Finding(
        uid=f"finding-{place}",
        entity_id=f"group-{place:04d}" if accounts > 1 else f"acct_{place}_000",
        kind=EntityKind.GROUP if accounts > 1 else EntityKind.ACCOUNT,
        title=f"{accounts} accounts collect graded reasoning" if accounts > 1 else "One account walks through every subject",
        summary=f"{accounts:,} accounts sent {size:,} requests that cover the subjects evenly, ask for step-by-step reasoning "
        "and hardly ever repeat a prompt. They share wording and one dealt-out list of prompts.",
        pooling=Verdict.YES if accounts > 1 else Verdict.NO,
        harvest=harvest,
        severity=severity,
        strength=strength,
        p_value=2e-6 * 10**place,
        q_value=min(1.0, 0.0004 * 4**place),
        pooling_p_value=3e-9 if accounts > 1 else None,
        expected_false=0.002 * 4**place,
        first_at=START + timedelta(days=3),
        last_at=START + timedelta(days=13, hours=20),
        members=members,
        readings=readings,
        tally=Tally(
            exchanges=size,
            input_tokens=size * 210,
            output_tokens=size * 1_900,
            list_price=size * 0.031,
            currency="EUR",
            unpriced_models=("m-preview",) if place else (),
            models=(("m-large", size * 3 // 4), ("m-small", size // 4)),
            capabilities=(("reasoning", size // 2), ("coding", size // 3), ("grading", size // 6)),
            comparisons=(
                ("Alpaca", 52_000, size / 52_000),
                ("LIMA", 1_000, size / 1_000),
                ("OpenOrca", 4_200_000, size / 4_200_000),
                ("s1K", 1_000, size / 1_000),
                ("Largest campaign made public", 13_000_000, size / 13_000_000),
            ),
        ),
        techniques=(("AML.T0024.002", "Extract AI Model"), ("AML.T0040", "AI Model Inference API Access")),
        ordinary=("A company that builds an evaluation suite.", "A reseller that serves many small customers."),
        silent=(Silent(signal="logprobs_use", reason="the logs carry no logprobs column"),),
        next_step="Limit the group's pooled rate to 60 requests a minute for 7 days and ask its owners for their declared use.",
        exhibits=tuple(
            Exhibit(
                exchange_id=f"ex-{place}-{number}",
                account_id=f"acct_{place}_{number:03d}",
                started_at=START + timedelta(days=5, hours=number),
                shows="Step-by-step reasoning is asked for with a fixed ending",
                prompt="Solve the problem. Think step by step and put the final answer in a box.\n\nA train leaves at 9:14 …",
                response="Let us work through it.\n1. The train travels for 46 minutes …",
            )
            for number in range(2)
        ),
        pictures=_pictures(size, place, accounts),
    )


def _run() -> Run:
    return Run(
        version="0.1.0",
        engine="duckdb",
        created_at=datetime(2026, 6, 16, 8, 30, 12, 345678, tzinfo=UTC),
        seed=20260616,
        settings={"fdr": 0.05, "minimum_exchanges": 200, "kinds": ["fixed wording", "payment"]},
        versions={"python": "3.11.7", "duckdb": "1.4.0", "numpy": "2.3.1"},
        inputs={"logs/june-a.jsonl.zst": "ab" * 32, "logs/june-b.jsonl.zst": "cd" * 32},
        files=(
            FileCount(path="logs/june-a.jsonl.zst", format="litellm", rows_in=800_010, rows_out=800_000, quarantined=10),
            FileCount(path="logs/june-b.jsonl.zst", format="otel", rows_in=400_002, rows_out=400_000, quarantined=2),
        ),
        rows_in=1_200_012,
        rows_out=1_200_000,
        quarantined=12,
        quarantine_reasons={"no account": 9, "not JSON": 3},
        accounts=25_000,
        entities=1_310,
        judged=1_204,
        groups=42,
        first_at=START,
        last_at=START + timedelta(days=13, hours=23),
        missing_columns=("tls_fingerprint", "logprobs"),
        silent=(Silent(signal="tls_print", reason="the logs carry no tls_fingerprint column"),),
        power=Power(
            accounts=6,
            exchanges_per_account=40,
            single_account_exchanges=900,
            words="A group of 6 accounts with at least 40 exchanges each would have been found in 9 of 10 cases, if it shared at least "
            "two rare traces. A single account would have needed about 900 exchanges.",
        ),
        stages=(Stage(name="ingest", seconds=41.2, rows=1_200_000), Stage(name="link", seconds=12.03, rows=25_000, resumed=True)),
        notes=("The accounts table has no payment prints.",),
    )


@pytest.fixture(scope="session")
def run() -> Run:
    return _run()


@pytest.fixture(scope="session")
def report(run: Run) -> Report:
    """Six findings of every severity, groups and single accounts, one without any test."""
    rows = (
        (Severity.CRITICAL, 64, 412_000, Verdict.YES),
        (Severity.HIGH, 24, 48_112, Verdict.YES),
        (Severity.HIGH, 1, 9_020, Verdict.YES),
        (Severity.MEDIUM, 7, 3_100, Verdict.UNCLEAR),
        (Severity.LOW, 3, 900, Verdict.UNCLEAR),
        (Severity.INFO, 12, 250, Verdict.NO),
    )
    findings = [
        _finding(place, severity, accounts, size, harvest=harvest) for place, (severity, accounts, size, harvest) in enumerate(rows)
    ]
    findings[5] = replace(findings[5], p_value=None, q_value=None, expected_false=None)
    return Report(run=run, findings=tuple(findings))


@pytest.fixture(scope="session")
def empty(run: Run) -> Report:
    return Report(run=run, findings=())


@pytest.fixture(scope="session")
def poison() -> Callable[[Finding, str], Finding]:
    """A function that puts one text into every place of a finding that a log can reach."""

    def poisoned(finding: Finding, text: str) -> Finding:
        return replace(
            finding,
            uid=text,
            entity_id=text,
            title=text,
            summary=text,
            next_step=text,
            members=(replace(finding.members[0], account_id=text, reasons=(text,) * 3), *finding.members[1:]),
            readings=tuple(replace(reading, signal=text, unit=text, sentence=text, ordinary=text) for reading in finding.readings[:3]),
            tally=replace(
                finding.tally,
                unpriced_models=(text,),
                models=((text, 10),),
                capabilities=((text, 5),),
                comparisons=((text, 52_000, 0.1),),
            ),
            techniques=((text, text),),
            ordinary=(text,),
            silent=(Silent(signal=text, reason=text),),
            exhibits=(replace(finding.exhibits[0], exchange_id=text, account_id=text, shows=text, prompt=text, response=text),),
            pictures=replace(
                finding.pictures,
                subjects=((text, 5, 10),),
                edges=(LinkEdge(account_id=text, kind=text, trace=text, label=text, sharing=2, weight=1.0),),
            ),
        )

    return poisoned


@pytest.fixture(scope="session")
def nasty(report: Report, poison: Callable[[Finding, str], Finding]) -> Report:
    """One finding for each nasty text, and a run that carries them too."""
    findings = tuple(poison(report.findings[place % 6], text) for place, text in enumerate(NASTY))
    run = replace(
        report.run,
        version=NASTY[0],
        engine=NASTY[1],
        settings={text: text for text in NASTY},
        versions={text: text for text in NASTY},
        inputs={text: text for text in NASTY},
        files=tuple(FileCount(path=text, format=text, rows_in=3, rows_out=2, quarantined=1) for text in NASTY),
        rows_in=3 * len(NASTY),
        rows_out=2 * len(NASTY),
        quarantined=len(NASTY),
        quarantine_reasons=dict.fromkeys(NASTY, 1),
        missing_columns=NASTY,
        silent=tuple(Silent(signal=text, reason=text) for text in NASTY),
        notes=NASTY,
        stages=tuple(Stage(name=text, seconds=1.0, rows=1) for text in NASTY),
        power=replace(report.run.power, words=" ".join(text[:200] for text in NASTY)),
    )
    return Report(run=run, findings=findings)


@pytest.fixture(scope="session")
def nasty_texts() -> tuple[str, ...]:
    return NASTY
