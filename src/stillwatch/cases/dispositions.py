"""How a case ends: four dispositions, each with reason codes, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stillwatch.errors import UsageError


class Disposition(StrEnum):
    """What a case turned out to be.

    `true`: it happened, and it is harm. `benign_true`: it happened as found, and it is allowed. `false`: it did not happen as found.
    `undetermined`: it could not be settled; that is no label.
    """

    TRUE = "true"
    BENIGN_TRUE = "benign_true"
    FALSE = "false"
    UNDETERMINED = "undetermined"


SUPPRESSES = frozenset({Disposition.BENIGN_TRUE, Disposition.FALSE})
"""After these the same finding about the same accounts need not be looked at again for a while."""

LABELS = frozenset({Disposition.TRUE, Disposition.BENIGN_TRUE, Disposition.FALSE})
"""These say whether a detector was right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A reason code: which disposition it goes with, and what it says."""

    code: str
    disposition: Disposition
    says: str


def _of(disposition: Disposition, *codes: tuple[str, str]) -> tuple[Reason, ...]:
    return tuple(Reason(code=code, disposition=disposition, says=says) for code, says in codes)


REASONS: tuple[Reason, ...] = (
    *_of(
        Disposition.TRUE,
        ("training_proved", "a verdict of `stillwatch prove` shows that a model was trained on the outputs"),
        ("admitted", "the customer or the operator said so"),
        ("harvest_confirmed", "what was asked, kept and repeated leaves no honest use; an analyst read it"),
        ("relay_confirmed", "the accounts resell or relay access against the terms"),
        ("terms_broken", "other terms of use are broken, such as many accounts for one customer"),
    ),
    *_of(
        Disposition.BENIGN_TRUE,
        ("agreed_use", "a contract or licence allows this use"),
        ("own_use", "our own teams, tests or red team"),
        ("evaluation", "a benchmark or an evaluation of models, published or agreed"),
        ("research", "research that was announced or agreed"),
        ("reseller_known", "a known reseller or platform whose accounts belong together"),
        ("product_traffic", "one product's customers share its wording and software"),
    ),
    *_of(
        Disposition.FALSE,
        ("shared_software", "the shared traces come from common software or templates"),
        ("shared_network", "the accounts share a network, a company or a school and nothing else"),
        ("chance", "nothing but chance ties what was found"),
        ("data_error", "the log or the accounts table was wrong"),
        ("wrong_members", "most of the accounts do not belong to the group"),
    ),
    *_of(
        Disposition.UNDETERMINED,
        ("no_text", "the text that would tell is not there"),
        ("no_answer", "nobody answered"),
        ("too_little", "there is too little of it to tell"),
        ("left_to_others", "somebody else decides"),
    ),
)


def disposition_of(given: str) -> Disposition:
    """The disposition that a word names, `benign-true` among them. Raises UsageError for other words."""
    try:
        return Disposition(given.strip().replace("-", "_"))
    except ValueError:
        known = ", ".join(value.replace("_", "-") for value in Disposition)
        raise UsageError(f"a disposition is one of {known}; {given[:40]!r} is none") from None


def reason_of(code: str, disposition: Disposition) -> Reason:
    """The reason with that code. Raises UsageError for a code that does not go with the disposition."""
    fitting = [reason for reason in REASONS if reason.disposition is disposition]
    for reason in fitting:
        if reason.code == code.strip().replace("-", "_"):
            return reason
    raise UsageError(f"{code[:40]!r} is no reason for {disposition.value}; there are {', '.join(reason.code for reason in fitting)}")
