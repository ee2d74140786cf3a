"""Compression: rules propose edits of a prompt, facts decide which of them hold.

The room is also the public function: ``promptopt.compress(text, level="standard").text``.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from promptopt.compress.api import compress_text as compress
else:

    class _Room(ModuleType):
        """The package, which can be called: a function of its name could not stand beside it."""

        def __call__(self, text: str, level: str = "standard", **options: object) -> object:
            """Compress a plain text; see :func:`promptopt.compress.api.compress_text`."""
            from promptopt.compress.api import compress_text

            return compress_text(text, level, **options)

    sys.modules[__name__].__class__ = _Room
    compress = sys.modules[__name__]

__all__ = ["compress"]
