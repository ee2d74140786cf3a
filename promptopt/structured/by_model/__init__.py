"""A model reads the form of a prompt's answers."""
