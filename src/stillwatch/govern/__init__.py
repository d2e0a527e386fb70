"""Who may do what with evidence, how long it is kept, and what keeps its text from the eyes of others."""
