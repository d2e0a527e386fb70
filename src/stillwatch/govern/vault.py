"""Encryption at rest: a random key for each thing that is stored, wrapped under a key that lies elsewhere. Pure.

What is stored is AES-256-GCM under a data key of its own; the data key stands before it, wrapped with AES-256-GCM under a key of the vault.
Changing the vault's key writes the wrapped part anew and leaves the rest as it is. The place of a thing is authenticated with it, so that
it opens there and nowhere else.

Source: NIST SP 800-38D (GCM, with random nonces of 96 bits). Assumption: AES-256-GCM is an authenticated cipher. A data key encrypts one
thing; a vault key wraps random data keys under random nonces, which section 8.3 there allows up to 2 ** 32 times.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stillwatch.govern.refusals import VaultError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
KEY_ID_BYTES = 8
MAGIC = b"SWV1"
"""What everything sealed begins with."""

_NONCE_BYTES, _TAG_BYTES = 12, 16
_WRAPPED_BYTES = _NONCE_BYTES + KEY_BYTES + _TAG_BYTES
OVERHEAD = len(MAGIC) + KEY_ID_BYTES + _WRAPPED_BYTES + _NONCE_BYTES + _TAG_BYTES
"""Bytes by which a sealed thing is longer."""

_FORM = "stillwatch-vault-v1:"
_DIGITS = re.compile(r"[0-9a-f]{64}", re.ASCII)
_FEWEST_DIFFERENT_BYTES = 12
"""32 random bytes hold fewer different values with a probability below 1e-20; a typed word or a repeated byte does so often."""

_ID_DOMAIN = b"stillwatch vault key id v1\0"
_WRAP_DOMAIN = b"stillwatch vault wrapped key v1\0"
_DATA_DOMAIN = b"stillwatch vault content v1\0"
_MAKE_ONE = "make one with `stillwatch govern vault-key --out FILE`"


@dataclass(frozen=True, slots=True)
class VaultKey:
    """A key that wraps data keys; no representation gives it away.

    Attributes:
        secret: 32 random bytes.

    Raises VaultError for another length, and for bytes that no random source gives.
    """

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != KEY_BYTES:
            raise VaultError(f"a vault key has {len(self.secret)} bytes, {KEY_BYTES} were expected; {_MAKE_ONE}")
        if len(set(self.secret)) < _FEWEST_DIFFERENT_BYTES:
            raise VaultError(f"a vault key holds {len(set(self.secret))} different byte values, which no random one does; {_MAKE_ONE}")

    @property
    def key_id(self) -> str:
        """16 hexadecimal digits that say which key is meant and give nothing of it away."""
        return hashlib.sha256(_ID_DOMAIN + self.secret).digest()[:KEY_ID_BYTES].hex()


class Vault:
    """Seals under its first key, and opens under any of its keys.

    Args:
        keys: the first is the one in use; the others open what was sealed before a change of keys.

    Raises VaultError for none.
    """

    def __init__(self, keys: Sequence[VaultKey]) -> None:
        if not keys:
            raise VaultError(f"a vault needs a key and got none; {_MAKE_ONE}")
        self._keys = {key.key_id: key for key in reversed(keys)}
        self.key_id = keys[0].key_id

    def seal(self, content: bytes, place: Sequence[str]) -> bytes:
        """The content, so that only a holder of the key reads it, and only in this place. The same content gives other bytes each time."""
        data_key = secrets.token_bytes(KEY_BYTES)
        nonce = secrets.token_bytes(_NONCE_BYTES)
        where = _place_bytes(place)
        body = nonce + _cipher(data_key).encrypt(nonce, content, _DATA_DOMAIN + where)
        return MAGIC + bytes.fromhex(self.key_id) + self._wrapped(data_key, where) + body

    def open(self, sealed: bytes, place: Sequence[str]) -> bytes:
        """What `seal` was given.

        Raises VaultError where it was sealed under a key that this vault lacks, belongs to another place, was changed or cut off.
        """
        where = _place_bytes(place)
        data_key, body = self._unwrapped(sealed, where, place)
        try:
            return _cipher(data_key).decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], _DATA_DOMAIN + where)
        except _invalid():
            raise VaultError(f"what is sealed as {_words(place)} was changed or cut off; restore it from a copy") from None

    def rewrap(self, sealed: bytes, place: Sequence[str]) -> bytes:
        """The same thing under the key in use; only the wrapped part is written anew. Raises VaultError as `open`."""
        where = _place_bytes(place)
        data_key, body = self._unwrapped(sealed, where, place)
        return MAGIC + bytes.fromhex(self.key_id) + self._wrapped(data_key, where) + body

    def box(self, *place: str) -> Box:
        """The vault at one place, as stores take it."""
        return Box(vault=self, place=place)

    def _wrapped(self, data_key: bytes, where: bytes) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + _cipher(self._keys[self.key_id].secret).encrypt(nonce, data_key, _WRAP_DOMAIN + where)

    def _unwrapped(self, sealed: bytes, where: bytes, place: Sequence[str]) -> tuple[bytes, bytes]:
        """The data key, and what follows it."""
        key_id = sealed_under(sealed, place)
        key = self._keys.get(key_id)
        if key is None:
            raise VaultError(
                f"what is sealed as {_words(place)} is under the key {key_id}, and the vault has {', '.join(self._keys)}; give the file of "
                "that key"
            )
        start = len(MAGIC) + KEY_ID_BYTES
        wrapped, body = sealed[start : start + _WRAPPED_BYTES], sealed[start + _WRAPPED_BYTES :]
        try:
            return _cipher(key.secret).decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], _WRAP_DOMAIN + where), body
        except _invalid():
            raise VaultError(
                f"what stands as {_words(place)} was not sealed there: it belongs to another place, or was changed; restore it from a copy"
            ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A vault at one place: what stores of contents ask for (`name`, `seal`, `open`).

    Attributes:
        vault: that seals and opens.
        place: what is bound to the contents.
    """

    vault: Vault = field(repr=False)
    place: tuple[str, ...]

    @property
    def name(self) -> str:
        """What a store notes of how its contents are kept: the cipher and the id of the key in use."""
        return f"aes-256-gcm {self.vault.key_id}"

    def at(self, *place: str) -> Box:
        """The box of a narrower place, such as one row."""
        return Box(vault=self.vault, place=(*self.place, *place))

    def seal(self, content: bytes) -> bytes:
        """See `Vault.seal`."""
        return self.vault.seal(content, self.place)

    def open(self, sealed: bytes) -> bytes:
        """See `Vault.open`."""
        return self.vault.open(sealed, self.place)

    def rewrap(self, sealed: bytes) -> bytes:
        """See `Vault.rewrap`."""
        return self.vault.rewrap(sealed, self.place)


