"""Shorter prompts in a model's words."""
