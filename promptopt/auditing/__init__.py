"""Request logs and the ledger: where the money goes, what would have saved it, and what it will be."""
