"""Case stores on SQLite and on a real PostgreSQL, a small result folder to make cases from, and people who act."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from stillwatch.app.case_sources import Gathered, gather
from stillwatch.app.state import write_text
from stillwatch.app.writing import member_columns, write_arrow, write_table
from stillwatch.cases.making import new_case
from stillwatch.cases.opening import Place, place_of
from stillwatch.cases.store import Acting, CaseStore, open_store
from stillwatch.cases.versions import init_store
from stillwatch.records.findings import Finding, Report
from stillwatch.records.tables import LINKS, MEMBERS
from stillwatch.report import run_to_json, write_findings

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
SECRET = "correct-horse-battery-staple"

Act = Callable[..., Acting]


@dataclass(frozen=True)
class Server:
    """A running PostgreSQL that takes connections on a socket."""

    folder: Path

    def address(self, database: str, user: str = "stillwatch", password: str = "") -> str:
        return f"postgresql://{user}{f':{password}' if password else ''}@/{database}?host={self.folder}"

    def sql(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(host=str(self.folder), user="stillwatch", dbname="postgres", autocommit=True) as connection:
            connection.execute(statement)  # pyright: ignore[reportArgumentType, reportCallIssue]


def _binaries() -> Path | None:
    """The folder that initdb and pg_ctl lie in, on the path or where Debian puts them."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "pg_ctl").exists()), None)


@pytest.fixture(scope="session")
def server() -> Generator[Server]:
    """PostgreSQL in a folder of its own; it refuses to run as root, so root starts it as somebody else."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL here (no initdb on the path or in /usr/lib/postgresql): install Debian's package postgresql")
    folder = Path(tempfile.mkdtemp(prefix="sw-pg-", dir="/tmp"))
    whose: list[str] = []
    if os.geteuid() == 0:
        user = "postgres" if subprocess.run(["id", "postgres"], capture_output=True, check=False).returncode == 0 else "nobody"
        shutil.chown(folder, user)
        whose = ["setpriv", f"--reuid={user}", "--clear-groups"]

    def run(*command: str) -> None:
        done = subprocess.run([*whose, *command], capture_output=True, text=True, cwd=folder, check=False, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr

    data = folder / "data"
    try:
        run(str(binaries / "initdb"), "-D", str(data), "-U", "stillwatch", "-A", "trust", "-E", "UTF8", "--no-sync")
        hba = data / "pg_hba.conf"
        hba.write_text(f"local all keeper scram-sha-256\n{hba.read_text('utf-8')}", "utf-8")
        settings = f"-k {folder} -c listen_addresses='' -c fsync=off -c max_connections=50"
        # its own output would hold the pipe open for as long as it runs
        run(str(binaries / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "server.log"), "-o", settings, "start")
        try:
            yield Server(folder)
        finally:
            run(str(binaries / "pg_ctl"), "-D", str(data), "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "cases.db"
    init_store(place_of(str(path)))
    return path


@pytest.fixture(scope="session")
def postgres_template(server: Server) -> Server:
    server.sql("CREATE DATABASE template_cases")
    init_store(place_of(server.address("template_cases")))
    return server


@pytest.fixture(scope="session")
def names() -> Callable[[], str]:
    """A new name each time, for databases of one server."""
    given = iter(range(1_000_000))
    return lambda: f"cases_{next(given)}"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def place(request: pytest.FixtureRequest, tmp_path: Path, names: Callable[[], str]) -> Place:
    """Where a new, empty store of this program's version lies: on each of the two databases."""
    if request.param == "sqlite":
        target = tmp_path / "cases.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), target)
        target.chmod(0o600)
        return place_of(str(target))
    server: Server = request.getfixturevalue("postgres_template")
    name = names()
    server.sql(f"CREATE DATABASE {name} TEMPLATE template_cases")
    return place_of(server.address(name))


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def bare_place(request: pytest.FixtureRequest, tmp_path: Path, names: Callable[[], str]) -> Place:
    """Where no store is yet."""
    if request.param == "sqlite":
        return place_of(str(tmp_path / "cases.db"))
    server: Server = request.getfixturevalue("server")
    name = names()
    server.sql(f"CREATE DATABASE {name}")
    return place_of(server.address(name))


@pytest.fixture
def store(place: Place) -> Generator[CaseStore]:
    opened = open_store(place)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def act() -> Act:
    """Somebody who acts at noon, or some minutes later: act("bob", minutes=3, expected=…)."""

    def acting(by: str = "ann", *, minutes: float = 0, expected: int | None = None, logged: bool = False) -> Acting:
        return Acting(by=by, at=NOON + timedelta(minutes=minutes), expected=expected, logged=logged)

    return acting


def _result(folder: Path, report: Report) -> Path:
    folder.mkdir()
    write_findings(folder / "findings.jsonl", report)
    write_table(folder / "members.parquet", MEMBERS, member_columns(report.findings))
    rows = [
        {
            **{name: getattr(edge, name) for name in ("account_id", "kind", "trace", "sharing", "weight")},
            "entity_id": finding.entity_id,
            "count": 3,
            "first_at": finding.first_at,
            "last_at": finding.last_at,
        }
        for finding in report.findings
        for edge in finding.pictures.edges
    ]
    write_table(folder / "links.parquet", LINKS, {name: [row[name] for row in rows] for name in LINKS.names})
    accounts = [member.account_id for finding in report.findings for member in finding.members]
    write_arrow(folder / "features.parquet", pa.table({"entity_id": accounts, "exchanges": [7.0] * len(accounts)}))
    refused = '{"file":"a.jsonl","line":3,"byte_offset":90,"reason":"invalid_json","detail":"expected a value","head":"{broken"}\n'
    write_text(folder / "quarantine.jsonl", refused)
    import json

    write_text(folder / "run.json", json.dumps(run_to_json(report.run)))
    return folder


@pytest.fixture(scope="session")
def result_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Report], Path]:
    """A result folder with what a case reads of it."""
    return lambda report: _result(tmp_path_factory.mktemp("scan") / "result", report)


@pytest.fixture(scope="session")
def result(result_of: Callable[[Report], Path], report: Report) -> Path:
    return result_of(report)


@pytest.fixture
def new(store: CaseStore, result: Path, act: Act) -> Callable[..., int]:
    """Make a case of some entities of the small scan: new("group-0000", title=…)."""

    def made(*entities: str, title: str = "A group", gathered: Gathered | None = None, minutes: float = 0, by: str = "ann") -> int:
        found = gathered or gather(result, entities or ("group-0000",), ())
        return new_case(store, act(by, minutes=minutes), title=title, sources=found.sources, claims=found.claims)

    return made


@pytest.fixture(scope="session")
def about() -> Callable[[Finding, list[str]], Finding]:
    """A finding about other accounts."""

    def changed(finding: Finding, accounts: list[str]) -> Finding:
        return replace(finding, members=tuple(replace(finding.members[0], account_id=account) for account in accounts))

    return changed


@pytest.fixture(autouse=True)
def nobody_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests name who acts and where the store is; the environment of whoever runs them says nothing."""
    for name in ("STILLWATCH_ACTOR", "STILLWATCH_CASES", "STILLWATCH_LOG_KEY", "PGPASSWORD"):
        with contextlib.suppress(KeyError):
            monkeypatch.delenv(name)
