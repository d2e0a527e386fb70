"""From the arguments of `stillwatch export` to a request: names and keys are settled before anything is read."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from stillwatch.app.exporting import FORMATS, NAMED, ExportRequest
from stillwatch.app.marking import load_master
from stillwatch.app.private_files import read_private
from stillwatch.errors import MissingExtraError, UsageError
from stillwatch.marks.keys import master_of_text
from stillwatch.settings import from_environment
from stillwatch.share.hashing import Hashing, Keyed, Unkeyed
from stillwatch.share.markings import TLP_LEVELS
from stillwatch.share.naming import Identifiers, Names, pseudonyms_for

_LONGEST_PRODUCER = 200
_LIBRARIES = {"stix": "stix2", "sigma": "yaml"}


def export_request(
    folder: Path,
    *,
    formats: Sequence[str],
    out: Path,
    recipient: str | None,
    key: Path | None,
    keep_identifiers: bool,
    shared_key: Path | None,
    unkeyed: bool,
    producer: str,
    tlp: str,
) -> ExportRequest:
    """The request that the arguments ask for. Raises UsageError for what cannot work, and whatever reading a key raises."""
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        raise UsageError(f"--format is {(unknown or ['missing'])[0]!r}; it takes one of {', '.join(FORMATS)}")
    if tlp not in TLP_LEVELS:
        raise UsageError(f"--tlp is {tlp!r}; it takes one of {', '.join(TLP_LEVELS)}")
    if not producer.isprintable() or not 1 <= len(producer) <= _LONGEST_PRODUCER:
        raise UsageError(f"--producer has {len(producer)} characters; it takes a printable name of 1 to {_LONGEST_PRODUCER}")
    _check_extra(formats)
    named = bool(NAMED.intersection(formats))
    return ExportRequest(
        folder=folder,
        formats=tuple(formats),
        out=out,
        names=_names(recipient, key, keep_identifiers=keep_identifiers) if named else None,
        recipient=recipient,
        hashing=hashing_for(shared_key, unkeyed=unkeyed) if "profile" in formats else None,
        producer=producer,
        tlp=tlp,
        settings=from_environment(),
    )


def _check_extra(formats: Sequence[str]) -> None:
    """MissingExtraError where a format's library is not installed, before anything is measured."""
    for name, library in _LIBRARIES.items():
        if name in formats and importlib.util.find_spec(library) is None:
            raise MissingExtraError(library, extra="share")


def _names(recipient: str | None, key: Path | None, *, keep_identifiers: bool) -> Names:
    if keep_identifiers and recipient is not None:
        raise UsageError("--keep-identifiers is for use within the house and --recipient for a partner; give one of them")
    if keep_identifiers:
        return Identifiers()
    if recipient is None:
        message = "accounts leave under names that hold for one recipient: give --recipient NAME and --key FILE"
        raise UsageError(f"{message}, or --keep-identifiers for use within the house")
    return pseudonyms_for(load_master(key), recipient)


def hashing_for(shared_key: Path | None, *, unkeyed: bool) -> Hashing:
    """How a profile's indicators are hashed: under the key that both partners hold, or plainly where that is asked for."""
    if shared_key is not None and unkeyed:
        raise UsageError("--shared-key and --unkeyed exclude each other; give one of them")
    keyed = shared_keyed(shared_key)
    if keyed is not None:
        return keyed
    if not unkeyed:
        message = "a profile needs --shared-key FILE, a key that you and the partner hold (make one with `stillwatch mark keys --out FILE`)"
        raise UsageError(f"{message}, or --unkeyed, with which whoever has the profile can try out texts that he guesses")
    return Unkeyed()


def shared_keyed(path: Path | None) -> Keyed | None:
    """The hashing under the key of a file that only its owner may read; None where no file is named."""
    return None if path is None else Keyed(master_of_text(read_private(path), str(path)))
