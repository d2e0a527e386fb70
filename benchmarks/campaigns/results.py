"""The results as a page."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from campaigns.cells import CELLS, REACH
from campaigns.curves import draw_curves
from campaigns.honest import KINDS
from campaigns.pages import table, windows_page
from campaigns.running import Bench
from campaigns.summing import Result, best_rival, false_of, interval, measured, pooled, reached, realised_false_discovery
from stillwatch import __version__

WEAK = 0.5


def brief(result: Result) -> str:
    """One line about one cell and seed."""
    if result["state"] != "measured":
        return f"cannot be filled: {result['reason']}"
    own = result["stillwatch"]
    name, recall = best_rival([result])
    rival = f", best baseline {name} {recall:.2f}" if name else ""
    leaked = f", leaked {result['replay']['leaked']}" if "replay" in result else ""
    told = f"recall {_number(own['recall']['value'])}, precision {_number(own['precision']['value'])}"
    return f"{told}, {own['false']['findings']} false findings{rival}{leaked}"


def write_results(folder: Path, results: list[Result], windows: list[dict[str, Any]], run: Bench, pictures_in: Path | None = None) -> Path:
    """RESULTS.md in `folder`, and its pictures there or in another folder."""
    shown = pictures_in or folder
    for place in (folder, shown):
        place.mkdir(parents=True, exist_ok=True)
    pictures = draw_curves(results, shown)
    parts = [
        _head(results, run),
        _reach(results),
        _cells(results),
        _rivals(results),
        _bounds(results),
        _false(results),
        _honest_accused(results),
        _leaks(results),
        _replay(results),
        _blind(results),
        windows_page(windows),
        "## Evasion cost\n\n" + "\n".join(f"![{title}]({os.path.relpath(path, folder)})" for title, path in pictures) if pictures else "",
    ]
    path = folder / "RESULTS.md"
    path.write_text("\n\n".join(part for part in parts if part) + "\n", "utf-8")
    return path


def _head(results: list[Result], run: Bench) -> str:
    seeds = sorted({result["seed"] for result in results})
    return f"""# Hidden campaigns in real conversations

Written by `make bench-campaigns`. What is measured and how: [README.md](README.md).

