"""The first reading: each module finds one kind of form in a prompt's text, and makes fields of it."""
