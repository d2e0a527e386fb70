"""Groups that stand openly together: one organisation, one mail domain, one network. Their ordinary explanation is one customer.

A class on its campus, a company behind its address, a franchise under its domain: many accounts, one set of habits, and nothing hidden.
Such a group is no crowd of strangers who happen to agree, so it is also held against single customers of its volume.

Accounts that were bought together, with one payment and in one hour, are no class and no staff, wherever they sit: only an organisation
that the provider knows of explains those.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stillwatch.link.nominate import TraceRows

OPEN_KINDS = ("org", "email_domain", "network")
"""What accounts of one house share in plain view. A payment card, a sign-up or a client print is not shown to anyone, and not meant."""

HOUSE = 5
"""Members from which a shared value is a house (half of a smaller group): three strangers may meet behind one address."""

OWN_SHARE = 0.25
"""Share of a mail domain's or a network's carriers that are members; a house whose other rooms are full of strangers is not theirs."""

PUBLIC_SHARE, LARGEST_HOUSE = 0.1, 50
"""A mail domain or network of more of all accounts, and of more accounts than that, is the public's."""

BOUGHT_SHARE = 0.5
"""Share of the members that must have one payment, and share that must have signed up in one hour, for the group to be bought together."""


def openly_together(rows: TraceRows, members: npt.NDArray[np.integer], organisations: Sequence[str | None] | None = None) -> float:
    """Share of `members` that belong to a house: an organisation, mail domain or network which enough of them share and which is theirs.

    Args:
        rows: the shared traces.
        members: positions of the group's accounts.
        organisations: [A] what the accounts table says of each account; None: there is no table.
    """
    least = min(HOUSE, -(-len(members) // 2))
    kinds = ("org",) if _bought_together(rows, members) else OPEN_KINDS
    inside = np.isin(rows.account, members) & np.isin(rows.kinds, kinds)[rows.trace]
    mine = np.bincount(rows.trace[inside], minlength=len(rows.values))
    sharing = rows.sharing
    private = (mine >= OWN_SHARE * sharing) & (sharing <= max(LARGEST_HOUSE, PUBLIC_SHARE * rows.accounts))
    # an organisation is declared; how many accounts it has besides the members does not matter
    houses = (mine >= least) & ((rows.kinds == "org") | private)
    housed = np.zeros(rows.accounts, np.bool_)
    housed[rows.account[inside & houses[rows.trace]]] = True
    if organisations is not None:
        names = np.array([organisations[member] or "" for member in members.tolist()])
        values, place, counts = np.unique(names, return_inverse=True, return_counts=True)
        housed[members[(counts[place] >= least) & (values[place] != "")]] = True
    return float(housed[members].mean()) if len(members) else 0.0


def _bought_together(rows: TraceRows, members: npt.NDArray[np.integer]) -> bool:
    """Whether one payment and one hour of signing up each cover BOUGHT_SHARE of the members."""
    inside = np.isin(rows.account, members)
    mine = np.bincount(rows.trace[inside], minlength=len(rows.values))
    most = [int(mine[rows.kinds == kind].max(initial=0)) for kind in ("payment", "signup")]
    return min(most) >= max(2.0, BOUGHT_SHARE * len(members))
