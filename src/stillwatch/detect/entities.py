"""What is judged, as arrays: every account, then every group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.detect.harvest_signals import HARVEST_SIGNALS
from stillwatch.detect.shift import subject_shift
from stillwatch.detect.signal import Signal
from stillwatch.link.group import Group
from stillwatch.link.profiles import Profiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Entities:
    """E = A accounts followed by G groups.

    Attributes:
        profiles: the accounts, in order.
        groups: the groups, in order.
        features: [E] values per feature name; NaN: missing.
        claimed: [E] whether the entity is an account that a group claims.
    """

    profiles: Profiles
    groups: tuple[Group, ...]
    features: dict[str, npt.NDArray[np.float64]]
    claimed: npt.NDArray[np.bool_]

    @property
    def accounts(self) -> int:
        """How many accounts there are; entity i below it is account i."""
        return len(self.profiles.ids)

    @property
    def is_group(self) -> npt.NDArray[np.bool_]:
        """[E] whether the entity is a group."""
        return np.arange(self.accounts + len(self.groups)) >= self.accounts

    def entity_id(self, entity: int) -> str:
        """Its id: the account's own, or the group's."""
        return str(self.profiles.ids[entity]) if entity < self.accounts else self.groups[entity - self.accounts].entity_id

    def members(self, entity: int) -> npt.NDArray[np.int64]:
        """Positions of its accounts, strongest first."""
        return np.array([entity], np.int64) if entity < self.accounts else self.groups[entity - self.accounts].members

    def signal_values(self) -> npt.NDArray[np.float64]:
        """[E, K] the values of the harvest signals."""
        return np.column_stack([self._values(signal) for signal in HARVEST_SIGNALS])

    def _values(self, signal: Signal) -> npt.NDArray[np.float64]:
        values = self.features.get(signal.source, np.full(len(self.claimed), np.nan))
        if not signal.of_groups:
            values = np.where(self.is_group, np.nan, values)
        if not signal.of_accounts:
            values = np.where(self.is_group, values, np.nan)
        return np.where(values < signal.floor, 0.0, values)


def gather(profiles: Profiles, groups: Sequence[Group], account_features: pa.Table, group_features: pa.Table | None) -> Entities:
    """Line the features up with accounts and groups, and add the subject shift, which is a function of the profiles."""
    names = [name for name in account_features.column_names if name != "entity_id" and _numeric(account_features.schema.field(name).type)]
    ids = profiles.ids.tolist()
    columns = {name: _aligned(account_features, ids, name) for name in names}
    if group_features is not None and len(groups):
        group_ids = [group.entity_id for group in groups]
        columns = {name: np.concatenate([values, _aligned(group_features, group_ids, name)]) for name, values in columns.items()}
    columns["account_breadth"] = columns["subject_effective"].copy()
    for name in ("probe_then_scale", "account_breadth"):
        _formed_as_pools(columns, groups, name)
    claimed = np.zeros(len(ids) + len(groups), np.bool_)
    for group in groups:
        claimed[group.members] = True
    subjects = profiles.accounts.subjects
    pooled = [subjects[group.members].sum(axis=0) for group in groups]
    columns["broad_template"] = columns["subject_effective"] * columns["fixed_wording_share"]
    columns["distinct_prompts"] = columns["distinct_prompt_share"] * columns["text_exchanges"]
    columns["subject_shift"] = subject_shift(np.vstack([subjects, *pooled]) if pooled else subjects, subjects.sum(axis=0))
    return Entities(profiles=profiles, groups=tuple(groups), features=columns, claimed=claimed)


def _formed_as_pools(columns: dict[str, npt.NDArray[np.float64]], groups: Sequence[Group], name: str) -> None:
    """Where a pool can only average its accounts' values, the group's is that average too: a p-value needs both formed alike."""
    values, exchanges = columns.get(name), columns["exchanges"]
    if values is None:
        return
    accounts = len(values) - len(groups)
    for place, group in enumerate(groups):
        known = group.members[~np.isnan(values[group.members])]
        total = float(exchanges[known].sum())
        values[accounts + place] = float((values[known] * exchanges[known]).sum()) / total if total > 0 else np.nan


def _numeric(kind: pa.DataType) -> bool:
    return pa.types.is_floating(kind) or pa.types.is_integer(kind)


def _aligned(table: pa.Table, ids: list[str], name: str) -> npt.NDArray[np.float64]:
    """The column in the order of `ids`; NaN for ids that the table lacks."""
    places = pc.index_in(pa.array(ids, pa.string()), value_set=table["entity_id"].combine_chunks())
    values = table[name].combine_chunks().cast(pa.float64()).take(places)
    return values.fill_null(float("nan")).to_numpy(zero_copy_only=False)