def is_sealed(content: bytes) -> bool:
    """Whether bytes look like something that a vault sealed; nothing is checked."""
    return content.startswith(MAGIC) and len(content) >= OVERHEAD


def sealed_under(sealed: bytes, place: Sequence[str] = ()) -> str:
    """Id of the key that wraps a sealed thing. Raises VaultError for other bytes, and for too few."""
    if not sealed.startswith(MAGIC):
        raise VaultError(f"what stands as {_words(place)} was not sealed by a vault; is it encrypted at all?")
    if len(sealed) < OVERHEAD:
        raise VaultError(
            f"what is sealed as {_words(place)} has {len(sealed)} bytes, at least {OVERHEAD} were expected: it was cut off; restore it "
            "from a copy"
        )
    return sealed[len(MAGIC) : len(MAGIC) + KEY_ID_BYTES].hex()


def key_text(key: VaultKey) -> str:
    """The line that a key file or the environment holds. A secret."""
    return f"{_FORM}{key.secret.hex()}\n"


def keys_of_text(text: str, where: str) -> tuple[VaultKey, ...]:
    """The keys of a key file, one on each line, the one in use first; lines that begin with # say something to people.

    Args:
        text: the lines.
        where: they were found, for messages; they never hold the text.

    Raises VaultError for another form, for none, and for a key that stands twice.
    """
    lines = [line for line in (line.strip() for line in re.split(r"[\r\n]+", text)) if line and not line.startswith("#")]
    keys: list[VaultKey] = []
    for number, line in enumerate(lines, 1):
        digits = line.removeprefix(_FORM)
        if digits == line or _DIGITS.fullmatch(digits) is None:
            raise VaultError(f"{where}: key {number} is no line of {_FORM!r} and 64 hexadecimal digits; {_MAKE_ONE}")
        keys.append(VaultKey(bytes.fromhex(digits)))
    if not keys:
        raise VaultError(f"{where} holds no key; {_MAKE_ONE}")
    if len({key.key_id for key in keys}) != len(keys):
        raise VaultError(f"{where} holds a key twice; leave one of them out")
    return tuple(keys)


def _place_bytes(place: Sequence[str]) -> bytes:
    """Different places never give the same bytes: each part's length stands before it."""
    if not place or not all(place):
        raise VaultError("a place in the vault has parts, none of which is empty; say what is stored and under which id")
    parts = [part.encode("utf-8", "surrogatepass") for part in place]
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _words(place: Sequence[str]) -> str:
    return ascii("/".join(place))[:120] if place else "a sealed thing"


def _cipher(key: bytes) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


def _invalid() -> type[Exception]:
    from cryptography.exceptions import InvalidTag

    return InvalidTag
