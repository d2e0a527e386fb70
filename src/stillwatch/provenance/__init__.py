"""Was a suspect model trained on our outputs? Tests on plain arrays, each with a null that our own secret coin makes true."""
