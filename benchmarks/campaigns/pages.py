"""Tables, and the page of the windows of queries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from campaigns.windows import METHODS, SHARES


def table(names: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    heads = list(names)
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def windows_page(rates: list[dict[str, Any]]) -> str:
    """What each test of one window rejects at a nominal 5%, by pair, space and size; empty where nothing was measured."""
    if not rates:
        return ""
    known: dict[tuple[str, str, int, str], dict[float, dict[str, Any]]] = {}
    missing: list[str] = []
    for row in rates:
        if row["share"] is None:
            missing.append(f"- {row['pair']}, {row['space']}, {row['size']:,}: {row['missing']}.")
        else:
            known.setdefault((row["pair"], row["space"], row["size"], row["method"]), {})[row["share"]] = row
    words = (
        "Share of windows that each test rejects at a nominal 5%, with its exact interval where the window is honest, and the area under "
        "ROC against honest windows at 5% of attackers. `windows.py` says what the pairs are and which of the paper's are missing."
    )
    heads = ("pair", "space", "queries", "test", *("honest" if share == 0 else f"{share:.0%}" for share in SHARES), "area at 5%")
    text = f"## Windows of queries\n\n{words}\n\n" + table(heads, (_row(key, row) for key, row in known.items()))
    text += "\n\n" + table(("space", *heads[2:]), _means(known))
    return text + ("\n\nWindows that the corpora cannot fill:\n\n" + "\n".join(missing) if missing else "")


def _row(key: tuple[str, str, int, str], row: dict[float, dict[str, Any]]) -> list[str]:
    pair, space, size, method = key
    honest = row[0.0]
    cells = [f"{honest['rate']:.1%} ({honest['low']:.1%} to {honest['high']:.1%})"]
    cells += [f"{row[share]['rate']:.1%}" for share in SHARES if share]
    return [pair, space, f"{size:,}", method, *cells, f"{row[0.05]['area']:.2f}"]


def _means(known: dict[tuple[str, str, int, str], dict[float, dict[str, Any]]]) -> list[list[str]]:
    """Means over the pairs that have the size."""
    lines: list[list[str]] = []
    for space, size in sorted({(key[1], key[2]) for key in known}):
        for method in METHODS:
            rows = [row for key, row in known.items() if key[1:] == (space, size, method)]
            rates = [sum(row[share]["rate"] for row in rows) / len(rows) for share in SHARES]
            area = sum(row[0.05]["area"] for row in rows) / len(rows)
            lines.append([f"mean of {len(rows)} pairs, {space}", f"{size:,}", method, *(f"{rate:.1%}" for rate in rates), f"{area:.2f}"])
    return lines
