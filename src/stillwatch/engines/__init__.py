"""Where tables live: the only modules that talk to a database."""
