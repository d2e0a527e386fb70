"""Which accounts the provider has licensed to collect outputs: by what their use says, and only where the provider has verified them.

What a customer writes into a form licenses nobody, and neither does a word: contract lawyers and driving licences are uses like any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from stillwatch.detect.settings import DetectSettings


def licensed_accounts(
    ids: Sequence[str], declared: Mapping[str, str], verified: Mapping[str, str], settings: DetectSettings
) -> npt.NDArray[np.bool_]:
    """[A] whether each account's declared use has a phrase of `licence_phrases` and its verification is one of `licence_verifications`."""
    told = [declared.get(account, "").lower() for account in ids]
    phrases = [any(phrase in use for phrase in settings.licence_phrases) for use in told]
    known = [verified.get(account, "").lower() in settings.licence_verifications for account in ids]
    return np.array(phrases, np.bool_) & np.array(known, np.bool_)
