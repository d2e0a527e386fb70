"""What judgement is set to; each bound with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectSettings:
    """Settings of the detect stage.

    Attributes:
        level: false discovery rate of harvest findings, over groups and accounts together.
        least_exchanges: exchanges that a group needs before it is judged; with fewer, its shares are mostly noise.
        least_account_exchanges: exchanges that an account needs before it is judged by itself: fewer are no harvest worth the name,
            and every account that is judged costs the others power.
        reference_least: exchanges that an account needs to stand in the baseline.
        reference_size: baseline entities per judged entity, those of nearest volume, half of them lighter and half heavier.
        folds: parts into which accounts are split so that none is compared with itself.
        agreeing_families: families of signals that must each stand out before harvest is claimed; one oddity is no harvest.
        telling_families: how many of them must be families that a plain single-turn product does not show by being one.
        watch_level: p-value up to which an account that does not pass the correction is still listed, for information.
        watch_rate: false discovery rate up to which it is listed; in a large log, one account in two hundred would be far too many.
        public_share: share of an account's prompts that several others sent as well, from which it is taken to work through a test set.
        pools: random pools of ordinary accounts that a group is compared with.
        agreeing_level: p-value at which a family stands out.
        open_customer: share of a group's accounts that openly share an organisation, a mail domain or a network, from which it is judged
            as one customer too.
        clear_exchanges: exchanges from which a finding can be more than low: less is not worth a false accusation.
        serious_exchanges: exchanges from which it can be more than medium: a class or a hackathon sends less.
        detailed: findings that get pictures and exhibits.
        licence_phrases: phrases in an account's declared use that say the provider has licensed the use.
        licence_verifications: values of `verification` with which such a phrase counts; a form that anybody can fill in licenses nobody.
    """

    level: float = 0.05
    least_exchanges: int = 100
    least_account_exchanges: int = 500
    reference_least: int = 40
    reference_size: int = 400
    folds: int = 5
    agreeing_families: int = 3
    telling_families: int = 2
    watch_level: float = 0.005
    watch_rate: float = 0.5
    public_share: float = 0.5
    pools: int = 400
    agreeing_level: float = 0.05
    open_customer: float = 0.75
    clear_exchanges: int = 500
    serious_exchanges: int = 5_000
    detailed: int = 25
    licence_phrases: tuple[str, ...] = ("under licence", "under license", "licensed training", "licensed distillation")
    licence_verifications: tuple[str, ...] = ("contract", "licensed")
