"""The pages say what the code does."""

from __future__ import annotations

import ast
import importlib.util
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

from stillwatch.app.state import RESULTS
from stillwatch.cli import app
from stillwatch.detect.catalogue import CATALOGUE
from stillwatch.features.catalogue import CATALOGUE as FEATURES
from stillwatch.features.traces import TRACE_KINDS
from stillwatch.ingest import FORMATS
from stillwatch.link.validate import ASPECTS
from stillwatch.records.tables import ACCOUNTS, ENTITIES, LINKS, MEMBERS, SKETCHED, TRUTH
from stillwatch.settings import ScanSettings

OUTPUTS = "docs/reference/outputs.md"
HOW_TO = "docs/how-to/read-your-logs.md"
MARKING = "docs/how-to/mark-your-outputs.md"
SCREENING = "docs/how-to/screen-a-corpus.md"
SHARING = "docs/how-to/share.md"
CASEWORK = "docs/how-to/work-a-case.md"
VLLMS_OWN = "--watermark-config"
STATISTICS = "docs/explanation/statistics.md"
ARCHITECTURE = "docs/explanation/architecture.md"


@pytest.fixture(scope="module")
def build(root: Path) -> ModuleType:
    """The module that fills the generated parts."""
    spec = importlib.util.spec_from_file_location("build_pages", root / "docs" / "reference" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_parts_of_the_pages_are_what_the_code_gives(build: ModuleType, pages: dict[str, str]) -> None:
    marked = {name: page for name, page in pages.items() if "<!-- begin " in page}
    assert len(marked) >= 4
    old = [name for name, page in marked.items() if build.filled(page) != page]
    assert not old, f"run `python docs/reference/build.py`: {old}"


def test_every_generated_part_stands_on_a_page(build: ModuleType, pages: dict[str, str]) -> None:
    text = "".join(pages.values())
    assert not [name for name in build.PARTS if f"<!-- begin {name} -->" not in text]


def _commands(before: str = "", group: Any = None) -> Iterator[tuple[str, Any]]:
    """Every command with its whole name, those of groups too."""
    for name, command in (group or typer.main.get_command(app)).commands.items():
        if hasattr(command, "commands"):
            yield from _commands(f"{before}{name} ", command)
        else:
            yield f"{before}{name}", command


def test_every_command_stands_in_the_readme_and_every_option_in_the_reference(pages: dict[str, str]) -> None:
    reference = pages["docs/reference/commands.md"]
    assert not [name for name, _ in _commands() if f"`stillwatch {name.split()[0]}" not in pages["README.md"]]
    missing = []
    for name, command in _commands():
        section = reference.split(f"## stillwatch {name}\n")[1].split("\n## ")[0]
        missing += [(name, option) for parameter in command.params for option in parameter.opts if option.startswith("-")
                    and f"`{option}`" not in section and not getattr(parameter, "hidden", False)]  # fmt: skip
    assert not missing


def test_every_option_that_the_pages_name_exists(pages: dict[str, str]) -> None:
    known = {option for _, command in _commands() for parameter in command.params for option in parameter.opts} | {"--help", VLLMS_OWN}
    named = {
        option
        for name in ("README.md", HOW_TO, MARKING, SCREENING, SHARING, CASEWORK, OUTPUTS)
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", pages[name])
    }
    assert named
    assert named <= known


def test_every_output_file_stands_in_the_reference(pages: dict[str, str]) -> None:
    for name in (*RESULTS, "run.json", "subjects.json", "exchanges/", ".work/"):
        assert f"`{name}`" in pages[OUTPUTS], name


def test_every_column_that_a_result_holds_stands_in_the_reference(pages: dict[str, str]) -> None:
    columns = [name for table in (ENTITIES, MEMBERS, LINKS, SKETCHED, TRUTH) for name in table.names] + [
        feature.name for feature in FEATURES
    ]
    assert not [name for name in columns if f"| `{name}` |" not in pages[OUTPUTS]]
    assert not [name for name in ACCOUNTS.names if f"| `{name}` |" not in pages[HOW_TO]]


def test_layers_stand_on_the_architecture_page_in_the_order_of_the_contract(root: Path, pages: dict[str, str]) -> None:
    contracts = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    assert re.findall(r"^\d+\. `([a-z| ]+)`:", pages[ARCHITECTURE], re.MULTILINE) == layers


def test_every_signal_has_its_section_with_ordinary_explanation_and_blind_spot(pages: dict[str, str]) -> None:
    page = pages["docs/reference/signals.md"]
    for signal in CATALOGUE:
        section = page.split(f"### {signal.id}\n")[1].split("\n### ")[0]
        assert signal.ordinary in section
        assert signal.blind_spot in section
    assert re.findall(r"^### (\w+)$", page, re.MULTILINE) == [signal.id for signal in CATALOGUE]


def test_every_format_stands_in_the_how_to_and_the_readme(pages: dict[str, str]) -> None:
    for name in FORMATS:
        assert name == "auto" or f"`{name}`" in pages[HOW_TO], name
        assert name == "auto" or f"`{name}`" in pages["README.md"], name


def test_every_trace_kind_and_every_aspect_stands_on_the_statistics_page(pages: dict[str, str]) -> None:
    assert not [kind.name for kind in TRACE_KINDS if f"`{kind.name}`" not in pages[STATISTICS]]
    assert not [aspect for aspect in ASPECTS if f"| `{aspect}` |" not in pages[STATISTICS]]


def _codes(tree: ast.AST) -> Iterator[str]:
    """Reason codes: of refusals that are raised, added to a batch, or named for a splitter."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            place = {"RefusedRowError": 0, "add_where": 1, "add": 1}.get(name)
            given = node.args[place : place + 1] if place is not None else []
            given += [keyword.value for keyword in node.keywords if keyword.arg == "reason"]
            yield from (value.value for value in given if isinstance(value, ast.Constant) and isinstance(value.value, str))


def test_every_quarantine_code_stands_in_the_how_to(sources: dict[str, str], pages: dict[str, str]) -> None:
    from stillwatch.ingest.splitting import TOO_LONG, TORN, TRUNCATED

    used = {TOO_LONG, TORN, TRUNCATED}
    for name, source in sources.items():
        if name.startswith("stillwatch/ingest/"):
            used |= set(_codes(ast.parse(source)))
    assert {"invalid_json", "negative_number", "duplicate_id", "unmatched_request"} <= used
    section = pages[HOW_TO].split("## Quarantine")[1].split("\n## ")[0]
    assert not [code for code in sorted(used) if f"`{code}`" not in section]


def test_every_quarantine_code_file_and_lead_of_a_screening_stands_in_its_how_to(sources: dict[str, str], pages: dict[str, str]) -> None:
    from stillwatch.app.screen_state import SCREEN_RESULTS
    from stillwatch.screen.leads import shipped_leads

    codes: set[str] = set()
    for name in ("reading", "tables", "documents"):
        source = sources[f"stillwatch/screen/{name}.py"]
        codes |= set(re.findall(r'refuse\([^"]*?, "([a-z_0-9]+)"', source)) | set(
            re.findall(r'^        \("([a-z_0-9]+)", f?"expected', source, re.M)
        )
    assert {"unreadable_row_group", "bad_token_ids", "torn_archive", "no_text"} <= codes
    named = [*codes, *SCREEN_RESULTS, *(lead.name for lead in shipped_leads())]
    assert not [code for code in sorted(named) if f"`{code}`" not in pages[SCREENING]]


def test_every_format_file_indicator_and_worth_of_sharing_stands_in_its_how_to(root: Path, pages: dict[str, str]) -> None:
    from stillwatch.app.exporting import FORMATS as SHARED
    from stillwatch.app.exporting import MANIFEST
    from stillwatch.app.matching import MATCH_RESULTS
    from stillwatch.share.indicators import KINDS
    from stillwatch.share.weighing import Worth

    page = pages[SHARING]
    named = [*SHARED, *MATCH_RESULTS, MANIFEST, *(kind.name for kind in KINDS), *(worth.value for worth in Worth)]
    assert not [name for name in named if f"`{name}`" not in page]
    assert not [kind.name for kind in KINDS if not re.search(rf"^\| `{kind.name}` .*\b{kind.most:,}\b", page, re.MULTILINE)]
    schema = (root / "src/stillwatch/share/profile-1.schema.json").read_text("utf-8")
    assert (root / "docs/reference/distillation-profile-1.schema.json").read_text("utf-8") == schema


def test_the_package_docstring_names_the_steps_in_the_order_of_the_architecture_page(pages: dict[str, str]) -> None:
    import stillwatch

    steps = re.findall(r"^(\w+) {2,}\S", stillwatch.__doc__ or "", re.MULTILINE)
    table = pages[ARCHITECTURE].split("\n## Layers")[0]
    assert steps == [name for name in re.findall(r"^\| (\w+) \|", table, re.MULTILINE) if name != "step"]


def test_the_changelog_begins_with_what_is_unreleased(pages: dict[str, str]) -> None:
    assert re.findall(r"^## (.+)$", pages["CHANGELOG.md"], re.MULTILINE)[0] == "Unreleased"


def test_every_decision_record_has_the_parts_of_the_template(pages: dict[str, str]) -> None:
    records = {name: page for name, page in pages.items() if name.startswith("docs/adr/")}
    heads = re.findall(r"^## .+$", records.pop("docs/adr/0000-template.md"), re.MULTILINE)
    assert heads == ["## Context", "## Decision", "## Consequences", "## Considered", "## Status"]
    assert len(records) >= 8
    for name, page in records.items():
        assert re.findall(r"^## .+$", page, re.MULTILINE) == heads, name
        assert page.startswith(f"# {name.split('/')[-1][:4]}: "), name


def test_the_pages_name_the_bounds_that_the_settings_have(pages: dict[str, str]) -> None:
    settings = ScanSettings()
    assert f"nests deeper than {settings.ingest.max_depth} brackets" in pages[HOW_TO]
    assert f"longer than {settings.ingest.max_record_bytes // 2**20} MiB" in pages[HOW_TO]
    assert f"default: `{settings.memory_limit}`" in pages["docs/reference/commands.md"]
