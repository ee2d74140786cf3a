"""Prompt files: versions, front matter, chat blocks, rendering."""

from promptopt.templates.names import PromptFiles, list_prompts, load_prompt
from promptopt.templates.template import Template

__all__ = ["PromptFiles", "Template", "list_prompts", "load_prompt"]
