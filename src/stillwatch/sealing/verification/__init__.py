"""Whether a sealed case is what it says, in numbered steps. Pure: it is given bytes and keys, and needs records and ledger alone."""
