"""The cells of the benchmark: which campaign stands in which log, and what is to be reached."""

from __future__ import annotations

from dataclasses import dataclass

from campaigns.hostile import PASSED_ON, Scheme
from stillwatch.simulate.world import Paraphrase, Tactic

# campaigns of 26 a day and account last so long in the sweeps: the corpora give so many rows to campaigns, and the more to honest people
SWEPT_DAYS = 3
# the published campaign of 26 a day and account lasted 45 days; a shorter one makes a leaked share harder to keep low
PLANNED_DAYS = 21
FIXED, DEALT, REASONING = Tactic.FIXED_PROMPT, Tactic.DEALT_LIST, Tactic.REASONING_ELICITATION


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One campaign beside the honest accounts of a split.

    Attributes:
        scheme: None: honest accounts alone.
        seeds: how many seeds the report runs.
        replay: whether prefixes of the log are scanned to see how much leaks before the first finding.
        sweep: the curve that the cell is a point of, as (curve, place on the horizontal axis); a cell may lie on several.
    """

    name: str
    scheme: Scheme | None
    seeds: int = 1
    replay: bool = False
    sweep: tuple[tuple[str, float], ...] = ()

    @property
    def claim(self) -> str:
        """What counts as found: pooling for traffic that is only passed on, harvest for all else."""
        return "pooling" if self.scheme and self.scheme.tactic in PASSED_ON else "harvest"


def _dilution(tactic: Tactic, name: str, accounts: int = 100) -> list[Cell]:
    """Accounts at 26 a day, more and more honest traffic among it; of 100 accounts, the first two are what is to be reached.

    The corpora have cover for 25 accounts at every share.
    """
    whole = accounts == 100
    return [
        Cell(
            name=f"{name}-{accounts}-dilution-{share}",
            scheme=Scheme(tactic=tactic, accounts=accounts, requests_per_day=26, dilution=share / 100, days=SWEPT_DAYS),
            seeds=3 if whole and share <= 50 else 1,
            sweep=((f"{name}, dilution" if whole else f"{name}, dilution of {accounts} accounts", share),),
        )
        for share in (0, 50, 80, 95)
    ]


def _infrastructure(tactic: Tactic, name: str) -> list[Cell]:
    return [
        Cell(
            name=f"{name}-100-dilution-50-infrastructure-{share}",
            scheme=Scheme(tactic=tactic, accounts=100, requests_per_day=26, dilution=0.5, infrastructure=share / 100, days=SWEPT_DAYS),
            sweep=((f"{name}, shared infrastructure", share),),
        )
        for share in (50, 100)
    ]


def _jitter(tactic: Tactic, name: str) -> list[Cell]:
    return [
        Cell(
            name=f"{name}-100-dilution-50-jitter-{share}",
            scheme=Scheme(tactic=tactic, accounts=100, requests_per_day=26, dilution=0.5, jitter=share / 100, days=SWEPT_DAYS),
            sweep=((f"{name}, jitter", share),),
        )
        for share in (0, 50)
    ]


def _paraphrase() -> list[Cell]:
    return [
        Cell(
            name=f"fixed-100-dilution-50-paraphrase-{level.value}",
            scheme=Scheme(tactic=FIXED, accounts=100, requests_per_day=26, dilution=0.5, paraphrase=level, days=SWEPT_DAYS),
            sweep=(("fixed, paraphrase", place),),
        )
        for place, level in ((1, Paraphrase.LIGHT), (2, Paraphrase.HEAVY))
    ]


def _volumes() -> list[Cell]:
    """Accounts by rate, as far as the corpora go; cells that they cannot fill are told as such."""
    wanted = [
        *((1, 5, 4), (1, 26, 3), (1, 100, 4), (1, 700, 3), (10, 5, 4), (10, 26, 3), (10, 100, 4), (10, 700, 1)),
        *((100, 5, 4), (100, 100, 1), (500, 5, 3), (1_000, 5, 2), (1_000, 26, 3), (1_000, 100, 4), (1_000, 700, 4)),
    ]
    return [
        Cell(
            name=f"fixed-{accounts}-rate-{rate}",
            scheme=Scheme(tactic=FIXED, accounts=accounts, requests_per_day=rate, days=days),
            sweep=((f"fixed, accounts at {rate} a day", accounts),),
        )
        for accounts, rate, days in wanted
    ]


def _dealt_volumes() -> list[Cell]:
    return [
        Cell(
            name=f"dealt-{accounts}-rate-{rate}",
            scheme=Scheme(tactic=DEALT, accounts=accounts, requests_per_day=rate, days=SWEPT_DAYS),
            sweep=((f"dealt, accounts at {rate} a day", accounts),),
        )
        for accounts, rate in ((10, 26), (10, 100), (500, 5))
    ]


def _tactics() -> list[Cell]:
    def scheme(tactic: Tactic, accounts: int, rate: float, **knobs: float) -> Scheme:
        return Scheme(tactic=tactic, accounts=accounts, requests_per_day=rate, **knobs)  # pyright: ignore[reportArgumentType]

    heavy = Paraphrase.HEAVY
    return [
        Cell(name="reasoning-20", scheme=scheme(REASONING, 20, 26), seeds=3),
        Cell(name="reasoning-100", scheme=scheme(REASONING, 100, 26), seeds=1),
        Cell(
            name="reasoning-20-paraphrase-heavy",
            scheme=Scheme(tactic=REASONING, accounts=20, requests_per_day=26, paraphrase=heavy),
        ),
        Cell(name="heavy-account", scheme=scheme(Tactic.HEAVY_ACCOUNT, 1, 525), seeds=20),
        Cell(name="relay", scheme=scheme(Tactic.RELAY, 40, 10), seeds=3),
        Cell(name="store-and-replay", scheme=scheme(Tactic.STORE_AND_REPLAY, 40, 10), seeds=3),
        Cell(name="grading-and-cleaning", scheme=scheme(Tactic.GRADING_AND_CLEANING, 25, 26)),
        Cell(name="probe-then-scale", scheme=scheme(Tactic.PROBE_THEN_SCALE, 30, 26)),
    ]


CELLS: tuple[Cell, ...] = (
    Cell(name="honest", scheme=None, seeds=5),
    *_dilution(FIXED, "fixed"),
    *_dilution(DEALT, "dealt"),
    *_tactics(),
    Cell(
        name="fixed-500",
        scheme=Scheme(tactic=FIXED, accounts=500, requests_per_day=26, first=4, days=15 / 26, planned=PLANNED_DAYS),
        seeds=3,
        replay=True,
    ),
    *_dilution(FIXED, "fixed", accounts=25),
    *_dilution(DEALT, "dealt", accounts=25),
    *_paraphrase(),
    *_infrastructure(FIXED, "fixed"),
    *_infrastructure(DEALT, "dealt"),
    *_jitter(FIXED, "fixed"),
    *_jitter(DEALT, "dealt"),
    *_volumes(),
    *_dealt_volumes(),
)

# cells that are the end of a sweep without being made for it
ALSO_ON: dict[str, tuple[tuple[str, float], ...]] = {
    "fixed-100-dilution-50": (("fixed, paraphrase", 0), ("fixed, shared infrastructure", 0), ("fixed, jitter", 100)),
    "dealt-100-dilution-50": (("dealt, shared infrastructure", 0), ("dealt, jitter", 100)),
    "fixed-100-dilution-0": (("fixed, accounts at 26 a day", 100),),
    "dealt-100-dilution-0": (("dealt, accounts at 26 a day", 100),),
}

QUICK = ("honest", "fixed-10-rate-26")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What one or several cells are to reach.

    Attributes:
        measure: recall, found (share of seeds), harvest claimed (where none is), false findings or leaked.
        least: of recall or of the share found; None where it does not apply.
        precision: least precision; None where it does not apply.
        most: of false findings per 1,000 or of the share leaked.
    """

    words: str
    cells: tuple[str, ...]
    measure: str
    least: float | None = None
    precision: float | None = None
    most: float | None = None


