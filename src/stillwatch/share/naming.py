"""Names under which accounts, exchanges and entities leave: one pseudonym per recipient, or the identifiers themselves within the house."""

from __future__ import annotations

import hmac
from typing import Protocol

from stillwatch.errors import UsageError
from stillwatch.marks.keys import MarkKey, MasterSecret, derive

PURPOSE = "pseudonyms"
VERSION = "v1"
_DIGITS = 24
"""Hexadecimal digits of a pseudonym, 96 bits: of a billion accounts two share one with a probability below 1e-11."""

LONGEST_RECIPIENT = 200


class Names(Protocol):
    """What things are called in an export."""

    @property
    def in_house(self) -> bool:
        """Whether the identifiers themselves are kept."""
        ...

    def of(self, kind: str, value: str) -> str:
        """The name of something; the same kind and value always get the same one."""
        ...


class Pseudonyms:
    """Names that one recipient sees. Another recipient sees others, so that two of them cannot join what they were given.

    A pseudonym is the start of HMAC-SHA-256 under a key derived for the recipient, so nobody without the key can try identifiers out.
    """

    in_house = False

    def __init__(self, key: MarkKey) -> None:
        self._key = key

    def of(self, kind: str, value: str) -> str:
        """As `Names.of`: the kind, a hyphen and 24 hexadecimal digits."""
        message = kind.encode() + b"\0" + value.encode("utf-8", "surrogatepass")
        return f"{kind}-{hmac.digest(self._key.reveal(), message, 'sha256').hex()[:_DIGITS]}"


class Identifiers:
    """The identifiers themselves, for use within the house."""

    in_house = True

    def of(self, kind: str, value: str) -> str:  # noqa: ARG002 - the names of a partner need the kind
        """The value itself."""
        return value


def pseudonyms_for(master: MasterSecret, recipient: str) -> Pseudonyms:
    """The pseudonyms that `recipient` sees, derived from the master secret. Raises UsageError for an empty or overlong name."""
    name = recipient.strip()
    if not name or len(name) > LONGEST_RECIPIENT or not name.isprintable():
        raise UsageError(
            f"--recipient has {len(name)} characters; it takes a printable name of 1 to {LONGEST_RECIPIENT}, such as acme-labs"
        )
    return Pseudonyms(derive(master, purpose=PURPOSE, account=name, period=VERSION))
