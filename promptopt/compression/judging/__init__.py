"""Which edits are made: the facts, the witnesses, the tokens and the whole text decide."""
