"""Changes to prompts as reviewable edits."""
