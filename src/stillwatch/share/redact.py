"""What of a finding may leave: no text of a prompt or response ever, and identifiers only under the recipient's names."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from stillwatch.records.findings import EntityKind, Exhibit, Finding, LinkEdge
from stillwatch.share.naming import Names

DECLARED = "Declared use: "
"""How a finding's ordinary explanations begin that quote what a customer wrote."""

PLAIN_KINDS = frozenset({"asn", "tls", "network", "release", "session_rule"})
"""Kinds of traces that are facts of software and infrastructure; others are names, hashes of text, or texts that a caller chose."""

_SHORTEST = 4
"""Shorter identifiers are replaced where they stand alone, and not within sentences: there, `7` is a number."""


def shareable(finding: Finding, names: Names) -> Finding:
    """The finding as the recipient may see it.

    Excerpts of prompts and responses are gone, and so are words of subjects, in-house too. Under pseudonyms, identifiers of accounts,
    exchanges, the entity and the finding are replaced wherever they stand, in sentences too; traces but those of software and
    infrastructure are replaced; what customers declared is left out, and so is that the house decided on the finding before.
    """
    bare = dataclasses.replace(
        finding,
        suppressed=finding.suppressed if names.in_house else None,  # who decided what here is nobody's business elsewhere
        exhibits=tuple(dataclasses.replace(exhibit, prompt="", response="") for exhibit in finding.exhibits),
        pictures=dataclasses.replace(
            finding.pictures,
            subjects=tuple((f"subject {place}", own, other) for place, (_, own, other) in enumerate(finding.pictures.subjects, 1)),
        ),
    )
    return bare if names.in_house else _renamed(bare, names)


def entity_name(finding: Finding, names: Names) -> str:
    """What the finding's entity is called: an account by its account's name."""
    return names.of("account" if finding.kind is EntityKind.ACCOUNT else "group", finding.entity_id)


def _renamed(finding: Finding, names: Names) -> Finding:
    known = {member.account_id: names.of("account", member.account_id) for member in finding.members}
    known |= {finding.entity_id: entity_name(finding, names), finding.uid: names.of("finding", finding.uid)}
    renamed = dataclasses.replace(
        finding,
        ordinary=tuple(sentence for sentence in finding.ordinary if not sentence.startswith(DECLARED)),
        exhibits=tuple(_exhibit(exhibit, names) for exhibit in finding.exhibits),
        pictures=dataclasses.replace(finding.pictures, edges=tuple(_edge(edge, names) for edge in finding.pictures.edges)),
    )
    replaced = replacing(known)
    return cast("Finding", _mapped(renamed, replaced))


def _exhibit(exhibit: Exhibit, names: Names) -> Exhibit:
    return dataclasses.replace(
        exhibit, exchange_id=names.of("exchange", exhibit.exchange_id), account_id=names.of("account", exhibit.account_id)
    )


def _edge(edge: LinkEdge, names: Names) -> LinkEdge:
    trace = edge.trace if edge.kind in PLAIN_KINDS else names.of("trace", f"{edge.kind}/{edge.trace}")
    return dataclasses.replace(edge, account_id=names.of("account", edge.account_id), trace=trace)


def replacing(known: Mapping[str, str]) -> Callable[[str], str]:
    """Puts names in the place of identifiers, longest first, where they stand as whole words.

    Identifiers of fewer than four characters are replaced where a text is nothing else, and not within sentences.
    """
    longest = sorted(
        (identifier for identifier in known if len(identifier) >= _SHORTEST), key=lambda identifier: (-len(identifier), identifier)
    )
    wanted = re.compile("|".join(rf"(?<![\w-]){re.escape(identifier)}(?![\w-])" for identifier in longest) or "(?!)")
    return lambda text: known.get(text) or wanted.sub(lambda match: known[match.group()], text)


def _mapped(value: Any, replaced: Callable[[str], str]) -> Any:
    """The record with a function applied to each text in it, enumerations and times left as they are."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changed = {field.name: _mapped(getattr(value, field.name), replaced) for field in dataclasses.fields(value)}
        return dataclasses.replace(value, **changed)
    if isinstance(value, tuple):
        return tuple(_mapped(item, replaced) for item in cast("Sequence[object]", value))
    return replaced(cast("str", value)) if type(value) is str else value
