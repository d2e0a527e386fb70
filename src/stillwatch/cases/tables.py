"""The tables of the case store.

A case that is merged keeps its rows and points to the case that took it in; whoever reads that one reads both. Ids of exhibits, tasks and
comments are given once in a store, so they stay what they were.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Double, ForeignKey, LargeBinary, MetaData, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from stillwatch.cases.columns import AnyText, Json, Moment

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Root of the tables."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: AnyText,
        dict[str, Any]: Json,
        list[Any]: Json,
        datetime: Moment,
        bytes: LargeBinary,
        float: Double,
    }


class ContentRow(Base):
    """A content: sealed bytes, and what is left of them when they are erased.

    `sha256`, `salt` and `sealed` go with an erasure; `commitment` stays, so that records that name it still say which content was meant.
    """

    __tablename__ = "contents"
    id: Mapped[str] = mapped_column(primary_key=True)
    media_type: Mapped[str]
    box: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    commitment: Mapped[str]
    sha256: Mapped[str | None] = mapped_column(index=True)
    salt: Mapped[bytes | None]
    sealed: Mapped[bytes | None] = mapped_column(deferred=True)
    erased_at: Mapped[datetime | None]


class CaseRow(Base):
    """A case. `version` is the number of its last act; `key_id` is the content that holds its secret for salted hashes."""

    __tablename__ = "cases"
    __table_args__: ClassVar[Any] = {"sqlite_autoincrement": True}
    number: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(unique=True)
    key_id: Mapped[str] = mapped_column(ForeignKey("contents.id"))
    title: Mapped[str]
    status: Mapped[str]
    severity: Mapped[str]
    version: Mapped[int] = mapped_column()
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    changed_at: Mapped[datetime]
    assignee: Mapped[str | None]
    due_at: Mapped[datetime | None]
    merged_into: Mapped[int | None] = mapped_column(ForeignKey("cases.number"), index=True)
    disposition: Mapped[str | None]
    reason: Mapped[str | None]
    words_id: Mapped[str | None] = mapped_column(ForeignKey("contents.id"))
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str | None]
    suppressed_until: Mapped[datetime | None]
    overlap: Mapped[float | None]
    __mapper_args__: ClassVar[Any] = {"version_id_col": version, "version_id_generator": False}


class SourceRow(Base):
    """A scan or a proof that claims come from: versions, settings, seeds, hashes of what it read and wrote."""

    __tablename__ = "sources"
    id: Mapped[int] = mapped_column(primary_key=True)
    case_number: Mapped[int] = mapped_column(ForeignKey("cases.number"), index=True)
    kind: Mapped[str]
    name: Mapped[str]
    sha256: Mapped[str]
    made_at: Mapped[datetime]
    facts: Mapped[dict[str, Any]]


class ExhibitRow(Base):
    """Something that is shown: rows, a file, a note, a finding or a verdict as it was found."""

    __tablename__ = "exhibits"
    __table_args__: ClassVar[Any] = {"sqlite_autoincrement": True}
    id: Mapped[int] = mapped_column(primary_key=True)
    case_number: Mapped[int] = mapped_column(ForeignKey("cases.number"), index=True)
    kind: Mapped[str]
    label: Mapped[str]
    private: Mapped[bool]
    rows: Mapped[int | None]
    facts: Mapped[dict[str, Any]]
    content_id: Mapped[str] = mapped_column(ForeignKey("contents.id"), index=True)
    added_at: Mapped[datetime]
    added_by: Mapped[str]


class ClaimRow(Base):
    """What a finding or a verdict says, with its numbers as found; `exhibit_id` is all of it."""

    __tablename__ = "claims"
    id: Mapped[int] = mapped_column(primary_key=True)
    case_number: Mapped[int] = mapped_column(ForeignKey("cases.number"), index=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    exhibit_id: Mapped[int] = mapped_column(ForeignKey("exhibits.id"))
    kind: Mapped[str]
    entity_id: Mapped[str]
    uid: Mapped[str]
    title: Mapped[str]
    statement: Mapped[str]
    severity: Mapped[str]
    numbers: Mapped[dict[str, Any]]
    ordinary: Mapped[list[Any]]
    members: Mapped[int]
    ties_left_out: Mapped[int]


class MemberRow(Base):
    """An account of a claim's entity; `key` is the sha256 of its id, which may be of any length."""

    __tablename__ = "members"
    claim_id: Mapped[int] = mapped_column(ForeignKey("claims.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True, index=True)
    account_id: Mapped[str]
    membership: Mapped[float]
    reasons: Mapped[list[Any]]
    exchanges: Mapped[int] = mapped_column(BigInteger)
    first_at: Mapped[datetime | None]
    last_at: Mapped[datetime | None]


class TieRow(Base):
    """A trace that ties members: how many of them carry it, how many accounts of the log do, and what sharing it is worth, in nats.

    `key` is the sha256 of kind and trace, which cases are compared by; `trace` may be cut.
    """

    __tablename__ = "ties"
    claim_id: Mapped[int] = mapped_column(ForeignKey("claims.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True, index=True)
    kind: Mapped[str]
    trace: Mapped[str]
    infrastructure: Mapped[bool]
    accounts: Mapped[int]
    sharing: Mapped[int] = mapped_column(BigInteger)
    weight: Mapped[float]


class TaskRow(Base):
    """Something to do in a case."""

    __tablename__ = "tasks"
    __table_args__: ClassVar[Any] = {"sqlite_autoincrement": True}
    id: Mapped[int] = mapped_column(primary_key=True)
    case_number: Mapped[int] = mapped_column(ForeignKey("cases.number"), index=True)
    title: Mapped[str]
    detail: Mapped[str]
    assignee: Mapped[str | None]
    due_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    done_by: Mapped[str | None]


class LinkRow(Base):
    """Two cases that somebody linked; `first` is the lower number."""

    __tablename__ = "case_links"
    first: Mapped[int] = mapped_column(ForeignKey("cases.number"), primary_key=True)
    second: Mapped[int] = mapped_column(ForeignKey("cases.number"), primary_key=True, index=True)
    shared: Mapped[dict[str, Any]]
    words_id: Mapped[str | None] = mapped_column(ForeignKey("contents.id"))
    at: Mapped[datetime]
    by: Mapped[str]


class ActRow(Base):
    """A line of a case's timeline, chained to the one before; `log_index` is its record in the evidence log, where it was to have one."""

    __tablename__ = "acts"
    __table_args__ = (UniqueConstraint("case_number", "number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    case_number: Mapped[int] = mapped_column(ForeignKey("cases.number"))
    number: Mapped[int]
    at: Mapped[datetime]
    by: Mapped[str]
    act: Mapped[str]
    detail: Mapped[dict[str, Any]]
    words_id: Mapped[str | None] = mapped_column(ForeignKey("contents.id"))
    previous: Mapped[str]
    sha256: Mapped[str]
    log_wanted: Mapped[bool]
    log_index: Mapped[int | None] = mapped_column(BigInteger)
