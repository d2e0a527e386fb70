"""What it costs a campaign to stay unseen, as pictures."""

from __future__ import annotations

from pathlib import Path

from campaigns.summing import Point, Result, points

TITLES = {
    "dilution": "honest traffic among the campaign's, %",
    "paraphrase": "paraphrase: 0 none, 1 light, 2 heavy",
    "shared infrastructure": "accounts that share infrastructure, %",
    "jitter": "requests at each account's own hours, %",
    "accounts": "accounts",
}
INK, RIVAL = "#1f4e79", "#b0b0b0"
LOGARITHMIC = "accounts"


def draw_curves(results: list[Result], folder: Path) -> list[tuple[str, Path]]:
    """One SVG per sweep with at least two points; titles and paths."""
    drawn: list[tuple[str, Path]] = []
    for name, places in points(results).items():
        if len(places) >= 2:
            path = folder / f"campaigns-{name.replace(',', '').replace(' ', '-')}.svg"
            _draw(name, places, path)
            drawn.append((f"Recall by {name}", path))
    return drawn


def _draw(name: str, places: list[Point], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    mpl.rcParams["svg.hashsalt"] = name  # the same results give the same file
    figure, axes = plt.subplots(figsize=(5, 3))
    across = [point.place for point in places]
    axes.plot(across, [point.rival for point in places], "s--", color=RIVAL, label="best baseline, same false accusations")
    claimed = [point.claimed for point in places]
    axes.plot(across, claimed, "^:", color=INK, markersize=10, fillstyle="none", label="Stillwatch: and said to harvest")
    axes.plot(across, [point.named for point in places], "o-", color=INK, label="Stillwatch: named as acting as one")
    axes.set(ylim=(-0.03, 1.03), ylabel="account recall", title=name)
    word = next((title for key, title in TITLES.items() if key in name), name)
    axes.set_xlabel(word)
    axes.set_xticks(across)
    if word == LOGARITHMIC:
        axes.set_xscale("log")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, loc="best")
    figure.tight_layout()
    figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)
