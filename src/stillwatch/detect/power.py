"""What a run could have found, so that finding nothing means something."""

from __future__ import annotations

from stillwatch.detect.settings import DetectSettings
from stillwatch.errors import TooFewSamplesError
from stillwatch.link.validate import SPARE
from stillwatch.records.findings import Power
from stillwatch.stats.power import smallest_detectable, smallest_testable_group

SMALLEST_GROUP, LEAST_EACH = 8, 20
"""Eight accounts with twenty exchanges each that share a wording, a list, a clock and an address are validated nearly always among twenty
nominations; five three times in four, three half of the time. tests/calibration/test_power.py measures it with the product's validation."""


def power(*, reference: int, groups: int, accounts: int, able: int, draws: int, settings: DetectSettings, pooling_level: float) -> Power:
    """The smallest campaign that this run could have reported.

    Args:
        reference: baseline entities.
        groups, accounts: entities judged.
        able: accounts with enough exchanges to be compared.
        draws: random sets per candidate group.
        settings: level and bounds of judgement.
        pooling_level: level of the groups' validation.
    """
    try:
        smallest = smallest_testable_group(owners=able, draws=draws, level=pooling_level)
    except TooFewSamplesError as error:
        return _blind(f"Too few accounts ({error.got}) have enough exchanges to compare a group with; {error.needed} are needed.")
    smallest = max(SMALLEST_GROUP, smallest)
    if able < (1 + SPARE) * smallest:
        return _blind(f"Too few accounts ({able}) have enough exchanges to compare a group with; {(1 + SPARE) * smallest} are needed.")
    each = max(LEAST_EACH, -(-settings.least_exchanges // smallest))
    try:
        # groups and accounts are two families, each run at half the level
        needed = smallest_detectable(reference_size=reference, tested=accounts, level=settings.level / 2)
    except TooFewSamplesError as error:
        return _blind(f"Too few accounts ({error.got}) have enough exchanges for a baseline of single accounts; none could be judged.")
    words = (
        f"{reference:,} baseline accounts stand against {groups:,} groups and {accounts:,} single accounts, at a false discovery rate of "
        f"{settings.level:.0%}. The smallest campaign that this run had the power to see is {smallest} accounts with {each} exchanges each "
        f"that share a fixed wording, one list in equal shares, a clock and an address, and whose traffic stands out from {settings.pools} "
        "random pools of accounts. With fewer of these in common it takes more accounts, or is missed. One account alone "
        f"needs {settings.least_account_exchanges} exchanges and a p-value of {needed.p_needed:.1e} or less. What is smaller, more diluted "
        "or better mixed could not have been seen."
    )
    return Power(accounts=smallest, exchanges_per_account=each, single_account_exchanges=settings.least_account_exchanges, words=words)


def _blind(words: str) -> Power:
    return Power(
        accounts=None, exchanges_per_account=None, single_account_exchanges=None, words=f"{words} That nothing was found here says nothing."
    )
