import pytest
from hypothesis import given
from hypothesis import strategies as st

import promptopt
from promptopt.compression.facts.stated import compare_facts, facts

TEXT = """Please do not include more than 5 items in the list. Only reply with "yes" or "no".
- Answer with one of: positive, negative, or neutral.
If {{ name }} is missing, return `null`. See https://x.io before 2024-05-01."""


def kinds(text):
    return {(fact.kind, fact.value) for fact in facts(text)}


def test_facts_are_found_by_kind():
    found = kinds(TEXT)
    assert {
        ("negation", "not"),
        ("limit", "more than"),
        ("number", "5"),
        ("restriction", "only"),
        ("quote", '"yes"'),
        ("enum", "neutral"),
        ("placeholder", "{{ name }}"),
        ("condition", "if"),
        ("code", "`null`"),
        ("date", "2024-05-01"),
        ("structure", "list item"),
        ("language", "en"),
    } <= found


def test_a_negation_knows_its_scope():
    scopes = [fact.scope for fact in promptopt.facts("Do not run this code.").of("negation")]
    assert scopes == [("run", "this", "code")]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Do not run this code.", "Run this code."),
        ("Do not run this code. Write tests.", "Run this code. Do not write tests."),
        ("Write at least 5 words.", "Write at most 5 words."),
        ("Write at least 5 words.", "Write at least 6 words."),
        ("Answer only in French.", "Answer in French."),
        ("You must answer.", "You may answer."),
        ("Use a few words.", "Use few words."),
        ('Say "hello there".', 'Say "hello".'),
        ("Classify as one of: red, green, blue.", "Classify as one of: red, blue."),
        ("If it is raining, stop.", "Stop."),
        (
            "Do X. Do not make anything up. Do not make anything up.",
            "Do X. Do make anything up. Do not make anything up.",
        ),
        ("1. Read the text.\n2. Answer the question.", "1. Read the text.\n3. Answer the question."),
        ("Greet {{ name }} warmly.", "Greet warmly."),
        ('Return {"label": "x"} now.', 'Return {"labels": "x"} now.'),
    ],
)
def test_an_altered_fact_is_seen(before, after):
    assert compare_facts(facts(before), facts(after))
    assert facts(before) != facts(after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Please answer the question.", "Answer the question."),
        ("I want you to act as a linux terminal.", "Act as a linux terminal."),
        ("Do this in order to win.", "Do this to win."),
        ("Read the text.  Then answer.\n\n\n\nEnd here now.", "Read text. Then answer.\n\nEnd here now."),
        ("Answer the question in English. Answer the question in English.", "Answer the question in English."),
        ("**Answer** the question.", "Answer the question."),
        ("You will see a list.", "You'll see a list."),
        ("- Answer the question.", "* Answer the question."),
    ],
)
def test_a_harmless_edit_is_none(before, after):
    assert not compare_facts(facts(before), facts(after))
    assert facts(before) == facts(after)


SENTENCES = [
    "Do not run this code.",
    "Write at least 5 words.",
    "Always name the red bird.",
    "- Name the red bird.",
    "Name the red bird.",
    "If {{ name }} is missing, stop.",
    "# Name the red bird",
]


@given(st.lists(st.sampled_from(SENTENCES), max_size=5), st.lists(st.sampled_from(SENTENCES), max_size=5))
def test_equal_facts_have_equal_hashes(first, second):
    one, other = (facts("\n\n".join(lines)) for lines in (first, second))
    if one == other:
        assert hash(one) == hash(other)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Always name the red bird.", "Always name the red bird. Name the red bird."),
        ("Name the red bird. Be kind.", "Be kind. Name the red bird. Be kind."),
        ("Name the red bird.\n\n- Always name the red bird.", "- Name the red bird.\n- Always name the red bird."),
    ],
)
def test_texts_that_say_the_same_are_one_entry_of_a_set(first, second):
    assert facts(first) == facts(second)
    assert len({facts(first), facts(second)}) == 1


def test_facts_are_compared_with_facts():
    with pytest.raises(TypeError, match=r"lost\(\) compares with Facts, not with str: pass promptopt.facts\(text\)"):
        facts("Stop.").lost("Go on.")


@given(st.text(max_size=200))
def test_a_text_keeps_its_own_facts(text):
    assert facts(text) == facts(text)
    assert not facts(text).lost(facts(text))
