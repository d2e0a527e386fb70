"""Which groups stand openly together: declared organisations, mail domains and networks of their own; the public's count for nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stillwatch.detect.together import openly_together
from stillwatch.link.nominate import TraceRows

ACCOUNTS = 60
MEMBERS = np.arange(10)


def _rows(*traces: tuple[str, list[int]]) -> TraceRows:
    account = np.concatenate([np.array(carriers, np.int64) for _, carriers in traces])
    trace = np.concatenate([np.full(len(carriers), place, np.int64) for place, (_, carriers) in enumerate(traces)])
    kinds = np.array([kind for kind, _ in traces], np.str_)
    values = np.array([str(place) for place in range(len(traces))], np.str_)
    return TraceRows(account=account, trace=trace, count=np.ones(len(account), np.int64), kinds=kinds, values=values, accounts=ACCOUNTS)


@pytest.mark.parametrize("kind", ["org", "email_domain", "network"])
def test_a_house_that_members_share(kind: str) -> None:
    assert openly_together(_rows((kind, [0, 1, 2, 3, 4, 5])), MEMBERS) == pytest.approx(0.6)


@pytest.mark.parametrize("kind", ["payment", "signup", "tls", "user_agent", "wording"])
def test_what_nobody_sees_is_no_house(kind: str) -> None:
    assert openly_together(_rows((kind, list(range(10)))), MEMBERS) == 0.0


def test_a_public_mail_service_is_nobody_s_house_and_an_organisation_is_one_whatever_else_it_has() -> None:
    everyone = list(range(ACCOUNTS))
    assert openly_together(_rows(("email_domain", everyone)), MEMBERS) == 0.0
    assert openly_together(_rows(("org", everyone)), MEMBERS) == 1.0


def test_several_houses_add_up_and_few_neighbours_are_none() -> None:
    two = _rows(("network", [0, 1, 2, 3, 4]), ("email_domain", [5, 6, 7, 8, 9]))
    assert openly_together(two, MEMBERS) == 1.0
    assert openly_together(_rows(("network", [0, 1, 2, 3])), MEMBERS) == 0.0
    assert openly_together(_rows(("network", [0, 1])), np.arange(4)) == 0.5


def test_the_accounts_table_declares_organisations() -> None:
    organisations: list[str | None] = ["o"] * 7 + [None] * (ACCOUNTS - 7)
    assert openly_together(_rows(("tls", [0])), MEMBERS, organisations) == pytest.approx(0.7)
    assert openly_together(_rows(("tls", [0])), np.arange(20, 30), organisations) == 0.0


def test_what_was_bought_together_is_explained_by_a_known_organisation_only() -> None:
    network = ("network", list(range(10)))
    assert openly_together(_rows(network, ("payment", list(range(6)))), MEMBERS) == 1.0
    assert openly_together(_rows(network, ("signup", list(range(6)))), MEMBERS) == 1.0
    bought = _rows(network, ("payment", list(range(6))), ("signup", list(range(4, 10))))
    assert openly_together(bought, MEMBERS) == 0.0
    known = _rows(network, ("payment", list(range(6))), ("signup", list(range(4, 10))), ("org", list(range(10))))
    assert openly_together(known, MEMBERS) == 1.0


def test_the_public_s_mail_domain_is_no_house_of_a_campaign_that_is_half_of_the_log() -> None:
    accounts = 1000
    domain = np.arange(200)
    rows = TraceRows(
        account=domain,
        trace=np.zeros(200, np.int64),
        count=np.ones(200, np.int64),
        kinds=np.array(["email_domain"]),
        values=np.array(["m"]),
        accounts=accounts,
    )
    assert openly_together(rows, np.arange(150)) == 0.0
    assert openly_together(replace(rows, accounts=4000), np.arange(150)) == 1.0
