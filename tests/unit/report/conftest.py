"""The pages of the reports."""

from __future__ import annotations

import pytest

from stillwatch.records.findings import Report
from stillwatch.report import render_html


@pytest.fixture(scope="session")
def page(report: Report) -> str:
    """The ordinary report's page."""
    return render_html(report)


@pytest.fixture(scope="session")
def nasty_page(nasty: Report) -> str:
    """The nasty report's page."""
    return render_html(nasty)


@pytest.fixture(scope="session")
def empty_page(empty: Report) -> str:
    """The page of a run without findings."""
    return render_html(empty)
