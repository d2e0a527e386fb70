"""The page is finished, self-contained and inert, whatever the logs say."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from stillwatch.records.findings import Report
from stillwatch.report import render_html
from stillwatch.report.text import visible

pytestmark = pytest.mark.slow

VOID = {"meta", "br", "link", "img", "path", "use", "image", "rect", "stop"}


class Page(HTMLParser):
    """What a browser would see: elements with attributes, text, and how deep each one is nested."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.text = ""
        self.styles = ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.styles += data
        else:
            self.text += data

    def named(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(params=["page", "empty_page", "nasty_page"])
def source(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue(request.param)


def test_a_page_runs_nothing_and_reaches_nowhere(source: str) -> None:
    page = Page(source)
    names = {tag for tag, _ in page.elements}
    assert names.isdisjoint({"script", "iframe", "object", "embed", "link", "form", "base", "animate", "foreignobject", "a:href"})
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")], tag
        for name, value in attributes.items():
            if name in {"href", "xlink:href"}:
                assert value.startswith(("#", "data:image/png;base64,")), value
            assert name not in {"src", "action", "formaction", "srcdoc", "xmlns"}
    assert re.search(r"https?://", source, re.IGNORECASE) is None
    assert "@import" not in page.styles
    assert "url(" not in page.styles


def test_the_content_policy_forbids_scripts_and_loading(source: str) -> None:
    policies = [meta["content"] for meta in Page(source).named("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]


def test_identifiers_are_unique_and_every_reference_leads_somewhere(source: str) -> None:
    page = Page(source)
    identifiers = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    targets = [value[1:] for _, attributes in page.elements for value in (attributes.get("href", ""),) if value.startswith("#")]
    clips = re.findall(r"url\(#([^)]+)\)", " ".join(" ".join(attributes.values()) for _, attributes in page.elements))
    labels = [name for _, attributes in page.elements for name in attributes.get("aria-labelledby", "").split()]
    assert set(targets) | set(clips) | set(labels) <= set(identifiers)


def test_elements_are_balanced_and_headings_skip_no_level(source: str) -> None:
    page = Page(source)
    assert page.unbalanced == []
    assert page.open == []
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_pictures_and_tables_can_be_read_without_seeing_them(source: str) -> None:
    page = Page(source)
    assert page.named("html") == [{"lang": "en"}]
    assert all(svg.get("role") == "img" and svg.get("aria-label") for svg in page.named("svg"))
    variants = sum(place.get("class") == "when-narrow" for place in page.named("div"))
    assert len(page.named("figure")) == len(page.named("figcaption")) == len(page.named("svg")) - variants
    assert all(header.get("scope") in {"col", "row"} for header in page.named("th"))


def test_the_overview_has_a_variant_for_narrow_windows_and_only_one_is_shown(page: str) -> None:
    source = page
    classes = [place.get("class") for place in Page(source).named("div")]
    assert classes.count("when-wide") == classes.count("when-narrow") == 1
    assert ".when-narrow { display: none; }" in source
    narrow = source.index("@media screen and (max-width: 560px)")
    assert source.index(".when-wide { display: none; }") > narrow
    assert source.index(".when-narrow { display: block; }") > narrow


def test_hostile_text_is_shown_and_not_obeyed(nasty_page: str, nasty_texts: tuple[str, ...]) -> None:
    source = nasty_page
    page = Page(source)
    flat = " ".join(page.text.split())
    for text in nasty_texts:
        assert " ".join(visible(text, limit=120).split()) in flat
    assert re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", source) is None
    assert "{{ 7 * 7 }}" in flat
    assert "$x^2$" in flat
    source.encode("utf-8")


def test_a_text_of_any_length_costs_a_bounded_page(nasty_page: str) -> None:
    assert max(len(run) for run in re.findall(r"A+", nasty_page)) <= 2000


def test_markup_in_a_picture_label_stays_a_label(nasty_page: str) -> None:
    pictures = re.findall(r"<svg.*?</svg>", nasty_page, re.DOTALL)
    labels = [label for svg in pictures for label in re.findall(r"<text[^>]*>([^<]*)</text>", svg)]
    assert any(label.startswith("&lt;script&gt;") for label in labels)
    assert any("$x^2$" in label for label in labels)


def test_every_picture_is_small(page: str) -> None:
    pictures = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(pictures) > 20
    assert max(map(len, pictures)) < 60_000


def test_a_run_without_findings_looks_finished(empty: Report, empty_page: str) -> None:
    page = Page(empty_page)
    assert "No distillation found" in page.text
    assert empty.run.power.words in page.text
    assert "the counts reconcile" in page.text
    assert page.named("svg") == []


def test_findings_stand_by_severity_then_strength(report: Report) -> None:
    mixed = replace(report, findings=tuple(reversed(report.findings)))
    order = re.findall(r'<span class="badge (critical|high|medium|low|info)">', render_html(mixed, detailed=0))
    assert order == ["critical", "high", "high", "medium", "low", "info"]
    assert render_html(mixed, detailed=0) == render_html(report, detailed=0)


def test_only_the_first_findings_get_a_section(report: Report) -> None:
    page = Page(render_html(report, detailed=2))
    sections = [attributes["id"] for attributes in page.named("section") if attributes.get("class") == "finding"]
    assert sections == ["finding-1", "finding-2"]
    links = [anchor["href"] for anchor in page.named("a") if anchor["href"].startswith("#finding-")]
    assert links == ["#finding-1", "#finding-2"]
    assert "stillwatch explain DIR ENTITY" in page.text


def test_every_finding_says_what_it_rests_on_and_what_speaks_against_it(report: Report, page: str) -> None:
    seen = Page(page)
    for heading in ("Two questions, two answers", "How sure", "Next step", "What was taken", "Signals", "Accounts", "Exhibits"):
        assert seen.text.count(heading) >= len(report.findings)
    for finding in report.findings:
        assert finding.uid in seen.text
        assert f"stillwatch explain DIR {finding.entity_id}" in seen.text
        assert all(reading.sentence in seen.text and reading.ordinary in seen.text for reading in finding.readings)
        assert all(words in seen.text for words in finding.ordinary)
    assert "too few exchanges to test this entity for harvest" in seen.text


def test_members_beyond_fifty_are_counted_and_their_file_is_named(page: str) -> None:
    text = Page(page).text
    assert "The first 50 of 64 accounts. The other 14 stand in members.parquet" in text
    assert "acct_0_049" in text
    assert "acct_0_050" not in text


def test_file_rows_reconcile_on_the_page(report: Report, page: str) -> None:
    table = page[page.index("Rows in = rows read + rows set aside") :]
    rows = re.findall(r'<td class="number">([\d,]+)</td><td class="number">([\d,]+)</td><td class="number">([\d,]+)</td>', table)
    counts = [[int(value.replace(",", "")) for value in row] for row in rows[: len(report.run.files) + 1]]
    assert [sum(column) for column in zip(*counts[:-1], strict=True)] == counts[-1]
    assert all(came == read + aside for came, read, aside in counts)


def test_counts_that_do_not_reconcile_are_said_to_be_wrong(report: Report) -> None:
    torn = replace(report, run=replace(report.run, rows_out=report.run.rows_out - 7))
    assert "7 rows are unaccounted for" in Page(render_html(torn, detailed=0)).text


def test_the_same_report_gives_the_same_page(report: Report) -> None:
    assert render_html(report, detailed=1) == render_html(report, detailed=1)


def test_an_entity_without_numbers_still_gets_its_section(report: Report) -> None:
    bare = report.findings[0]
    empty = replace(bare.pictures, days=(), entity_daily=(), provider_daily=(), entity_week=(), benign_week=(), subjects=(), edges=())
    tally = replace(
        bare.tally, exchanges=0, input_tokens=None, output_tokens=None, list_price=None, models=(), capabilities=(), comparisons=()
    )
    bare = replace(bare, pictures=empty, tally=tally, readings=(), members=(), exhibits=(), techniques=(), ordinary=(), silent=())
    page = Page(render_html(replace(report, findings=(bare,))))
    assert "No price: the price table knows none of the models used" in page.text
    assert "No known distillation set is on file" in page.text
    assert page.named("svg") == []


def test_numbers_without_end_are_printed_and_drawn(report: Report) -> None:
    odd = report.findings[0]
    readings = tuple(replace(reading, value=float("nan"), contribution=float("inf")) for reading in odd.readings)
    page = Page(render_html(replace(report, findings=(replace(odd, strength=float("inf"), readings=readings),))))
    assert "∞" in page.text


def test_a_log_of_many_years_is_drawn_in_longer_bars(report: Report) -> None:
    long = report.findings[0]
    days = tuple(day for _ in range(200) for day in long.pictures.days)
    pictures = replace(long.pictures, days=days, entity_daily=(5,) * len(days), provider_daily=(900,) * len(days))
    source = render_html(replace(report, findings=(replace(long, pictures=pictures),)))
    assert max(map(len, re.findall(r"<svg.*?</svg>", source, re.DOTALL))) < 160_000


def test_importing_the_report_loads_no_heavy_library() -> None:
    script = "import sys, stillwatch.report; print([name for name in ('matplotlib', 'numpy', 'jinja2', 'rich') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
