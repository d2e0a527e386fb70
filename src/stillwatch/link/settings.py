"""What linking is set to; each bound with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSettings:
    """Settings of the link stage.

    Attributes:
        smallest_group: accounts in the smallest group that is reported.
        least_exchanges: exchanges that an account needs before its subjects and hours say anything by themselves.
        least_compared: exchanges, in all or with the group's wording, that an account needs to be compared with others.
        least_share: share of an account's exchanges that a wording must make up to nominate it (median over its carriers);
            a phrase that everybody uses now and then nominates nothing.
        nominations: at most this many candidate groups are validated, strongest first.
        draws: random sets of independent customers that each candidate is compared with.
        promising: p-value up to which a candidate is asked again.
        confirming_draws: random sets of the second asking, whose answer counts.
        sample: accounts of a candidate that are compared; a larger candidate is sampled.
        level: false discovery rate of pooling.
        aspect_level: p-value at which one aspect counts as corroborating: 1 % shared among the five that may speak beside one that does
            anyway, since customers of one kind are surely alike in something.
        corroborations: how many aspects, independent of the nominating trace, must corroborate.
        shared_task: share of prompts in common from which a common list (a test set, an assignment) explains subjects and volume.
        narrow_subjects: effective number of subjects below which a wording is itself about something.
        public_share: share of an account's prompts that are public items (sent by several others) from which it is taken to work through
            a test set, and is no member of a group whose others do not.
        alike: largest relative distance at which two accounts' subjects count as drawn from one list.
        broad_subjects: effective number of subjects that an account needs for that to mean anything.
        least_membership: members below this strength are pruned.
    """

    smallest_group: int = 3
    least_exchanges: int = 20
    least_compared: int = 10
    least_share: float = 0.1
    nominations: int = 100
    draws: int = 249
    promising: float = 0.02
    confirming_draws: int = 999
    sample: int = 100
    level: float = 0.01
    aspect_level: float = 0.002
    corroborations: int = 2
    shared_task: float = 0.25
    narrow_subjects: float = 6.0
    public_share: float = 0.5
    alike: float = 0.12
    broad_subjects: float = 12.0
    least_membership: float = 0.25
