"""What a recipient reads of a case: pseudonyms in the place of identifiers, and no cell that names somebody as it is. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from stillwatch.records.cases import CaseContent, CaseExhibit, Column, Identifies
from stillwatch.report.text import visible
from stillwatch.sealing.refusals import SealError
from stillwatch.share.naming import Names
from stillwatch.share.redact import replacing

LONGEST_TEXT = 19_000
"""Characters of a text in the statement; a longer one is cut, and says so."""

_SHORTEST = 4
_WORD = re.compile(r"[\w-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Withholding:
    """What does not leave.

    Attributes:
        exhibits: uids of exhibits that are withheld as a whole.
        columns: such as `E1.prompt`.
        shown: columns of text that leave although they hold text, such as `E2.words`.
        files: uids of file exhibits whose bytes stay.
    """

    exhibits: frozenset[str] = frozenset()
    columns: frozenset[str] = frozenset()
    shown: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()

    def check(self, content: CaseContent) -> None:
        """Nothing where everything that is named is in the case; else SealError."""
        exhibits = {exhibit.uid for exhibit in content.exhibits}
        columns = {f"{exhibit.uid}.{column.name}" for exhibit in content.exhibits for column in exhibit.columns}
        named = (*self.exhibits, *self.columns, *self.shown, *self.files)
        if unknown := sorted(set(named) - exhibits - columns):
            known = ", ".join((*sorted(exhibits), *sorted(columns)))[:400]
            raise SealError(f"{unknown[0]!a} is to be withheld or shown and is not in the case; it has {known}")

    def of(self, exhibit: CaseExhibit) -> frozenset[str]:
        """Names of the exhibit's columns that do not leave."""
        return frozenset(column.name for column in exhibit.columns if self._hidden(f"{exhibit.uid}.{column.name}", column))

    def _hidden(self, name: str, column: Column) -> bool:
        return name in self.columns or (column.text and name not in self.shown)


class Reading:
    """A recipient's view: aliases for identifiers, and texts with the identifiers of the case replaced.

    Args:
        content: the case.
        names: the recipient's pseudonyms, or the identifiers themselves within the house.
    """

    def __init__(self, content: CaseContent, names: Names) -> None:
        self._names = names
        self.in_house = names.in_house
        self._known = {} if names.in_house else {value: names.of(kind.value, value) for kind, value in _identifiers(content)}
        # an identifier that stands in a text as a whole word brings its first word along as one of the text's words
        self._by_word: dict[str, list[str]] = {}
        for value in self._known:
            if len(value) >= _SHORTEST:
                self._by_word.setdefault(_first_word(value), []).append(value)

    def alias(self, kind: Identifies, value: str) -> str:
        """What the recipient calls it."""
        return self._names.of(kind.value, value)

    def text(self, text: str) -> str:
        """A text as the recipient reads it: pseudonyms for identifiers, nothing hidden or without bound."""
        return visible(self._replaced(text), limit=LONGEST_TEXT, multiline=True)

    def line(self, text: str, limit: int = 480) -> str:
        """A text of one line."""
        return visible(self._replaced(text), limit=limit)

    def named_in(self, text: str) -> str | None:
        """The identifier that a text names, if it names one."""
        if text in self._known:
            return text
        return next((value for value in self._standing(text) if replacing({value: ""})(text) != text), None)

    def named_within(self, text: str) -> bool:
        """Whether a text of many lines names an identifier as a whole word; those too short to be told from words are passed over."""
        return any(replacing({value: ""})(text) != text for value in self._standing(text))

    def _replaced(self, text: str) -> str:
        known = {value: self._known[value] for value in self._standing(text)}
        return replacing(known)(text) if known else self._known.get(text, text)

    def _standing(self, text: str) -> list[str]:
        """Identifiers that may stand in the text: few, so that no expression of thousands of them is built."""
        words = {"", *_WORD.findall(text)} & self._by_word.keys()
        return [value for word in sorted(words) for value in self._by_word[word] if value in text]


def _first_word(text: str) -> str:
    found = _WORD.search(text)
    return found.group() if found else ""


def check_file(exhibit: CaseExhibit, reading: Reading) -> None:
    """Nothing where the bytes of a file that leaves hold no identifier of the case as UTF-8; else SealError. What is packed is not seen."""
    if not reading.in_house and exhibit.data is not None and reading.named_within(exhibit.data.decode("utf-8", "replace")):
        raise SealError(
            f"the file of {exhibit.uid} names an account or another identifier of the case, and would leave as it is; withhold its bytes "
            f"({exhibit.uid}.file), so that its sha256 alone leaves"
        )


def check_cells(exhibit: CaseExhibit, withheld: Collection[str], reading: Reading) -> None:
    """Nothing where no cell that leaves as it is names somebody; else SealError, which names the column and not the identifier."""
    if reading.in_house:
        return
    for place, column in enumerate(exhibit.columns):
        if column.name in withheld or column.identifies is not None:
            continue
        seen: dict[str, bool] = {}
        for row, values in enumerate(exhibit.rows):
            value = values[place]
            if isinstance(value, str) and value not in seen:
                seen[value] = reading.named_in(value) is not None
                if seen[value]:
                    name = f"{exhibit.uid}.{column.name}"
                    raise SealError(
                        f"row {row + 1} of {name} names an account or another identifier of the case, and would leave as it is; "
                        f"withhold the column ({name}), or mark what it identifies"
                    )


def _identifiers(content: CaseContent) -> Iterator[tuple[Identifies, str]]:
    for member in content.members:
        yield Identifies.ACCOUNT, member.account_id
        if member.group_id is not None:
            yield Identifies.GROUP, member.group_id
    for claim in content.claims:
        if claim.about_kind is not None:
            yield claim.about_kind, claim.about
    yield from content.identifiers
    for exhibit in content.exhibits:
        for place, column in enumerate(exhibit.columns):
            if column.identifies is not None:
                yield from ((column.identifies, str(row[place])) for row in exhibit.rows if row[place] is not None)
