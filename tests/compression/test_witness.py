"""A wrong row of a rule's table is refused by witnesses that read no table of the rules."""

import pytest
from corpora import REPOSITORY

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit
from promptopt.compression.engine import Compression, compress_document
from promptopt.compression.witness import parser, relations
from promptopt.compression.witness.word_order import objection


class Row:
    """A rule as a row of a table makes it: it knows no context."""

    code, name, reason = "PO107", "a row", "a test"

    def __init__(self, old: str, new: str, level: str = "safe") -> None:
        self.old, self.new, self.level = old, new, level

    def propose(self, document: Document):
        start = document.text.find(self.old)
        if start >= 0:
            yield Edit(start, start + len(self.old), self.new, self.code, "a row")


def compressed(text: str, old: str, new: str, level: str = "safe") -> Compression:
    assert old in text
    return compress_document(Document(text), level, [Row(old, new, level)])


@pytest.fixture(params=["parser", "no parser"])
def _either_way(request, monkeypatch) -> None:
    if request.param == "no parser":
        monkeypatch.setattr(parser, "available", lambda: False)


WRONG = [
    # Ability beside another modal verb.
    ("Tomorrow the driver will be able to open the gate without a key.", "be able to", "can"),
    ("The night shift should be able to read the log of the day shift.", "be able to", "can"),
    # A comparison, a participle, a noun clause that a conjunction would join or condition.
    ("Repeat the melody as well as you can.", "as well as", "and"),
    ("Hum the tune as well as possible.", "as well as", "and"),
    ("Use the notes provided that may be older than the report.", "provided that", "if"),
    ("Name the rooms provided for guests of the hotel.", "provided", "if"),
    ("Say sorry for the fact that the parcel was late.", "the fact that", "that"),
    ("Compare the offer of the shop with the fact that it closes.", "the fact that", "because"),
    ("Put the cards in order to the left of the box.", "in order to", "to"),
    # Degree and manner.
    ("You are a very old librarian of the town.", "very ", ""),
    ("Give an extremely short reply to the guest.", "extremely ", ""),
    ("10 means that the pie is highly edible.", "highly ", ""),
    ("Count the coins carefully and twice.", " carefully", ""),
    ("Say whether the parcel was successfully sent.", "successfully ", ""),
    ("Simply greet the guest at the door.", "Simply g", "G"),
    # What narrows or widens.
    ("Serve only tea to the guests.", "only ", ""),
    ("Ask just one riddle at a time.", "just ", ""),
    ("Name at least two rivers of the land.", "at least ", ""),
    ("Ring the bell unless the cook sleeps.", "unless", "if"),
    ("Do not wake the cook before noon.", "not ", ""),
    ("Avoid words of the sea.", "Avoid w", "W"),
    ("Name every island except the last.", " except the last", ""),
    ("Sail at no more than 5 knots.", "no more than", "about"),
    ("Wait until the tide turns.", "until", "when"),
    ("Answer in French or in Dutch.", "or", "and"),
    ("Take the boat from Oslo to Bergen.", "from Oslo to Bergen", "to Oslo from Bergen"),
    ("Pay the sailor 5 crowns for each mile.", "for each mile", ""),
    ("The letter may be opened by the captain.", "may", "must"),
    ("You must greet the pilot first.", " first", ""),
    # A word that is spoken of, or a verb here and courtesy there.
    ("Count how often the pilot says please.", " please", ""),
    ("Please the guests of the inn.", "Please t", "T"),
    ("Learn to please the guests of the inn.", "please ", ""),
    # A second half that hangs on what would go.
    ("Your task is to read the log and to decide who sails.", "Your task is to r", "R"),
    ("Note that the ship is late and that the pilot is ill.", "Note that t", "T"),
    ("Your first task is to greet the pilot.", "Your first task is to g", "G"),
    ("Make sure you have a map of the coast.", "Make sure you h", "H"),
    ("Name a song that is sad and that children sing.", "that is ", ""),
    ("Write a line that greets the pilot and calms him.", "that greets", "greeting"),
    ("Write a summary of the log that fits on a card.", "Write a summary of", "Summarize"),
    ("Write a table of the crew and a summary of the log.", "Write a table of", "List"),
    # A noun that would become a verb, a step that others refer to, another sense of the word.
    ("Give the list of the crew to the pilot.", "Give the list of", "List"),
    ("You are given that the mast is 9 feet high.", "You are given", "You get"),
    ("The tea was good, and the cook went on and so on to bed.", "and so on", "etc."),
    ("Concerning news is to be told at once.", "Concerning", "About"),
    ("Here are a few examples of it:", "Here are a f", "F"),
    ("Here are some boats of the harbour:", "Here are some b", "B"),
]


@pytest.mark.usefixtures("_either_way")
@pytest.mark.parametrize(("text", "old", "new"), WRONG)
def test_a_wrong_row_is_refused(text: str, old: str, new: str) -> None:
    result = compressed(text, old, new)
    assert result.text == text
    assert len(result.refused) == 1


