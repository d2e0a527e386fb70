"""Migrations of the case store, for Alembic: one file for each version in `versions`, never changed once released."""
