"""What a log may hold against its reader: secrets, markup, control characters. None of it gets out of the scan."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from stillwatch.app.opening import exhibit_texts
from stillwatch.cli import main
from stillwatch.report import read_findings

pytestmark = pytest.mark.slow

SECRETS = {
    "prompt": "sk-proj-Qwertyuiopasdfghjklzxcvbnm1234567890",
    "response": "ghp_Zyxwvutsrqponmlkjihgfedcbazyxwvuts99",
    "key": "sk-live-Mnbvcxzlkjhgfdsapoiuytrewq0987654321",
    "agent": "AKIAQ3EGRHTUVWXYZ123",
    "user": "xoxb-123456789012-abcdefghijklmnop",
    "declared": "glpat-abcdefghijABCDEFGHIJ12",
    "domain": "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH",
}
MARKUP = "<script>alert('still')</script><img src=x onerror=alert(1)>"
STRANGE_ACCOUNT = "<b onclick=steal()>acct</b>[bold red]x[/] \x1b[31m"


@dataclass(frozen=True)
class Hostile:
    """The result of a scan of a hostile log through the command line."""

    folder: Path
    status: int
    printed: str
    said: str
    renamed: str


def _poisoned(table: pa.Table, campaign: frozenset[str], renamed: str) -> pa.Table:
    rows = table.to_pylist()
    for place, row in enumerate(rows):
        row["user_agent"] = f"client/1.0 key={SECRETS['agent']} {row['user_agent']}"
        row["key_id"] = f"{SECRETS['key']}{place % 3}"
        if row["account_id"] in campaign:
            # the same key in many accounts' texts, at the very front, where an excerpt would show it
            row["prompt_text"] = f"{MARKUP} api_key: {SECRETS['prompt']} {row['prompt_text']}"
            row["response_text"] = f"{MARKUP} {SECRETS['response']} {row['response_text']}"
            row["end_user_id"] = f"user {SECRETS['user']}"
        if row["account_id"] == renamed:
            row["account_id"] = STRANGE_ACCOUNT
    return pa.Table.from_pylist(rows, schema=table.schema)


@pytest.fixture(scope="module")
def hostile(world: Any, scanned: Any, tmp_path_factory: pytest.TempPathFactory) -> Hostile:
    import contextlib
    import io

    folder = tmp_path_factory.mktemp("hostile")
    truth = pq.read_table(world.truth).to_pylist()
    campaign = frozenset(row["account_id"] for row in truth if row["campaign_id"])
    renamed = scanned.report.findings[0].members[0].account_id
    (folder / "logs").mkdir()
    for path in sorted(world.logs.glob("*.parquet")):
        pq.write_table(_poisoned(pq.read_table(path), campaign, renamed), folder / "logs" / path.name)
    accounts = pq.read_table(world.accounts)
    use = pa.array([f"translation {SECRETS['declared']} {MARKUP}"] * len(accounts))
    accounts = accounts.set_column(accounts.column_names.index("declared_use"), "declared_use", use)
    domain = pc.if_else(pc.is_in(accounts["account_id"], value_set=pa.array(sorted(campaign))), SECRETS["domain"], accounts["email_domain"])
    pq.write_table(accounts.set_column(accounts.column_names.index("email_domain"), "email_domain", domain), folder / "accounts.parquet")
    printed, said = io.StringIO(), io.StringIO()
    arguments = ["scan", str(folder / "logs"), "--accounts", str(folder / "accounts.parquet"), "--out", str(folder / "result")]
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(said):
        status = main([*arguments, "--json", "--fail-on", "low"])
    return Hostile(folder / "result", status, printed.getvalue(), said.getvalue(), renamed)


def test_a_finding_makes_fail_on_exit_with_three(hostile: Hostile) -> None:
    assert hostile.status == 3, hostile.said
    assert read_findings(hostile.folder / "findings.jsonl")


def test_json_is_one_document_and_nothing_else(hostile: Hostile) -> None:
    summary = json.loads(hostile.printed)
    assert summary["folder"] == str(hostile.folder)
    assert hostile.said == ""


def test_no_secret_stands_in_any_file(hostile: Hostile) -> None:
    files = [path for path in hostile.folder.rglob("*") if path.is_file()]
    assert len(files) > 9
    for path in files:
        data = _readable(path)
        for name, secret in SECRETS.items():
            assert secret not in data, f"{name} in {path.name}"
            assert secret[8:24] not in data, f"a piece of {name} in {path.name}"
    assert not [name for name, secret in SECRETS.items() if secret in hostile.printed]


def _readable(path: Path) -> str:
    """A file's text; of a Parquet file every value, since its bytes are compressed."""
    if path.suffix != ".parquet":
        return path.read_bytes().decode("utf-8", "replace")
    table = pq.read_table(path)
    return " ".join(str(value) for column in table.columns if pa.types.is_string(column.type) for value in column.unique().to_pylist())


def test_no_piece_of_a_shared_secret_becomes_a_subject_s_label(hostile: Hostile) -> None:
    labels = (hostile.folder / "subjects.json").read_text("utf-8")
    for secret in SECRETS.values():
        for piece in re.findall(r"[^\W\d_]{6,}", secret.lower()):
            assert piece not in labels


def test_the_exhibits_show_that_there_was_a_secret(hostile: Hostile) -> None:
    findings = read_findings(hostile.folder / "findings.jsonl")
    opened = [exhibit for finding in findings for exhibit in exhibit_texts(hostile.folder, finding.uid, None)]
    assert any("[secret:" in exhibit.prompt for exhibit in opened)
    assert all("masked]" in exhibit.prompt for finding in findings for exhibit in finding.exhibits)


def test_markup_stands_in_the_page_only_escaped(hostile: Hostile) -> None:
    page = (hostile.folder / "report.html").read_text("utf-8")
    assert "&lt;script&gt;alert(" in page
    assert "<script>alert(" not in page
    assert "<img src=x" not in page
    assert "<b onclick" not in page
    assert not re.search(r"<[^>]*\son\w+=", page)
    assert "\x1b" not in page


def test_strange_account_ids_are_explained_as_text(hostile: Hostile, capsys: pytest.CaptureFixture[str]) -> None:
    members = pq.read_table(hostile.folder / "members.parquet").to_pylist()
    strange = [row["account_id"] for row in members if row["account_id"].startswith("<b onclick")]
    assert strange
    assert "\x1b" not in strange[0]
    assert main(["explain", str(hostile.folder), strange[0]]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "[bold red]" in shown.replace("\n", "")


def test_a_fixed_head_of_prompts_and_responses_does_not_hide_the_campaign(hostile: Hostile, scanned: Any) -> None:
    findings = read_findings(hostile.folder / "findings.jsonl")
    # the accounts table gives them all one mail domain here, which leaves harvest unclear; that they act as one is seen all the same
    named = {member.account_id for finding in findings if finding.pooling == "yes" for member in finding.members}
    before = {member.account_id for member in scanned.report.findings[0].members} - {hostile.renamed}
    assert len(before & named) >= 0.7 * len(before)
