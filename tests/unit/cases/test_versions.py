"""A store is of one version: made, upgraded whole, refused otherwise; and its address tells no password."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from stillwatch.app.casework import store_place
from stillwatch.cases.opening import Place, engine_of, place_of, told
from stillwatch.cases.refusals import CaseStoreError, StoreVersionError
from stillwatch.cases.store import CaseStore, open_store
from stillwatch.cases.tables import Base, ContentRow
from stillwatch.cases.versions import MIGRATIONS, check_version, init_store, upgrade_store
from stillwatch.errors import OutputError, StillwatchError, UnreadableInputError, UsageError

SECRET = "correct-horse-battery-staple"
NEXT = '''"""A version that only tests know."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column."""
    op.add_column("cases", sa.Column("colour", sa.Text(), nullable=True))
    {more}
'''


@pytest.fixture
def later(tmp_path: Path) -> Path:
    """Migrations of a later program: ours and one more."""
    folder = tmp_path / "later"
    shutil.copytree(MIGRATIONS, folder)
    (folder / "versions" / "v0002_next.py").write_text(NEXT.format(more=""), "utf-8")
    return folder


def tables(place: Place) -> dict[str, list[str]]:
    engine = engine_of(place)
    found = inspect(engine)
    held = {name: sorted(column["name"] for column in found.get_columns(name)) for name in found.get_table_names()}
    engine.dispose()
    return held


def test_migrations_give_the_tables_that_the_program_reads(place: Place) -> None:
    engine = engine_of(place)
    with engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_a_store_is_made_once(bare_place: Place) -> None:
    with pytest.raises(StillwatchError, match="case init"):
        open_store(bare_place)
    assert init_store(bare_place) == "0001"
    open_store(bare_place).close()
    with pytest.raises((OutputError, StoreVersionError), match="stillwatch case upgrade"):
        init_store(bare_place)
    open_store(bare_place).close()


def test_a_store_of_an_older_version_is_refused_until_it_is_upgraded(place: Place, later: Path) -> None:
    engine = engine_of(place)
    with pytest.raises(StoreVersionError, match=r"has version 0001 and this program needs 0002; .* run: stillwatch case upgrade"):
        check_version(engine, place, later)
    assert upgrade_store(place, later) == ("0001", "0002")
    check_version(engine, place, later)
    assert upgrade_store(place, later) == ("0002", "0002")
    engine.dispose()


def test_a_store_of_a_newer_version_is_refused_and_left_as_it_is(place: Place, later: Path) -> None:
    upgrade_store(place, later)
    before = tables(place)
    for work in (open_store, upgrade_store):
        with pytest.raises(StoreVersionError, match="made by a newer one; use that one"):
            work(place)
    assert tables(place) == before


def test_an_upgrade_that_fails_halfway_changes_nothing(place: Place, later: Path) -> None:
    before = tables(place)
    (later / "versions" / "v0002_next.py").write_text(NEXT.format(more='op.drop_table("no_such_table")'), "utf-8")
    with pytest.raises(CaseStoreError, match="nothing of this act is kept"):
        upgrade_store(place, later)
    assert tables(place) == before
    open_store(place).close()


def test_making_a_store_that_fails_leaves_no_file(tmp_path: Path, later: Path) -> None:
    place = place_of(str(tmp_path / "cases.db"))
    (later / "versions" / "v0002_next.py").write_text(NEXT.format(more='op.drop_table("no_such_table")'), "utf-8")
    with pytest.raises(CaseStoreError):
        init_store(place, later)
    assert not (tmp_path / "cases.db").exists()


@pytest.mark.parametrize("content", [b"", b"no database at all", b"SQLite format 3\x00" + b"\xff" * 4096])
def test_a_file_that_is_no_store_is_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cases.db"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(StillwatchError, match=r"cases\.db"):
        open_store(place_of(str(path)))
    assert path.read_bytes() == content


def test_another_programs_database_is_no_store(tmp_path: Path, sqlite_template: Path) -> None:
    path = tmp_path / "other.db"
    shutil.copy(sqlite_template, path)
    place = place_of(str(path))
    engine = engine_of(place)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
    with pytest.raises(StoreVersionError, match="holds no case store"):
        open_store(place)
    engine.dispose()


@pytest.mark.parametrize(
    "address", ["mysql://h/d", "postgresql://", "postgresql://h", "postgresql://h:port/d", "sqlite:///x.db", "http://x/y"]
)
def test_an_address_that_names_no_store_is_wrong_usage(address: str) -> None:
    with pytest.raises(UsageError):
        place_of(address)


def test_a_password_is_in_no_message_and_is_refused_on_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"postgresql://keeper:{SECRET}@db.example.com/cases"
    place = place_of(address)
    assert SECRET not in repr(place) + str(place) + place.shown
    assert place.without_password(f"it said {SECRET}") == "it said ***"
    with pytest.raises(UsageError, match="command line can be read") as refused:
        store_place(address)
    assert SECRET not in str(refused.value)
    monkeypatch.setenv("STILLWATCH_CASES", address)
    assert store_place(None).url.password == SECRET
    monkeypatch.delenv("STILLWATCH_CASES")
    assert store_place(None).file == Path("cases.db")


def test_a_driver_that_quotes_the_password_does_not_tell_it() -> None:
    from sqlalchemy.exc import OperationalError

    place = place_of(f"postgresql://keeper:{SECRET}@db.example.com/cases")
    with pytest.raises(CaseStoreError) as said, told(place):
        raise OperationalError("SELECT", {"password": SECRET}, Exception(f"no entry for keeper with {SECRET}"))
    assert SECRET not in str(said.value)
    assert said.value.__cause__ is None
    assert said.value.__suppress_context__


def test_what_a_database_says_of_a_rows_content_is_not_told(store: CaseStore) -> None:

    def twice() -> None:
        with store.writing() as session:
            for uid in ("one", "other"):
                session.add(ContentRow(id="twice", media_type="m", box="b", size=1, commitment=f"private words {uid}"))
                session.flush()
                session.expunge_all()

    with pytest.raises(CaseStoreError) as said:
        twice()
    assert "private words" not in str(said.value)
    assert "nothing of this act is kept" in str(said.value)


@pytest.mark.postgres
def test_a_wrong_password_is_told_without_it(request: pytest.FixtureRequest) -> None:
    server = request.getfixturevalue("postgres_template")
    server.sql(f"CREATE ROLE keeper LOGIN PASSWORD '{SECRET}'")
    server.sql("GRANT ALL ON DATABASE template_cases TO keeper")
    with pytest.raises(CaseStoreError, match="password authentication failed") as said:
        open_store(place_of(server.address("template_cases", "keeper", f"{SECRET}-not")))
    assert SECRET not in str(said.value)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInputError, match="stillwatch case init --cases"):
        open_store(place_of(str(tmp_path / "none.db")))
    with pytest.raises(OutputError, match="name a file in a folder that is there"):
        init_store(place_of(str(tmp_path / "nowhere" / "cases.db")))
