"""The edits that take the old form out of a prompt's text, and the wish for minified JSON that comes in."""
