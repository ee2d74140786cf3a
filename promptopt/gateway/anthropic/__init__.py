"""Anthropic's messages: bodies, events, the hints for its prompt cache, and its SDK's errors."""
