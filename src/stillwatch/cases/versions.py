"""Which version a store has, and how it comes to this program's one: migrations that are shipped inside the package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine

from stillwatch.cases.opening import WRITING, Place, engine_of, make_file, told
from stillwatch.cases.refusals import StoreVersionError

MIGRATIONS = Path(__file__).parent / "migrations"


def init_store(place: Place, migrations: Path = MIGRATIONS) -> str:
    """Make a store; its version. Raises OutputError for a file that is there, StoreVersionError for a database that has one."""
    if place.file is not None:
        make_file(place.file)
    engine = engine_of(place)
    try:
        with told(place), engine.execution_options(**{WRITING: True}).begin() as connection:
            _require_none(connection, place)
            return _upgraded(connection, migrations)
    except BaseException:
        if place.file is not None:
            place.file.unlink(missing_ok=True)
        raise
    finally:
        engine.dispose()


def upgrade_store(place: Place, migrations: Path = MIGRATIONS) -> tuple[str, str]:
    """Bring a store to this program's version, in one transaction; (version before, version now)."""
    engine = engine_of(place)
    try:
        with told(place), engine.execution_options(**{WRITING: True}).begin() as connection:
            held = _known(connection, place, migrations)
            return held, _upgraded(connection, migrations)
    finally:
        engine.dispose()


def check_version(engine: Engine, place: Place, migrations: Path = MIGRATIONS) -> None:
    """Nothing for a store of this program's version; else StoreVersionError with the command that mends it."""
    with told(place), engine.begin() as connection:
        held = _known(connection, place, migrations)
    newest = _newest(migrations)
    if held != newest:
        raise StoreVersionError(
            f"{place.shown} has version {held} and this program needs {newest}; make a copy of it, then run: stillwatch case upgrade"
        )


def _held(connection: Connection) -> str | None:
    """The version that a database states; None: it holds no case store."""
    from alembic.runtime.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision()


def _require_none(connection: Connection, place: Place) -> None:
    held = _held(connection)
    if held is not None:
        raise StoreVersionError(
            f"{place.shown} holds a case store already, of version {held}; to bring it up to date, run: stillwatch case upgrade"
        )


def _known(connection: Connection, place: Place, migrations: Path) -> str:
    """The store's version, which is one of those that this program knows."""
    held = _held(connection)
    if held is None:
        raise StoreVersionError(f"{place.shown} holds no case store; make one with: stillwatch case init")
    if held not in {script.revision for script in _scripts(migrations).walk_revisions()}:
        raise StoreVersionError(
            f"{place.shown} has version {held[:40]!r}, which this program does not know (its own is {_newest(migrations)}): it was made by "
            "a newer one; use that one"
        )
    return held


def _newest(migrations: Path) -> str:
    return _scripts(migrations).get_current_head() or ""


def _config(migrations: Path) -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    return config


def _scripts(migrations: Path) -> Any:
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config(migrations))


def _upgraded(connection: Connection, migrations: Path) -> str:
    from alembic import command

    config = _config(migrations)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    return _newest(migrations)
