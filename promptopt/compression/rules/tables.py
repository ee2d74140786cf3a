"""PO305: Markdown tables that are padded for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Level
from promptopt.compression.notation import TABLE, unpadded


class Tables:
    """The cells of a Markdown table keep one blank beside them, its rule three dashes a column."""

    code: ClassVar[str] = "PO305"
    name: ClassVar[str] = "padded tables"
    reason: ClassVar[str] = "a model reads columns without their being aligned"
    level: ClassVar[Level] = "safe"

    def edits(self, document: Document) -> Iterable[Edit]:
        for table in TABLE.finditer(document.text):
            zone = document.masks.zone_at(table.start())
            if zone is None or zone.kind != "table" or not document.is_literal(*table.span()):
                continue
            new = unpadded(table[0])
            if new != table[0]:
                yield Edit(
                    table.start(), table.end(), new, self.code, "a padded table: one blank beside a cell is enough"
                )
