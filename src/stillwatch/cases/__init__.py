"""Cases: what findings and verdicts claim, the exhibits behind it, who did what, and what was decided. Kept in a database."""
