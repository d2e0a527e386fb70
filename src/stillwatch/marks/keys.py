"""One master secret, the keys derived from it, and commitments that can be published before a key is used."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import NoReturn

from stillwatch.errors import StillwatchError

KEY_BYTES = 32
LONGEST_FIELD = 1024
"""Bytes of a purpose, an account or a period; longer ones are a mistake."""

_DIGEST_BYTES = hashlib.sha256().digest_size
_FEWEST_DIFFERENT_BYTES = 16
"""32 random bytes hold fewer different values with a probability below 1e-15; a typed word or a repeated byte does so often."""
_MAKE_ONE = "make one with `stillwatch mark keys`"
_TEXT_FORM = "stillwatch-master-v1:"
_DIGITS = re.compile(r"(?:[0-9a-f]{2})+")
_SALT = b"stillwatch marks v1"
_COMMITMENT = b"stillwatch marks commitment v1\0"


class KeyMaterialError(StillwatchError):
    """A secret, or what a key is derived for, cannot be used; the message never holds the secret."""


class _Secret:
    """Bytes that no representation, comparison, copy or serialisation gives away."""

    __slots__ = ("_secret",)
    _kind = b""
    """What a commitment names, so that secrets of different kinds never share one."""

    def __init__(self, secret: bytes) -> None:
        self._secret = bytes(secret)

    def reveal(self) -> bytes:
        """The bytes themselves, for arithmetic and for key files; never for a message or a log."""
        return self._secret

    def commitment(self) -> str:
        """See `keys.commitment`."""
        digest = hashlib.sha256(_COMMITMENT + self._kind + b"\0" + len(self._secret).to_bytes(4, "big") + self._secret)
        return f"sha256:{digest.hexdigest()}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}(hidden)"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and hmac.compare_digest(self._secret, other._secret)

    def __hash__(self) -> int:
        return hash(self.commitment())

    def __reduce__(self) -> NoReturn:
        raise KeyMaterialError(f"a {type(self).__name__} was to be serialised; pass its commitment, or derive it again where it is needed")


class MasterSecret(_Secret):
    """The secret that every key comes from: at least 32 bytes of the operating system's random source.

    Raises KeyMaterialError for fewer bytes, and for bytes that no random source gives (fewer than 16 different values).
    """

    __slots__ = ()
    _kind = b"master"

    def __init__(self, secret: bytes) -> None:
        if len(secret) < KEY_BYTES:
            found = f"a master secret has {len(secret)} bytes, at least {KEY_BYTES} random ones were expected"
            raise KeyMaterialError(f"{found}; {_MAKE_ONE}")
        different = len(set(secret))
        if different < _FEWEST_DIFFERENT_BYTES:
            found = f"a master secret holds {different} different byte values, at least {_FEWEST_DIFFERENT_BYTES} were expected"
            raise KeyMaterialError(f"{found} of random bytes; {_MAKE_ONE}")
        super().__init__(secret)


class MarkKey(_Secret):
    """A derived key of exactly 32 bytes, for one purpose, account and period. Raises KeyMaterialError for another length."""

    __slots__ = ()
    _kind = b"key"

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise KeyMaterialError(f"a mark key has {len(secret)} bytes, {KEY_BYTES} were expected; derive it with `keys.derive`")
        super().__init__(secret)

    @property
    def word(self) -> int:
        """The first 64 bits, little-endian: the key of the integer PRF. A secret too."""
        return int.from_bytes(self._secret[:8], "little")


def master_text(master: MasterSecret) -> str:
    """The one line that a key file or the environment holds. A secret."""
    return f"{_TEXT_FORM}{master.reveal().hex()}\n"


def master_of_text(text: str, where: str) -> MasterSecret:
    """The secret that `master_text` wrote.

    Args:
        text: the line.
        where: it was found, for messages; they never hold the text.

    Raises KeyMaterialError for another form or a secret that `MasterSecret` refuses.
    """
    line = text.strip()
    digits = line.removeprefix(_TEXT_FORM)
    if digits == line or _DIGITS.fullmatch(digits) is None:
        raise KeyMaterialError(f"{where} holds no line of {_TEXT_FORM!r} and hexadecimal digits; {_MAKE_ONE}")
    return MasterSecret(bytes.fromhex(digits))


def hkdf_sha256(secret: bytes, *, salt: bytes, info: bytes, length: int) -> bytes:
    """`length` bytes derived from `secret`; extract, then expand.

    Raises KeyMaterialError for a length outside [1, 255 * 32].

    Source: RFC 5869, sections 2.2 and 2.3, with SHA-256.
    """
    if not 1 <= length <= 255 * _DIGEST_BYTES:
        raise KeyMaterialError(f"{length} bytes were asked of HKDF-SHA256, which gives 1 to {255 * _DIGEST_BYTES}; ask for fewer")
    extracted = hmac.digest(salt or bytes(_DIGEST_BYTES), secret, "sha256")
    block, output = b"", b""
    for counter in range(1, -(-length // _DIGEST_BYTES) + 1):
        block = hmac.digest(extracted, block + info + bytes([counter]), "sha256")
        output += block
    return output[:length]


def encode_fields(*fields: str | None) -> bytes:
    """The fields as bytes from which they can be read back, so that different fields never give the same bytes.

    Each field is one byte that says whether it is there, its length as four bytes, big-endian, and its UTF-8.
    Raises KeyMaterialError for a field that is empty, has no UTF-8 or is longer than LONGEST_FIELD bytes.
    """
    parts: list[bytes] = []
    for place, field in enumerate(fields, 1):
        if field is None:
            parts.append(b"\0")
            continue
        try:
            encoded = field.encode()
        except UnicodeEncodeError:
            raise KeyMaterialError(f"field {place} of a key holds a lone surrogate; pass text that has a UTF-8 form") from None
        if not 1 <= len(encoded) <= LONGEST_FIELD:
            message = f"field {place} of a key has {len(encoded)} bytes, 1 to {LONGEST_FIELD} were expected; pass None for what is absent"
            raise KeyMaterialError(message)
        parts.append(b"\1" + len(encoded).to_bytes(4, "big") + encoded)
    return b"".join(parts)


def derive(master: MasterSecret, *, purpose: str, account: str | None, period: str) -> MarkKey:
    """The key for one purpose, account and period: the same whenever asked, and independent of every other.

    Args:
        master: the secret that it comes from.
        purpose: what the key marks, such as `green-list`; a key serves one purpose.
        account: the account whose answers it marks; None: one key for all accounts, which cannot tell who trained on them.
        period: when it is in use, such as `2026-11`; rotation is another period.

    Raises KeyMaterialError for an empty or overlong field.

    Source: RFC 5869. Assumption of every p-value built on it: HMAC-SHA256 is a pseudorandom function.
    """
    return MarkKey(hkdf_sha256(master.reveal(), salt=_SALT, info=encode_fields(purpose, account, period), length=KEY_BYTES))


def commitment(secret: MasterSecret | MarkKey) -> str:
    """`sha256:` and 64 hexadecimal digits that say which secret is meant without giving it away.

    It binds (nobody finds a second secret with the same commitment) and, because the secret is at least 32 random bytes, it hides.
    Publish it before the secret marks anything; a master's commitment differs from that of any derived key.

    Assumption: SHA-256 is collision resistant and one-way.
    """
    return secret.commitment()


def keyed_digest(key: MarkKey, *fields: str | None) -> bytes:
    """32 bytes that depend on the key and on every field: HMAC-SHA256 over `encode_fields`. Errors as there."""
    return hmac.digest(key.reveal(), encode_fields(*fields), "sha256")


def keyed_choice(key: MarkKey, choices: int, *fields: str | None) -> int:
    """A whole number in [0, choices), uniform over keys up to 2 ** -192 for fewer than 2 ** 64 choices.

    Raises KeyMaterialError for no choices.
    """
    if not 1 <= choices < 2**64:
        raise KeyMaterialError(f"a keyed choice among {choices} was asked for, among 1 to 2 ** 64 - 1 was expected")
    return int.from_bytes(keyed_digest(key, *fields), "big") % choices
