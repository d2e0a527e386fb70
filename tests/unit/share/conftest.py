"""Claims as a recipient may see them: ordinary ones with indicators, and one for each nasty text that a log can hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from stillwatch.marks.keys import MasterSecret
from stillwatch.records.findings import Report
from stillwatch.share.claim import Claim
from stillwatch.share.hashing import Keyed
from stillwatch.share.naming import Names, Pseudonyms, pseudonyms_for
from stillwatch.share.redact import shareable

INDICATORS = {
    "egress": ("203.0.113.0/24", "2001:db8:7::/48"),
    "tls": ("t13d1517h2_2adebc95_30f932d8",),
    "user_agent": ("python-httpx/0.28",),
}


@pytest.fixture(scope="session")
def master() -> MasterSecret:
    return MasterSecret(bytes(range(32)))


@pytest.fixture(scope="session")
def keyed(master: MasterSecret) -> Keyed:
    return Keyed(master)


@pytest.fixture(scope="session")
def acme(master: MasterSecret) -> Pseudonyms:
    """The names that one recipient sees."""
    return pseudonyms_for(master, "acme-labs")


@pytest.fixture(scope="session")
def claims_of() -> Callable[[Report, Names], Sequence[Claim]]:
    def claims(report: Report, names: Names) -> Sequence[Claim]:
        return [Claim(finding=shareable(finding, names), indicators=INDICATORS) for finding in report.findings]

    return claims


@pytest.fixture(scope="session")
def claims(claims_of: Callable[[Report, Names], Sequence[Claim]], report: Report, acme: Pseudonyms) -> Sequence[Claim]:
    return claims_of(report, acme)


@pytest.fixture(scope="session")
def nasty_claims(claims_of: Callable[[Report, Names], Sequence[Claim]], nasty: Report, acme: Pseudonyms) -> Sequence[Claim]:
    return claims_of(nasty, acme)
