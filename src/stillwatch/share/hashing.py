"""Indicators as digests: keyed by what two partners share, so that nobody else can try texts out; unkeyed only on demand."""

from __future__ import annotations

import hashlib
from typing import Protocol

from stillwatch.marks.keys import KEY_BYTES, MasterSecret, hkdf_sha256

KEYED, UNKEYED = "hmac-sha256", "sha256"
DIGEST_HEX = 32
"""Hexadecimal digits of a digest: 128 bits, so that two of a billion fingerprints share one with a probability below 1e-20."""

_SALT = b"stillwatch sharing v1"
_BLOCK = hashlib.sha256().block_size
_INNER, _OUTER = 0x36, 0x5C

UNKEYED_WARNING = (
    "The digests of this profile are not keyed: whoever has the file can compute the digest of any prompt, system prompt, passage or "
    "user agent that he can guess and see whether it stands in here. Give it only to somebody who may know that; better, share a key."
)


class Hashing(Protocol):
    """A way of making digests."""

    @property
    def method(self) -> str:
        """KEYED or UNKEYED."""
        ...

    @property
    def key_id(self) -> str | None:
        """Says which key was used without giving it away; None: none was."""
        ...

    def digest(self, kind: str, value: bytes) -> bytes:
        """16 bytes that depend on the kind of indicator and its value."""
        ...


class Keyed:
    """HMAC-SHA-256 (RFC 2104) under a key that HKDF (RFC 5869) derives from the partners' shared secret."""

    method = KEYED

    def __init__(self, shared: MasterSecret) -> None:
        key = hkdf_sha256(shared.reveal(), salt=_SALT, info=b"indicators", length=KEY_BYTES)
        self.key_id: str | None = hkdf_sha256(shared.reveal(), salt=_SALT, info=b"key id", length=8).hex()
        block = key.ljust(_BLOCK, b"\0")
        # the two padded keys are hashed once: of a digest only the value's own blocks are left to do
        self._inner = hashlib.sha256(bytes(byte ^ _INNER for byte in block))
        self._outer = hashlib.sha256(bytes(byte ^ _OUTER for byte in block))

    def digest(self, kind: str, value: bytes) -> bytes:
        """As `Hashing.digest`."""
        inner = self._inner.copy()
        inner.update(kind.encode() + b"\0" + value)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()[: DIGEST_HEX // 2]


class Unkeyed:
    """Plain SHA-256: whoever can guess a text can try it."""

    method = UNKEYED
    key_id: str | None = None

    def digest(self, kind: str, value: bytes) -> bytes:
        """As `Hashing.digest`."""
        return hashlib.sha256(kind.encode() + b"\0" + value).digest()[: DIGEST_HEX // 2]


def value_bytes(value: str) -> bytes:
    """What is hashed of a text; lone surrogates are kept apart."""
    return value.encode("utf-8", "surrogatepass")
