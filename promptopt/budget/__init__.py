"""The budget gate: what prompts cost today against what is locked, which lines did it, and whether that may be."""
