"""The evidence log: canonical records in a Merkle tree, published as static tiles with signed checkpoints, contents apart and erasable."""
