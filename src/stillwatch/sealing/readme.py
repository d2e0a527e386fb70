"""What the first page in a sealed file says to whoever opens it without us."""

from __future__ import annotations

README_TEXT = """\
SEALED CASE

This archive is one sealed case. Read narrative.html first: what is claimed, the evidence, the ordinary explanations
that were considered, the limits, and what you can check.

Check it before you rely on it:

  stillwatch verify CASE --key VERIFIER_KEY           with the program Stillwatch, or
  python3 verify_case.py CASE --key VERIFIER_KEY      with one short file that shares no code with it

VERIFIER_KEY is the line NAME+ID+KEY of the evidence log. Get it from somebody whom you trust, and not from this file:
without it you learn that the file agrees with itself, and not who sealed it.

case.json        the signed statement (DSSE envelope, in-toto Statement v1): claims, numbers, custody, all files by sha256
checkpoint       the evidence log's signed state (C2SP tlog-checkpoint)
narrative.*      the same in words; where words and statement differ, the statement is what was signed
exhibits/        rows of evidence, a line each; a cell is shown with its salt, or stands as a hash where it is withheld
files/           files that are evidence
proofs/          that each exhibit stands in the log (C2SP tlog-proof)

Names of accounts, such as account-0123456789abcdef01234567, are pseudonyms made for you alone.
Withheld cells are the same evidence: the hash that stands for one is what was logged, and whoever holds value and salt
can show later what it is.
"""