@pytest.mark.usefixtures("_either_way")
@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        ("The raters were asked to skip the long texts.", "were ", ""),
        ("If the log is not found, ask the pilot.", "If the log is not found, a", "A"),
        ("Name rivers, lakes, and so on.", ", and so on", ""),
        ("Sum up the pilot's best ideas.", "pilot's", "pilot"),
        ("You must greet the pilot.", "You must g", "G"),
        ("Use a few words.", "a few", "few"),
    ],
)
def test_notes_keep_every_relation(text: str, old: str, new: str) -> None:
    assert compressed(text, old, new, "telegraphic").text == text


RIGHT = [
    ("Please name the boats of the harbour.", "Please n", "N"),
    ("Could you please name the boats of the harbour?", "please ", ""),
    ("I want you to act as the pilot of a ship.", "I want you to a", "A"),
    ("Your task is to name the boats of the harbour.", "Your task is to n", "N"),
    ("As a pilot, your task is to name the boats.", "your task is to ", ""),
    ("Read the log, then make sure to greet the pilot.", "make sure to ", ""),
    ("Take care to not wake the cook.", "Take care to", "Do"),
    ("Please note that the ship is late.", "Please note that t", "T"),
    ("Name the ship. Note: the ship is late today.", "Note: t", "T"),
    ("Additionally, name the boats of the harbour.", "Additionally, n", "N"),
    ("Take a deep breath and name the boats.", "Take a deep breath and n", "N"),
    ("Read the log in order to find the pilot.", "in order to", "to"),
    ("Wait here due to the fact that the ship is late.", "due to the fact that", "because"),
    ("Greet the pilot prior to the journey.", "prior to", "before"),
    ("Say if some pilots are able to read the log.", "are able to", "can"),
    ("Make use of the map of the coast.", "Make use of", "Use"),
    ("Make sure that the log is short.", "Make sure that", "Ensure"),
    ("Provide a short summary of the log.", "Provide a short summary of", "Briefly summarize"),
    ("Provide an analysis of the log.", "Provide an analysis of", "Analyze"),
    ("Conduct an evaluation of the crew.", "Conduct an evaluation of", "Evaluate"),
    ("Follow the rules that are listed in the log.", "that are ", ""),
    ("Use the tools that you need.", "that ", ""),
    ("You will be given a log of the ship.", "You will be given", "You get"),
    ("Read all of the logs.", "all of the", "all the"),
    ("You output short lists of boats.", "You o", "O"),
    ("List names, places, and dates of the journey.", ", and", " and"),
    ("You will see the boats of the harbour.", "You will", "You'll"),
]


@pytest.mark.parametrize(("text", "old", "new"), RIGHT)
def test_a_right_row_is_licensed(text: str, old: str, new: str) -> None:
    result = compressed(text, old, new, "standard")
    assert [edit.refused for edit in result.refused] == []
    assert result.text == text.replace(old, new)


def test_without_a_parser_less_is_done_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "available", lambda: False)
    for text, old, new in RIGHT:
        result = compressed(text, old, new, "standard")
        assert result.text in (text, text.replace(old, new))
    assert compressed(*RIGHT[0]).text == "Name the boats of the harbour."
    assert compressed(*RIGHT[12]).text == RIGHT[12][0]


@pytest.mark.parametrize("text", [text for text, _, _ in RIGHT])
def test_edits_of_one_sentence_are_judged_together(text: str) -> None:
    once = compress_document(Document(text), "telegraphic")
    assert compress_document(Document(once.text), "telegraphic").text == once.text


def test_a_tag_beside_a_sentence_is_no_word_of_it() -> None:
    assert relations.readable("\ue000\ue000\ue000Name it.\ue000\ue000") == "   Name it.  "
    assert relations.readable("Greet \ue000\ue000\ue000 now.\nGo.") == "Greet Xxx now. Go."


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


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("Use a rule provided that applies to all.", "Use a rule provided applying to all.", "condition"),
        ("Give me a good answer.", "Give me a answer.", "agree"),
        ("You will be able to see it.", "You will can see it.", "modal"),
        ("Speak as well as you can.", "Speak and you can.", "depended"),
    ],
)
def test_words_that_do_not_fit_together_are_seen_without_a_parser(before: str, after: str, why: str) -> None:
    assert why in objection(before, after)


def test_only_what_an_edit_made_is_objected_to() -> None:
    assert objection("Give me a answer please.", "Give me a answer.") == ""


def test_a_sentence_goes_whole_only_if_it_thanks_or_encourages() -> None:
    rest = " ".join(f"Name boat {number} of the harbour." for number in range(40))
    for sentence, new in (("Be brief and calm.", "Be brief and calm. "), ("Thank you very much!", "")):
        text = f"{sentence} {rest}"
        assert compressed(text, f"{sentence} ", "").text == new + rest


def test_a_sign_is_a_word() -> None:
    assert compressed("Keep 15% of the price.", "15%", "15").text == "Keep 15% of the price."


@pytest.mark.usefixtures("benchmarks", "_either_way")
def test_every_planted_loss_of_the_benchmark_is_refused() -> None:
    import planted

    lines = planted.planted("planted_losses.txt")
    assert len(lines) >= 97
    assert [kind for kind, before, _, edits in lines if planted.made(before, edits)] == []
    caught = [kind for kind, before, after, _ in lines if planted.flagged(before, after)]
    assert len(caught) >= 0.99 * len(lines)


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(REPOSITORY / "benchmarks"))
