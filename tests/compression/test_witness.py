"""A wrong row of a table is refused by a witness that does not read the table."""

import ast
from pathlib import Path

import pytest

import promptopt
from promptopt.compression import facts, judge, lexicon, witness
from promptopt.compression.document import Document
from promptopt.compression.edit import Edit
from promptopt.compression.engine import compress_document
from promptopt.compression.witness import objection


class WrongRow:
    """A rule as a wrong row of a table makes it."""

    code, name, reason, level = "PO107", "wrong row", "a test", "safe"

    def __init__(self, old: str, new: str) -> None:
        self.old, self.new = old, new

    def propose(self, document: Document):
        start = document.text.find(self.old)
        if start >= 0:
            yield Edit(start, start + len(self.old), self.new, self.code, "wrong")


def _forget() -> None:
    for cached in (lexicon.shorter_pattern, lexicon.filler_pattern, facts.word_facts, judge._window_facts):
        cached.cache_clear()


@pytest.fixture(autouse=True)
def _tables_as_before():
    yield
    _forget()


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        ("Tomorrow the driver will be able to open the gate without a key.", "be able to", "can"),
        ("The night shift should be able to read the log of the day shift.", "be able to", "can"),
        ("Use the notes provided that may be older than the report.", "provided that", "if"),
        ("Say sorry for the fact that the parcel was late.", "the fact that", "that"),
        ("Repeat the melody as well as you can.", "as well as", "and"),
        ("You are a very old librarian of the town.", "very ", ""),
        ("Give an extremely short reply to the guest.", "extremely ", ""),
        ("It is an especially useful remark about the house.", "especially ", ""),
        ("Compare the offer of the shop with the fact that it closes.", "the fact that", "because"),
    ],
)
def test_a_wrong_row_is_refused(text: str, old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # In the table that the facts read too: to them the two sentences say the same.
    rows = {**lexicon.shorter_phrases(), old: new} if new else lexicon.shorter_phrases()
    fillers = lexicon.filler_phrases() if new else (*lexicon.filler_phrases(), old.strip())
    monkeypatch.setattr(lexicon, "shorter_phrases", lambda: rows)
    monkeypatch.setattr(lexicon, "filler_phrases", lambda: fillers)
    _forget()
    monkeypatch.setattr(judge, "objection", lambda before, after: "")
    assert compress_document(Document(text), "safe", [WrongRow(old, new)]).text == text.replace(old, new)
    monkeypatch.setattr(judge, "objection", objection)
    result = compress_document(Document(text), "safe", [WrongRow(old, new)])
    assert result.text == text
    assert [edit.refused[:11] for edit in result.refused] == ["would leave"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Give a very useful hint in an hour.", "Give a useful hint in an hour."),
        ("Take a very honest look.", "Take a look."),
        ("You will be able to see it.", "You can see it."),
        ("Speak to the guest as well as the cook.", "Speak to the guest and the cook."),
        ("Ask an SQL expert.", "Ask an SQL expert."),
        ("Stop because of the fact that it rains.", "Stop because it rains."),
        ("Use a really small XML file.", "Use a XML file."),
    ],
)
def test_no_objection_to_what_reads_well(before: str, after: str) -> None:
    assert objection(before, after) == ""


def test_a_condition_keeps_its_verb() -> None:
    before = "Use a rule provided that applies to all."
    assert "condition" in objection(before, "Use a rule provided applying to all.")
    assert promptopt.compress(before, level="safe").text == before


def test_only_what_an_edit_made_is_objected_to() -> None:
    assert objection("Give me a answer please.", "Give me a answer.") == ""
    assert "agree" in objection("Give me a good answer.", "Give me a answer.")


def test_the_witness_shares_nothing_with_the_rules() -> None:
    tree = ast.parse(Path(witness.__file__).read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {getattr(node, "module", None) or node.names[0].name for node in imports}
    assert not {name for name in names if name.startswith("promptopt")}
