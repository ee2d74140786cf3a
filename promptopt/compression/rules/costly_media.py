"""PO506: images that a prompt sends with every call, and what they cost at low detail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from promptopt.compression.document import Document
from promptopt.compression.edit import Finding, Level
from promptopt.compression.rules.base import ReportsOnly
from promptopt.errors import TemplateError
from promptopt.media import picture_size
from promptopt.templates.media_tags import TAGS, medium_of
from promptopt.templates.readers import FolderReader
from promptopt.tokens import medium_tokens


class CostlyMedia(ReportsOnly):
    """A ``{% image "..." %}`` that has fewer tokens at low detail, by the provider's published rule."""

    code: ClassVar[str] = "PO506"
    name: ClassVar[str] = "costly images"
    reason: ClassVar[str] = "an image is billed with every call, by its size and detail"
    level: ClassVar[Level] = "standard"

    def propose(self, document: Document) -> Iterator[Finding]:
        reader, detail = document.reader, document.front.params.detail or ""
        if not isinstance(reader, FolderReader):
            return
        path = Path(document.path).resolve()
        name = path.relative_to(reader.root).as_posix() if path.is_relative_to(reader.root) else path.name
        for piece in document.masks.source.pieces:
            # One that says its detail has been thought about.
            if piece.name not in TAGS or len(piece.words) != 2 or piece.words[1][0] not in "\"'":
                continue
            try:
                medium = medium_of(piece.words[1][1:-1], piece.name, "", reader, name)
            except (ValueError, TemplateError):
                continue
            now, low = (medium_tokens(medium, document.model, each) for each in (detail, "low"))
            size = picture_size(medium.data) if medium.kind == "image" else None
            if now is not None and low is not None and low < now and size is not None:
                yield Finding(
                    piece.start,
                    self.code,
                    f"{medium.name} ({size[0]} x {size[1]}) has {now:,} tokens for {document.model}, and {low:,} with "
                    'detail="low": enough if nothing small has to be read',
                    now - low,
                )
