"""Where layers keep what they share: SQLite, Redis, memory."""
