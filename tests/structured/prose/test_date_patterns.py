"""Dates and times in a form of letters have a pattern, where nothing else may stand there."""

import re

import pytest

from promptopt.structured.fields import PromptText
from promptopt.structured.prose.formats import with_date_patterns

SCHEMA = {"type": "object", "properties": {"day": {"type": "string"}, "note": {"type": "string"}}}


@pytest.mark.parametrize(
    ("said", "sample", "other"),
    [
        ('{"day": "<DD.MM.YYYY>"}', "24.12.2026", "2026-12-24"),
        ("- day: dd/mm/yyyy", "24/12/2026", "24.12.2026"),
        ("day (D.M.YY)", "4.12.26", "04.12.2026"),
        ("day must be HH:MM", "07:30", "7:30"),
        ("day: YYYY-MM", "2026-12", "2026-12-24"),
        ("- day: MM/DD/YYYY or null", "12/24/2026", "24"),
        ("- day (TT.MM.JJJJ)", "24.12.2026", "24.12.26"),
        ("day: JJ/MM/AAAA", "24/12/2026", "2026"),
        ("day: DD.MM.YYYY\n\nUse an empty list if there are no crates.", "24.12.2026", "24.12."),
    ],
)
def test_a_form_in_letters_is_a_pattern(said: str, sample: str, other: str) -> None:
    made = with_date_patterns(PromptText.of(f"Read it.\n{said}\n\n{{{{ log }}}}\n"), SCHEMA)
    pattern = made["properties"]["day"]["pattern"]
    assert re.search(pattern, sample)
    assert not re.search(pattern, other)
    assert "pattern" not in made["properties"]["note"]


@pytest.mark.parametrize(
    "said",
    [
        "day: YYYY-MM-DD",
        "day: DD.MM.YYYY or the weekday",
        "day: DD.MM.YYYY\n\nLeave empty what is not known.",
        "day: as DD.MM.YYYY or MM/YYYY",
        "day: TT.MM.JJJJ\n\nIm Zweifel: leeres Feld.",
        "The log has DD.MM.YYYY in each line.\nday: what happened",
        "day: yes/no",
        "day: M/F",
    ],
)
def test_what_is_no_such_form_or_may_be_something_else_has_none(said: str) -> None:
    made = with_date_patterns(PromptText.of(f"Read it.\n{said}\n\n{{{{ log }}}}\n"), SCHEMA)
    assert "pattern" not in made["properties"]["day"]
