"""What is asked before a text is searched, and what is counted in part: the same answer as the long way."""

import re
import sys
import time
from pathlib import Path

import pytest
from corpora import own_prompts
from hypothesis import given
from hypothesis import strategies as st

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, apply
from promptopt.compression.judging.edited_tokens import tokens_saved
from promptopt.compression.rules import duplicates
from promptopt.compression.rules.base import BySentence, WordingRule, all_rules
from promptopt.compression.rules.lexicon import filler_phrases, opener_pattern, opener_words, shorter_phrases
from promptopt.compression.scope import instructions
from promptopt.compression.sentences import TEXT, MaskedSentence
from promptopt.compression.text.address import begun_answer
from promptopt.compression.text.any_case import AnyCase
from promptopt.compression.text.words import Hints, words_in
from promptopt.tokens import Tokenizer

HOSTILE = (Path(__file__).parent / "hostile.txt").read_text(encoding="utf-8")
RULES = [rule for rule in all_rules().values() if isinstance(rule, BySentence) and rule.hints is not None]
TABLES = [one.rule for one in RULES if isinstance(one.rule, WordingRule)]
# Beginnings of openers in their simplest form, phrases, and the small words of the patterns.
OPENERS = (
    "I want you to, I'm going to ask you to, Your task is to, You are asked to, It's important to note that, Keep in "
    "mind that, Take care to, As a reminder, It is worth noting that, Make sure you, Note:"
)
SMALL = (
    "I you we they it that there here what which who will are is am was then and or , . : ' ’ e.g. i.e. shown ensure "
    "Next, Finally, clear use the a an of not \ue000\ue000 He said turned to the crew "
    "names, places, and dates, or 1999 don't it’s let's please"
)
WORDS = [*filler_phrases(), *shorter_phrases(), *OPENERS.split(", "), *SMALL.split(" ")]


@st.composite
def sentences(draw):
    """Phrases that rules know, in any case and with any white space between."""
    parts = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=8))
    text = draw(st.sampled_from([" ", "  ", "\n"])).join(parts)
    return draw(st.sampled_from([str, str.upper, str.capitalize, lambda text: text.replace("'", "’")]))(text)


@given(sentences())
def test_a_sentence_without_the_words_of_a_rule_has_nothing_for_it(text):
    sentence = MaskedSentence(text, TEXT)
    for one in RULES:
        assert one.hints.met_by(words_in(text)) or not list(one.rule.propose_in(sentence)), one.code


@given(sentences())
def test_a_pattern_matches_only_where_its_words_are(text):
    for table in TABLES:
        for rewording in table.table:
            assert rewording.may_match(text) or not rewording.pattern.search(text), table.code
    assert Hints(opener_words()).met_by(words_in(text)) or not opener_pattern().search(text)


def test_rules_that_ask_for_words_find_the_same_in_real_sentences():
    """Also where capitals, marks and masked stretches are as people write them."""
    met = 0
    for prompt in [*(row["text"] for row in own_prompts()), HOSTILE]:
        for _, text, kind, first in Document(prompt).prose_texts:
            for one in RULES:
                found = list(one.rule.propose_in(MaskedSentence(text, kind, first)))
                met += bool(found)
                assert one.hints.met_by(words_in(text)) or not found, (one.code, text)
    assert met > 30


@pytest.mark.parametrize("line", [line for line in OPENERS.split(", ") if line])
def test_every_opener_has_one_of_its_words(line):
    assert opener_pattern().match(f"{line}, x" if line == "As a reminder" else f"{line} x")
    assert not words_in(line).isdisjoint(opener_words())


def test_every_letter_that_a_pattern_takes_for_another_is_read_as_that():
    odd = [char for char in map(chr, range(0x80, sys.maxunicode)) if re.fullmatch("[a-z]", char, re.IGNORECASE)]
    assert len(odd) == 4
    for char in odd:
        (word,) = words_in(char)
        assert re.fullmatch(word, char, re.IGNORECASE)


@given(sentences())
def test_boilerplate_and_tales_have_their_words(text):
    assert duplicates._IN_SENTENCES.met_by(words_in(text)) or not duplicates._SENTENCES.match(text)
    assert instructions._may_narrate(text) or not instructions._NARRATED.search(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "Please do your best.",
            "Try your best",
            "Good luck!",
            "THANKS a lot",
            "Thank you",
            "I really value your help",
        ),
        *("Take a deep breath and relax", "We appreciate any input", "This is very important to my career."),
        *("I believe that you can do this", "you can do it", "I hope this helps", "Hopefully this makes sense"),
        *("If you do this well, we'll tip you $20", "I am going to tip you", "For a good answer we will tip you"),
    ],
)
def test_every_boilerplate_sentence_is_still_found(text):
    assert duplicates._SENTENCES.match(text)
    assert duplicates._IN_SENTENCES.met_by(words_in(text))


@pytest.mark.parametrize("text", ["He ran.", "I wasn’t there", "They made it", "The old captain turned to the crew."])
def test_every_tale_is_still_found(text):
    assert instructions._NARRATED.search(text)
    assert instructions._may_narrate(text)


@given(st.text(st.sampled_from("aKk \ue000’“Iı\u0130\u212aſsS-é"), max_size=12))
def test_small_letters_alone_find_what_both_cases_do(text):
    pattern = r"\b(?:kiss|is|as?)\b|[^\w\s]k"
    spans = [match.span() for match in AnyCase(pattern).finditer(text)]
    assert spans == [match.span() for match in re.finditer(pattern, text, re.IGNORECASE)]


@st.composite
def edited(draw):
    """A text and edits of it that do not overlap."""
    pieces = st.sampled_from(
        ["word ", "a", " ", "\n", "\n\n", "  ", ".", "/", "'s", "12", "3 ", "é", "🙂", "\ue000", "HTTP", "ß ", "x\ty "]
    )
    text = "".join(draw(st.lists(pieces, min_size=1, max_size=40)))
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=8, unique=True)))
    new = draw(st.lists(st.sampled_from(["", "x", " ", "Some ", "'s", "\n", "7"]), min_size=4, max_size=4))
    return text, [Edit(a, b, n, "X", "") for a, b, n in zip(places[::2], places[1::2], new, strict=False)]


@given(edited(), st.sampled_from(["o200k_base", "cl100k_base"]), st.integers(0, 5))
def test_tokens_are_counted_around_edits_as_in_the_whole(case, encoding, offset):
    text, edits = case
    moved = [Edit(one.start + offset, one.end + offset, one.new, one.rule, "") for one in edits]
    count = Tokenizer(encoding, True).count
    saved = count(text) - count(apply(text, edits))
    assert tokens_saved(Tokenizer(encoding, True), text, reversed(moved), offset) == saved


def test_a_text_whose_white_space_is_counted_in_slices_is_counted_as_a_whole():
    text = "a b " + " " * 60_000 + "c d"
    edits = [Edit(0, 2, "", "X", "")]
    count = Tokenizer("o200k_base", True).count
    assert tokens_saved(Tokenizer("o200k_base", True), text, edits) == count(text) - count(apply(text, edits))


@pytest.mark.parametrize(("label", "lines"), [("Answer:", ["word " * 12] * 4), ("<|assistant|>", ["x" * 8] * 7)])
def test_lines_under_the_label_of_an_answer_are_read_once(label, lines):
    """Too many lines for an answer that is only begun, which could be parted in millions of ways."""
    started = time.process_time()
    assert begun_answer("\n".join(["Sort the words.", "", label, *lines])) is None
    assert time.process_time() - started < 1
