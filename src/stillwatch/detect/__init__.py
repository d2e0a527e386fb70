"""Entities to findings: who is harvesting the model, how sure we are, and what they took."""