REACH: tuple[Reach, ...] = (
    Reach(
        words="fixed prompt, 100 accounts, 26 a day, no shared infrastructure, 50% dilution",
        cells=("fixed-100-dilution-50",),
        measure="recall",
        least=0.95,
        precision=0.99,
    ),
    Reach(
        words="dealt-out list, 100 accounts, 26 a day, 0% dilution",
        cells=("dealt-100-dilution-0",),
        measure="recall",
        least=0.8,
        precision=0.95,
    ),
    Reach(words="the same, 50% dilution", cells=("dealt-100-dilution-50",), measure="recall", least=0.6, precision=0.95),
    Reach(words="reasoning elicitation, 20 accounts", cells=("reasoning-20",), measure="recall", least=0.9, precision=0.95),
    Reach(words="one heavy account, 2,100 requests: share of seeds", cells=("heavy-account",), measure="found", least=0.95),
    Reach(words="relay: recall of pooling", cells=("relay",), measure="recall", least=0.9),
    Reach(words="store-and-replay: recall of pooling", cells=("store-and-replay",), measure="recall", least=0.9),
    Reach(
        words="relay and store-and-replay, which harvest nothing: share of accounts said to harvest",
        cells=("relay", "store-and-replay"),
        measure="harvest claimed",
        most=0.0,
    ),
    Reach(words="honest traffic alone: false findings per 1,000 entities", cells=("honest",), measure="false findings", most=1.0),
    Reach(words="leaked before the first finding, fixed prompt over 500 accounts", cells=("fixed-500",), measure="leaked", most=0.02),
)
