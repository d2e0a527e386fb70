"""Accounts to groups: which accounts act as one, and why each belongs."""
