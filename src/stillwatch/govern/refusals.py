"""What governance refuses, by kind: a vault, a person, an act, an approval, a policy."""

from __future__ import annotations

from stillwatch.errors import StillwatchError


class GovernanceError(StillwatchError):
    """Root of what governance refuses."""


class VaultError(GovernanceError):
    """Something cannot be opened: another key, another place, changed, or cut off; the message holds neither key nor content."""


class PersonError(GovernanceError):
    """A name that no person can go by, or that could be mistaken for another's."""


class PolicyError(GovernanceError):
    """A governance file says something that cannot be kept to."""


class DeniedError(GovernanceError):
    """The policy does not let this person do this."""


class ApprovalError(GovernanceError):
    """Two people are needed, and there are not two, or they did not mean the same."""