- Stillwatch {__version__} with its shipped defaults; {run.corpora.split.name} split; seeds {seeds[0]} to {seeds[-1]}.
- Code {run.code[:16]}, settings {run.settings[:16]}, corpora {run.corpora.digest[:16]} (SHA-256).
- Intervals are 95%: bootstrap over accounts, exact where fewer than ten or all alike. Accounts of one campaign rise and fall together,
  so an interval over accounts is too narrow for the next campaign."""


def _reach(results: list[Result]) -> str:
    rows = [reached(reach, results) for reach in REACH]
    return "## What was to be reached\n\n" + table(
        ("", "wanted", "measured", "holds", "short by", "best baseline's recall"),
        [
            (
                row.words,
                row.wanted,
                row.measured,
                {True: "yes", False: "**no**", None: "?"}[row.holds],
                f"{row.short_by:.2f}",
                row.best_rival,
            )
            for row in rows
        ],
    )


def _cells(results: list[Result]) -> str:
    rows: list[tuple[str, ...]] = []
    for cell in CELLS:
        seeds = measured(results, cell.name)
        if not seeds or cell.scheme is None:
            continue
        own = [result["stillwatch"] for result in seeds]
        areas = [part["average_precision"] for part in own if part["average_precision"] is not None]
        rows.append(
            (
                cell.name,
                cell.claim,
                str(len(seeds)),
                f"{sum(part['found'] for part in own)} of {len(own)}",
                interval(pooled(own, "recall")),
                interval(pooled(own, "precision")),
                interval(pooled([part["other_claim"] for part in own], "recall")),
                f"{np.mean(areas):.2f}" if areas else "",
                f"{np.mean([result['payload'] for result in seeds]):,.0f}",
            )
        )
    names = (
        "cell",
        "claim",
        "seeds",
        "found",
        "recall",
        "precision",
        "recall of the other claim",
        "average precision",
        "harvested exchanges",
    )
    told = [result for result in results if result["state"] != "measured"]
    missing = "\n".join(f"- `{result['cell']}`: {result['reason']}." for result in told)
    text = "## Every cell\n\n" + table(names, rows)
    unrun = [cell.name for cell in CELLS if cell.name not in {result["cell"] for result in results}]
    if unrun:
        text += f"\n\nNot run, so that nothing is known of them: {', '.join(f'`{name}`' for name in unrun)}."
    return text + (f"\n\nCells that the corpora cannot fill without dealing a row twice:\n\n{missing}" if told else "")


def _rivals(results: list[Result]) -> str:
    names = sorted({name for result in results for name in result.get("baselines", {})})
    recalls: list[tuple[str, ...]] = []
    areas: list[tuple[str, ...]] = []
    for cell in CELLS:
        seeds = measured(results, cell.name)
        if seeds and cell.scheme is not None:
            rivals = [[result["baselines"][name] for result in seeds] for name in names]
            every = [[result["stillwatch"] for result in seeds], *rivals]
            recalls.append((cell.name, *(_number(pooled(own, "recall")["value"]) for own in every)))
            areas.append((cell.name, *(_number(float(np.mean([part["average_precision"] for part in own]))) for own in every)))
    if not recalls:
        return ""
    heads = ("cell", "Stillwatch", *names)
    words = (
        "Account recall at the same number of honest accounts accused. The baselines' thresholds are set with the truth at hand: one "
        "honest account that scores above a whole campaign, such as an evaluator of thousands of items, leaves a baseline nothing."
    )
    ranked = (
        "Average precision, at no threshold. Stillwatch gives accounts that it does not judge no rank; a baseline that ranks by volume "
        "gains from campaign accounts sending more than most people do."
    )
    return f"## Baselines\n\n{words}\n\n{table(heads, recalls)}\n\n{ranked}\n\n{table(heads, areas)}"


def _bounds(results: list[Result]) -> str:
    rows: list[tuple[str, ...]] = []
    for cell in CELLS:
        for result in measured(results, cell.name):
            told = result.get("bounds", {})
            if told:
                own, known = result["stillwatch"], told.get("validated")
                rows.append(
                    (
                        cell.name,
                        str(result["seed"]),
                        _number(own["recall"]["value"]),
                        "one account" if known is None else _holds(known["acts_as_one"], known["p_value"]),
                        _holds(told["judged"]["harvests"], told["judged"]["p_value"]),
                    )
                )
    if not rows:
        return ""
    words = (
        "What limits a miss. Handed the true group as accounts that send one list, does validation say that it acts as one? Handed the "
        "true group and true benign traffic alone, does judgement say that it harvests? Where validation says yes and nothing was found, "
        "nomination is what is missing; where judgement says no, the campaign's traffic as a whole does not stand out. A fixed wording is "
        "not told to validation here, so that the scan may find what this bound does not."
    )
    return f"## Bounds\n\n{words}\n\n" + table(("cell", "seed", "recall", "the true group acts as one", "it harvests"), rows)


def _holds(says: Any, p_value: float | None) -> str:
    return f"{'yes' if says else 'no'}" + ("" if p_value is None else f", p = {p_value:.1e}")


def _false(results: list[Result]) -> str:
    rows: list[tuple[str, ...]] = []
    for cell in CELLS:
        seeds = measured(results, cell.name)
        if seeds:
            value = false_of(seeds)
            rows.append(
                (
                    cell.name,
                    f"{value['findings']} of {value['honest_entities']:,}",
                    str(value["true_pooling"]),
                    f"{value['per_1000']:.2f} ({value['low']:.2f} to {value['high']:.2f})",
                    str(value["harvest_claimed"]),
                    _counted(value["by_severity"]),
                    _counted(value["by_kind"]),
                )
            )
    realised = realised_false_discovery(results)
    words = (
        f"Of {realised['of']} findings that claim harvest, over all logs, {interval(realised)} are false; nominal is 5%. "
        "Where a finding only informs (severity info), it is counted here all the same, also where it truly says of a company, a licensed "
        "team or a customer who changed keys that their accounts act as one: those are told apart as true and harmless."
    )
    return f"## False findings\n\n{words}\n\n" + table(
        ("cell", "findings", "true and harmless", "per 1,000 honest entities", "claim harvest", "by severity", "by kind"), rows
    )


def _honest_accused(results: list[Result]) -> str:
    accused: Counter[str] = Counter()
    pooled_kinds: Counter[str] = Counter()
    for result in results:
        if result["state"] == "measured":
            own = result["stillwatch"]
            both = {own["claim"]: own, ("pooling" if own["claim"] == "harvest" else "harvest"): own["other_claim"]}
            accused.update(both["harvest"]["honest_accused_by_kind"])
            pooled_kinds.update(both["pooling"]["honest_accused_by_kind"])
    rows = [(kind, words, str(accused[kind]), str(pooled_kinds[kind])) for kind, words in KINDS.items()]
    return "## Honest accounts, over all logs\n\n" + table(("kind", "who they are", "said to harvest", "said to be pooled"), rows)


def _leaks(results: list[Result]) -> str:
    known = [
        (result["cell"], result["leaks"]) for result in results if result["state"] == "measured" and result["leaks"] and result["seed"] == 1
    ]
    if not known:
        return ""
    names = list(known[0][1])
    words = (
        "Area under ROC at telling hostile accounts from honest ones by one thing alone, learnt on half of the accounts with the truth at "
        "hand and scored on the other half; 0.5 is chance. How much an account sends, and the prompt as sent where a tactic brings a "
        "wording, are what the tactic itself shows; all else is the composition's."
    )
    return f"## Leak checks\n\n{words}\n\n" + table(
        ("cell", *names), [(cell, *(_number(leaks[name]) for name in names)) for cell, leaks in known]
    )


def _replay(results: list[Result]) -> str:
    rows = [
        (
            result["cell"],
            str(result["seed"]),
            f"not found in the first {told['held']:.1%}" if told["leaked"] is None else f"at most {told['leaked']:.2%}",
            "" if told["leaked"] is None else f"{told['leaked_exchanges']:,}",
            "" if told["leaked"] is None else f"{told['leaked_exchanges'] / told['hostile_accounts']:.1f}",
            f"{told['of_exchanges']:,}",
        )
        for result in results
        if (told := result.get("replay"))
    ]
    if not rows:
        return ""
    words = (
        "Growing prefixes of the log are scanned, by event time. The corpora fill the first days of a campaign only; shares are of what it "
        "would harvest in all: that many exchanges a day and account over three weeks. The published one of this shape lasted 45 days."
    )
    heads = ("cell", "seed", "leaked", "exchanges leaked", "per account", "the whole campaign's exchanges")
    return f"## Leaked before the first finding\n\n{words}\n\n" + table(heads, rows)


def _blind(results: list[Result]) -> str:
    weak: list[str] = []
    for cell in CELLS:
        seeds = measured(results, cell.name)
        if seeds and cell.scheme:
            value = pooled([result["stillwatch"] for result in seeds], "recall")["value"] or 0.0
            named = pooled([result["stillwatch"]["other_claim"] for result in seeds], "recall")["value"] or 0.0
            if value < WEAK:
                knobs = cell.scheme
                said = "are said to harvest" if cell.claim == "harvest" else "are named"
                also = f", {named:.0%} are named as acting as one" if cell.claim == "harvest" else ""
                weak.append(
                    f"- `{cell.name}`: {knobs.accounts} accounts by {knobs.tactic.value.replace('_', ' ')} at {knobs.requests_per_day:g} "
                    f"requests a day, {knobs.dilution:.0%} diluted: {value:.0%} of the accounts {said}{also}."
                )
    words = "Less than half of the campaign's accounts are in a finding that makes the claim:"
    return f"## Blind spots\n\n{words}\n\n" + "\n".join(weak) if weak else ""


def _number(value: Any) -> str:
    return "none" if value is None else f"{value:.2f}"


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
