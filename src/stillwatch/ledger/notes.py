"""C2SP signed notes: text, signature lines, and keys that verify them. Pure.

Source: c2sp.org/signed-note v1.0.0.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import unicodedata
from dataclasses import dataclass
from enum import IntEnum

from stillwatch.ledger.refusals import NoteError

LARGEST_NOTE = 128 * 1024
MOST_SIGNATURES = 32
_LONGEST_NAME = 255
_DASH = "— "


class Kind(IntEnum):
    """What a key signs, by the byte that the specification gives it."""

    ED25519 = 0x01
    ED25519_COSIGNATURE = 0x04
    ML_DSA_44_COSIGNATURE = 0x06


PUBLIC_BYTES = {Kind.ED25519: 32, Kind.ED25519_COSIGNATURE: 32, Kind.ML_DSA_44_COSIGNATURE: 1312}
SIGNATURE_BYTES = {Kind.ED25519: 64, Kind.ED25519_COSIGNATURE: 64, Kind.ML_DSA_44_COSIGNATURE: 2420}
PAYLOAD_BYTES = {Kind.ED25519: 64, Kind.ED25519_COSIGNATURE: 8 + 64, Kind.ML_DSA_44_COSIGNATURE: 8 + 2420}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A signature line: the key's name, its four-byte id, and what it signed with."""

    name: str
    key_id: bytes
    payload: bytes

    def line(self) -> str:
        """With its line end."""
        return f"{_DASH}{self.name} {base64.b64encode(self.key_id + self.payload).decode()}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A text that ends with a line end, and signatures; nothing of it is trusted before a signature was verified."""

    text: str
    signatures: tuple[Signature, ...]

    def content(self) -> bytes:
        """As a file holds it."""
        return f"{self.text}\n{''.join(signature.line() for signature in self.signatures)}".encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierKey:
    """A public key under a name."""

    name: str
    kind: Kind
    public: bytes

    @property
    def key_id(self) -> bytes:
        """First four bytes of SHA-256 over name, line end, kind and key."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    def text(self) -> str:
        """One line without line end, to be published: name, id and key."""
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(bytes([self.kind]) + self.public).decode()}"

    def matches(self, signature: Signature) -> bool:
        """Whether the line claims to be of this key."""
        return signature.name == self.name and signature.key_id == self.key_id


def parse_key(text: str) -> VerifierKey:
    """The key that `VerifierKey.text` wrote. Raises NoteError for another form, kind or length, and where the id is not the key's."""
    name, _, rest = text.strip().partition("+")
    digits, _, encoded = rest.partition("+")
    check_name(name)
    material = strict_base64(encoded, "a verifier key")
    try:
        kind = Kind(material[0]) if material else None
    except ValueError:
        kind = None
    if kind is None or len(material) - 1 != PUBLIC_BYTES[kind]:
        raise NoteError(f"the verifier key of {shown(name)} is neither Ed25519 nor ML-DSA-44; copy the whole line NAME+ID+KEY")
    key = VerifierKey(name=name, kind=kind, public=material[1:])
    if digits != key.key_id.hex():
        raise NoteError(
            f"the verifier key of {shown(name)} has the id {shown(digits)}, its key gives {key.key_id.hex()}; copy the whole line"
        )
    return key


def parse_note(data: bytes, place: str) -> Note:
    """Text and signatures. Raises NoteError, naming `place`, for what is no note, or one beyond LARGEST_NOTE or MOST_SIGNATURES."""
    if len(data) > LARGEST_NOTE:
        raise NoteError(f"{place} has more than {LARGEST_NOTE} bytes, which no signed note has; restore it from a copy")
    try:
        whole = data.decode()
    except UnicodeDecodeError:
        raise NoteError(f"{place} is not UTF-8, as a signed note is; restore it from a copy") from None
    if any(ord(letter) < 32 and letter != "\n" for letter in whole):
        raise NoteError(f"{place} holds control characters, which no signed note has; restore it from a copy")
    text, gap, lines = whole.rpartition("\n\n")
    if not gap or not lines.endswith("\n"):
        raise NoteError(f"{place} is cut short: a signed note is text, an empty line and whole signature lines; restore it from a copy")
    found = lines[:-1].split("\n")
    if len(found) > MOST_SIGNATURES:
        raise NoteError(f"{place} has {len(found)} signatures, at most {MOST_SIGNATURES} are read; remove those that are not known")
    return Note(text=text + "\n", signatures=tuple(_signature(line, place) for line in found))


def parse_signatures(text: str, place: str) -> tuple[Signature, ...]:
    """Signature lines alone, as a witness answers them. Raises NoteError for other lines."""
    lines = [line for line in text.split("\n") if line]
    if not lines or len(lines) > MOST_SIGNATURES:
        raise NoteError(f"{place} has {len(lines)} signature lines, 1 to {MOST_SIGNATURES} were expected; ask the witness's operator")
    return tuple(_signature(line, place) for line in lines)


def check_name(name: str) -> None:
    """Nothing for a name that a key may have; else NoteError."""
    odd = any(letter.isspace() or letter == "+" or unicodedata.category(letter) in ("Cc", "Cs", "Zs", "Zl", "Zp") for letter in name)
    if odd or not 1 <= len(name.encode(errors="replace")) <= _LONGEST_NAME:
        raise NoteError(
            f"{shown(name)} is no name of a log or key: 1 to 255 bytes without spaces and + were expected, as example.com/evidence"
        )


def strict_base64(text: str, place: str) -> bytes:
    """The bytes whose one standard Base64 form the text is. Raises NoteError for any other text."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = None
    if data is None or base64.b64encode(data).decode() != text:
        raise NoteError(f"{place} holds {shown(text)}, which is not the Base64 of anything; restore it from a copy")
    return data


def shown(text: str) -> str:
    """Foreign text for a message: cut, and with nothing that a terminal acts on."""
    return ascii(text if len(text) <= 80 else text[:79] + "…")


def _signature(line: str, place: str) -> Signature:
    name, gap, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not gap:
        raise NoteError(f"{place} has a signature line that is none: {shown(line)}; restore it from a copy")
    check_name(name)
    data = strict_base64(encoded, place)
    if len(data) < 5:
        raise NoteError(f"{place} has a signature of {shown(name)} that is cut short; restore it from a copy")
    return Signature(name=name, key_id=data[:4], payload=data[4:])
