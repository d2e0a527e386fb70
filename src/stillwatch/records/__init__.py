"""What things are: frozen values and the columns of every table. Plain Python, no I/O."""
