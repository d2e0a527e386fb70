"""Golden files whose numbers, custody or narrative somebody breaks who holds the keys."""

from __future__ import annotations

import hashlib
import itertools
from typing import Any

from grounds import Ground, broken

from stillwatch.sealing.custody import event_hash


@broken("numbers", "number")
def altered_number(given: Ground) -> bytes:
    opened = given.opened()
    opened.case["numbers"][2]["value"] = "412000"
    return opened.signed()


@broken("numbers", "number")
def another_rounding(given: Ground) -> bytes:
    opened = given.opened()
    opened.case["numbers"][7]["value"] = "1.334"
    return opened.signed()


@broken("numbers", "number-rule")
def sum_of_words(given: Ground) -> bytes:
    opened = given.opened()
    opened.case["numbers"][2]["column"] = "started_at"
    return opened.signed()


@broken("numbers", "number")
def price_by_another_table(given: Ground) -> bytes:
    opened = given.opened()
    opened.case["numbers"][11]["value"] = "4000.00"
    return opened.signed()


@broken("numbers", "number")
def q_value_of_half_the_tests(given: Ground) -> bytes:
    opened = given.opened()
    opened.case["numbers"][13]["value"] = "0.009"
    return opened.signed()


@broken("numbers", "number-rule")
def q_value_of_what_was_not_tested(given: Ground) -> bytes:
    opened = given.opened()
    opened.case["numbers"][13]["of"] = ["N5"]
    return opened.signed()


@broken("numbers", "number")
def last_time_moved(given: Ground) -> bytes:
    opened = given.opened()
    opened.case["numbers"][10]["value"] = "2026-07-01T09:21:00.000000Z"
    return opened.signed()


@broken("numbers", "number")
def holm_without_the_correction(given: Ground) -> bytes:
    opened = given.opened()
    opened.case["numbers"][14]["value"] = "-3.000000"
    return opened.signed()


@broken("numbers", "number")
def largest_e_value_for_the_mean(given: Ground) -> bytes:
    opened = given.opened()
    opened.case["numbers"][15]["value"] = "1.500000"
    return opened.signed()


@broken("custody", "custody-link")
def broken_custody_link(given: Ground) -> bytes:
    opened = given.opened()
    opened.case["custody"][0]["who"] = "mallory"
    return opened.signed()


def relinked(events: list[dict[str, Any]]) -> None:
    """State in each event the hash of the one before it."""
    for before, after in itertools.pairwise(events):
        after["previous"] = event_hash(before)


@broken("custody", "custody-hash")
def gap_in_custody(given: Ground) -> bytes:
    opened = given.opened()
    del opened.case["custody"][1]
    relinked(opened.case["custody"])
    return opened.signed()


@broken("custody", "custody-time")
def custody_backwards(given: Ground) -> bytes:
    opened = given.opened()
    opened.case["custody"][1]["at"] = "2026-06-01T00:00:00.000000Z"
    relinked(opened.case["custody"])
    return opened.signed()


@broken("custody", "custody-end")
def custody_of_other_evidence(given: Ground) -> bytes:
    opened = given.opened()
    opened.case["custody"][-1]["after"] = hashlib.sha256(b"other evidence").hexdigest()
    return opened.signed()


@broken("narrative", "narrative")
def narrative_of_another_number(given: Ground) -> bytes:
    opened = given.opened()
    opened.replace("narrative.html", b">0.75 of requests<", b">0.95 of requests<")
    return opened.signed()


@broken("narrative", "narrative")
def narrative_with_a_script(given: Ground) -> bytes:
    opened = given.opened()
    opened.replace("narrative.html", b"</main>", b"<script>alert(1)</script></main>")
    return opened.signed()


def _beside_the_claims(given: Ground, more: bytes) -> bytes:
    opened = given.opened()
    opened.replace("narrative.html", b"</main>", more + b"</main>")
    return opened.signed()


@broken("narrative", "narrative")
def narrative_with_a_handler(given: Ground) -> bytes:
    return _beside_the_claims(given, b'<img src="x" onerror="alert(1)">')


@broken("narrative", "narrative")
def narrative_with_a_frame(given: Ground) -> bytes:
    return _beside_the_claims(given, b'<iframe src="https://example.org/"></iframe>')


@broken("narrative", "narrative")
def narrative_with_a_link_that_leads_out(given: Ground) -> bytes:
    return _beside_the_claims(given, b'<a href="javascript:alert(1)">more</a>')


@broken("narrative", "narrative")
def narrative_with_a_number_twice(given: Ground) -> bytes:
    return _beside_the_claims(given, b'<p id="N1">9999 requests</p>')


@broken("narrative", "narrative")
def narrative_in_a_comment(given: Ground) -> bytes:
    opened = given.opened()
    page = opened.members["narrative.html"]
    begin, end = page.index(b"<main>") + 6, page.index(b"</main>")
    opened.members["narrative.html"] = page[:begin] + b"<p>It is proven.</p><!-- " + page[begin:end] + b" -->" + page[end:]
    return opened.signed()


@broken("narrative", "narrative")
def narrative_in_the_style(given: Ground) -> bytes:
    opened = given.opened()
    page = opened.members["narrative.html"]
    begin, end = page.index(b"<main>") + 6, page.index(b"</main>")
    hidden = b"<style>" + page[begin:end] + b"</style>"
    opened.members["narrative.html"] = page[:begin] + b"<p>It is proven.</p>" + hidden + page[end:]
    return opened.signed()


@broken("narrative", "narrative")
def narrative_that_sends_elsewhere(given: Ground) -> bytes:
    opened = given.opened()
    opened.replace("narrative.html", b"<meta charset", b'<meta http-equiv="refresh" content="0;url=https://example.org"><meta charset')
    return opened.signed()
