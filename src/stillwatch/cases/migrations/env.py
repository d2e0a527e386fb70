"""Runs migrations on the connection that `stillwatch.cases.versions` hands over, in the transaction that it began."""

from __future__ import annotations

from alembic import context

from stillwatch.cases.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
