"""A case sealed into one file that everybody can verify: commitments cell by cell, a signed statement, proofs, custody, narrative."""
