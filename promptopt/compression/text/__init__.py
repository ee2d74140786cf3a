"""What the lines and stretches of a text are, each looked at by itself: marks, data, code, records, turns."""
