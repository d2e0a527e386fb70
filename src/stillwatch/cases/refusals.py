"""What the case store refuses."""

from __future__ import annotations

from stillwatch.errors import StillwatchError, UsageError


class CaseStoreError(StillwatchError):
    """The store cannot be opened, read or written."""


class StoreVersionError(CaseStoreError):
    """The store was made by another version of the program."""


class BusyStoreError(CaseStoreError):
    """Somebody else holds the store for longer than is waited."""


class StaleCaseError(CaseStoreError):
    """The case was changed since it was looked at, so that what was to be done may no longer be right."""


class UnknownCaseError(UsageError):
    """There is no such case, exhibit or task."""


class CaseStateError(UsageError):
    """The case is in a state that does not allow the act, such as closed or merged."""
