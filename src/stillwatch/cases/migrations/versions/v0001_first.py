"""The first version of the store."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _text(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=null)


def _moment(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=null)


def _whole(name: str, *, null: bool = False, large: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger() if large else sa.Integer(), nullable=null)


def _id(name: str = "id") -> sa.Column[Any]:
    return sa.Column(name, sa.Integer(), primary_key=True)


def _to(table: str, name: str, target: str, *, null: bool = False, text: bool = False, key: bool = False) -> sa.Column[Any]:
    kind: Any = sa.Text() if text else sa.Integer()
    reference = sa.ForeignKey(target, name=f"fk_{table}_{name}")
    return sa.Column(name, kind, reference, primary_key=key, nullable=null)


def _table(name: str, *columns: Any, keys: tuple[str, ...] = ("id",), never_again: bool = False) -> None:
    """A table; `never_again` says that an id that was deleted is not given a second time."""
    op.create_table(name, *columns, sa.PrimaryKeyConstraint(*keys, name=f"pk_{name}"), sqlite_autoincrement=never_again)


def _index(table: str, *columns: str, unique: bool = False) -> None:
    for column in columns:
        op.create_index(f"ix_{table}_{column}", table, [column], unique=unique)


def upgrade() -> None:
    """Make every table."""
    _contents_and_cases()
    _claims()
    _work()
    _acts()


def downgrade() -> None:
    """Remove every table."""
    for name in ("acts", "case_links", "tasks", "ties", "members", "claims", "exhibits", "sources", "cases", "contents"):
        op.drop_table(name)


def _contents_and_cases() -> None:
    _table(
        "contents",
        *(_text(name) for name in ("id", "media_type", "box", "commitment")),
        _whole("size", large=True),
        _text("sha256", null=True),
        *(sa.Column(name, sa.LargeBinary(), nullable=True) for name in ("salt", "sealed")),
        _moment("erased_at", null=True),
    )
    _index("contents", "sha256")
    _table(
        "cases",
        sa.Column("number", sa.Integer(), nullable=False),
        *(_text(name) for name in ("uid", "title", "status", "severity", "created_by")),
        _whole("version"),
        *(_moment(name) for name in ("created_at", "changed_at")),
        *(_text(name, null=True) for name in ("assignee", "disposition", "reason", "closed_by")),
        *(_moment(name, null=True) for name in ("due_at", "closed_at", "suppressed_until")),
        _to("cases", "merged_into", "cases.number", null=True),
        _to("cases", "key_id", "contents.id", text=True),
        _to("cases", "words_id", "contents.id", null=True, text=True),
        sa.Column("overlap", sa.Double(), nullable=True),
        sa.UniqueConstraint("uid", name="uq_cases_uid"),
        keys=("number",),
        never_again=True,
    )
    _index("cases", "merged_into")


def _claims() -> None:
    case = ("case_number", "cases.number")
    _table(
        "sources",
        _id(),
        _to("sources", *case),
        *(_text(name) for name in ("kind", "name", "sha256", "facts")),
        _moment("made_at"),
    )
    _table(
        "exhibits",
        sa.Column("id", sa.Integer(), nullable=False),
        _to("exhibits", *case),
        *(_text(name) for name in ("kind", "label", "facts", "added_by")),
        sa.Column("private", sa.Boolean(), nullable=False),
        _whole("rows", null=True),
        _to("exhibits", "content_id", "contents.id", text=True),
        _moment("added_at"),
        never_again=True,
    )
    _table(
        "claims",
        _id(),
        _to("claims", *case),
        _to("claims", "source_id", "sources.id"),
        _to("claims", "exhibit_id", "exhibits.id"),
        *(_text(name) for name in ("kind", "entity_id", "uid", "title", "statement", "severity", "numbers", "ordinary")),
        *(_whole(name) for name in ("members", "ties_left_out")),
    )
    _index("sources", "case_number")
    _index("exhibits", "case_number", "content_id")
    _index("claims", "case_number")
    _claims_parts()


def _claims_parts() -> None:
    _table(
        "members",
        _to("members", "claim_id", "claims.id"),
        *(_text(name) for name in ("key", "account_id", "reasons")),
        sa.Column("membership", sa.Double(), nullable=False),
        _whole("exchanges", large=True),
        *(_moment(name, null=True) for name in ("first_at", "last_at")),
        keys=("claim_id", "key"),
    )
    _table(
        "ties",
        _to("ties", "claim_id", "claims.id"),
        *(_text(name) for name in ("key", "kind", "trace")),
        sa.Column("infrastructure", sa.Boolean(), nullable=False),
        _whole("accounts"),
        _whole("sharing", large=True),
        sa.Column("weight", sa.Double(), nullable=False),
        keys=("claim_id", "key"),
    )
    _index("members", "key")
    _index("ties", "key")


def _work() -> None:
    _table(
        "tasks",
        sa.Column("id", sa.Integer(), nullable=False),
        _to("tasks", "case_number", "cases.number"),
        *(_text(name) for name in ("title", "detail")),
        *(_text(name, null=True) for name in ("assignee", "done_by")),
        *(_moment(name, null=True) for name in ("due_at", "done_at")),
        never_again=True,
    )
    _table(
        "case_links",
        *(_to("case_links", name, "cases.number") for name in ("first", "second")),
        *(_text(name) for name in ("shared", "by")),
        _to("case_links", "words_id", "contents.id", null=True, text=True),
        _moment("at"),
        keys=("first", "second"),
    )
    _index("tasks", "case_number")
    _index("case_links", "second")


def _acts() -> None:
    _table(
        "acts",
        _id(),
        _to("acts", "case_number", "cases.number"),
        _whole("number"),
        _moment("at"),
        *(_text(name) for name in ("by", "act", "detail", "previous", "sha256")),
        _to("acts", "words_id", "contents.id", null=True, text=True),
        sa.Column("log_wanted", sa.Boolean(), nullable=False),
        _whole("log_index", null=True, large=True),
        sa.UniqueConstraint("case_number", "number", name="uq_acts_case_number"),
    )
