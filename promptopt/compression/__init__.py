"""Compression: rules propose edits of a prompt, facts decide which of them are made."""
