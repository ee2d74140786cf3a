"""Where the money goes: the ledger's rows, summed."""
