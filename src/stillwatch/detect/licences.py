"""Which accounts the provider has licensed to collect outputs: by what their use says, and only where the provider has verified them.

What a customer writes into a form licenses nobody, and neither does a word: contract lawyers and driving licences are uses like any other.
Nor does a phrase that is denied ("not under licence") or that tells of a licence not yet or no longer in force ("under licence, expired").
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from stillwatch.detect.settings import DetectSettings

_DENIED = frozenset({"no", "not", "none", "never", "without", "cannot", "unlicensed"})
"""Words that deny what stands in their clause."""

_NOT_IN_FORCE = frozenset(
    {
        "applied",
        "denied",
        "ended",
        "expired",
        "lapsed",
        "negotiated",
        "negotiating",
        "pending",
        "refused",
        "requested",
        "revoked",
        "terminated",
    }
)
"""Words that, anywhere in the text, tell that a licence is not in force."""


def _words(text: str) -> list[str]:
    return re.findall(r"\w+(?:['’]\w+)?", text)


def _grants(use: str, phrases: Sequence[str]) -> bool:
    """Whether a clause of the use has one of the phrases as whole words, nothing denies it there, and the licence is in force."""
    if _NOT_IN_FORCE & set(_words(use)):
        return False
    for clause in re.split(r"[.;,\n]| but ", use):
        words = _words(clause)
        denied = any(word in _DENIED or word.endswith(("n't", "n’t")) for word in words)
        if not denied and any(f" {' '.join(_words(phrase))} " in f" {' '.join(words)} " for phrase in phrases):
            return True
    return False


def licensed_accounts(
    ids: Sequence[str], declared: Mapping[str, str], verified: Mapping[str, str], settings: DetectSettings
) -> npt.NDArray[np.bool_]:
    """[A] whether each account's declared use grants one of `licence_phrases` and its verification is one of `licence_verifications`."""
    told = [declared.get(account, "").lower() for account in ids]
    phrases = [_grants(use, settings.licence_phrases) for use in told]
    known = [verified.get(account, "").lower() in settings.licence_verifications for account in ids]
    return np.array(phrases, np.bool_) & np.array(known, np.bool_)
