import itertools
import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jinja2 import Environment, nodes

import promptopt
from promptopt.compression.document import Document
from promptopt.compression.edit import Edit
from promptopt.compression.engine import compress_document
from promptopt.compression.facts.stated import facts
from promptopt.compression.judging import edited_tokens
from promptopt.compression.rules.base import all_rules
from promptopt.compression.witness import parser
from promptopt.errors import UsageError
from promptopt.tokens import tokenizer_for

LEVELS = ("safe", "standard", "telegraphic")
SENTENCES = [
    "Please make sure to answer the question in order to help the user.",
    "Do not use more than 5 words.",
    "I want you to act as a support agent.",
    "The answer should be one of the following: billing, bug or other.",
    "Never mention the price, the margin, or the supplier.",
    'If the ticket is empty, say "nothing to do".',
    "Note that the user is in a hurry.",
    "You will be given a list that contains 3 names.",
    "Use `json` and see https://example.org/a?b=1.",
    "Der Kunde ist König und die Antwort ist kurz.",
    "It is very important that you only answer in English.",
    "Give this as a set of five short bullets.",
    "TITLE: name of the red bird. Be brief.",
    'The birds: [{"name": "Kiwi", "wings": 2}, {"name": "Emu", "wings": 1}]',
    "Make sure that the code that has tests is clear and that nothing fails.",
    "If they are asked, quite a few users say that it is very clear, which is good, or quite clear.",
    "Take care to not list the tools that are shown below, and use them twice a day.",
]
HOLES = [
    "{{ ticket }}",
    "{{ a.b | upper }}",
    "{# a note: please keep the comment #}",
    "{%- set x = 'the a an' -%}{{ x }}",
]


@st.composite
def templates(draw, depth=2):
    parts = []
    for _ in range(draw(st.integers(1, 4))):
        choice = draw(st.integers(0, 5 if depth else 2))
        if choice <= 1:
            parts.append(draw(st.sampled_from(["", "- ", "# ", "1. "])) + draw(st.sampled_from(SENTENCES)) + "\n")
        elif choice == 2:
            parts.append(draw(st.sampled_from(HOLES)) + draw(st.sampled_from([" ", "\n", "\n\n\n"])))
        elif choice == 3:
            body, other = draw(templates(depth - 1)), draw(templates(depth - 1))
            name = draw(st.sampled_from(["p", "q"]))
            parts.append(f"{{% if {name} %}}\n{body}{{% else -%}}\n{other}{{% endif %}}\n")
        elif choice == 4:
            parts.append(f"{{% for i in items %}}\n{draw(templates(depth - 1))}{{% endfor %}}\n")
        else:
            parts.append("{% raw %}please {{ the }} raw. {% endraw %}\n")
    return "".join(parts)


def expressions(source):
    tree = Environment().parse(source)
    for node in [tree, *tree.find_all(nodes.Node)]:
        for name, value in node.iter_fields():
            if isinstance(value, list):
                setattr(node, name, [one for one in value if not _is_text(one)])
    return repr(tree)


def _is_text(node):
    if isinstance(node, nodes.Output):
        return all(isinstance(one, nodes.TemplateData) for one in node.nodes)
    return isinstance(node, nodes.TemplateData)


def renders(source):
    template = Environment(trim_blocks=True, lstrip_blocks=True).from_string(source)
    for p, q, items in itertools.product([True, False], [True, False], [[], [1, 2]]):
        yield template.render(p=p, q=q, items=items, ticket="It broke.", a={"b": "x"})


@given(templates(), st.sampled_from(LEVELS))
@example(
    source="{% for i in items %}\n{% for i in items %}\n"
    'The birds: [{"name": "Kiwi", "wings": 2}, {"name": "Emu", "wings": 1}]\n'
    "- Do not use more than 5 words.\n{% endfor %}\n{% endfor %}\n",
    level="standard",
)
@settings(max_examples=25, deadline=None)
def test_a_template_stays_a_template_and_keeps_its_facts(source, level):
    compression = compress_document(Document(source), level)
    assert expressions(compression.text) == expressions(source)
    assert compression.tokens_after <= compression.tokens_before
    assert compression.tokens_after == tokenizer_for(None).count(compression.text)
    for before, after in zip(renders(source), renders(compression.text), strict=True):
        hard = ("negation", "number", "limit", "quote", "url", "code")
        kept = facts(after)
        # A loop prints a line several times, each time after another one: it counts whether it is said, not how often.
        # Printed three times below the same label it is an example, whose words are one fact.
        shown = " ".join(fact.value for fact in kept if fact.kind == "example")
        hard_lost = (fact for fact in facts(before).lost(kept) if fact.kind in hard and fact not in kept)
        lost = [fact for fact in hard_lost if fact.value not in shown]
        assert not lost, (before, after)


@given(templates(), st.sampled_from(LEVELS))
@settings(max_examples=60, deadline=None)
def test_compressing_twice_changes_nothing(source, level):
    once = compress_document(Document(source), level).text
    assert compress_document(Document(once), level).text == once


@given(templates(depth=1), st.randoms())
@settings(max_examples=10, deadline=None)
def test_the_order_in_which_rules_are_given_does_not_matter(source, rng: random.Random):
    rules = list(all_rules().values())
    expected = compress_document(Document(source), "telegraphic", rules).text
    rng.shuffle(rules)
    assert compress_document(Document(source), "telegraphic", rules).text == expected


LINES = [
    "Good luck!",
    "Ensure you keep it short in a section called IDEAS.",
    "Put it in a section called NOTES.",
    "Extract 10 to 20 of the most useful ideas that describe the user's goal.",
    "The report that the user wrote has been checked.",
]


@given(
    st.lists(st.tuples(st.sampled_from(["", "- ", "# ", "1. "]), st.sampled_from([*SENTENCES, *LINES])), max_size=40),
    st.sampled_from(LEVELS),
)
@settings(max_examples=60, deadline=None)
def test_compressing_a_text_of_many_equal_lines_twice_changes_nothing(lines, level):
    source = "".join(f"{mark}{line}\n" for mark, line in lines)
    once = compress_document(Document(source), level).text
    assert compress_document(Document(once), level).text == once


def test_of_too_many_equal_items_none_goes():
    many = "".join(f"- Name bird number {n} in plain English words.\n" for n in range(30))
    three = many + "- Always answer in plain English words.\n" * 3
    assert compress_document(Document(three), "safe").text.count("Always answer") == 1
    text = many + "- Always answer in plain English words.\n" * 14
    compression = compress_document(Document(text), "safe")
    assert compression.text.count("Always answer") == 14
    assert any("none does" in step.refused for step in compression.refused)


PASSAGE = '# Goal\n\nAnswer the question about birds.\n\nFor example:\n\n"A kiwi has two wings."\n\nBe kind.\n\n'


def test_a_passage_that_stands_twice_goes_with_its_example():
    items = "".join(f"- Name bird number {n} in plain English words.\n" for n in range(30))
    text = compress_document(Document(PASSAGE + items + "\n" + PASSAGE + "# End\n"), "safe").text
    assert text == PASSAGE + items + "\n# End\n"
    # What follows belongs to the heading that would go.
    rest = PASSAGE + items + "\n" + PASSAGE + "Use no more than 50 words.\n"
    assert compress_document(Document(rest), "safe").text == rest


@pytest.mark.parametrize(
    "text",
    [
        "{% for i in items %}\n{{ i }} Do not use more than 5 words.\n{% endfor %}\nDo not use more than 5 words.\n",
        "{% if p %}\n{{ p }} Do not use more than 5 words.\n{% endif %}\nDo not use more than 5 words.\n",
        "{% if p %}{{ p }}{% endif %} Do not use more than 5 words.\n\nDo not use more than 5 words.\n",
    ],
)
def test_a_sentence_that_an_expression_begins_stands_in_its_branch(text):
    assert compress_document(Document(text), "safe").text.count("Do not use more than 5 words.") == 2


def test_a_passage_in_a_branch_stays():
    source = "{% if a %}" + PASSAGE + "{% endif %}Stop.\n\n" + PASSAGE
    assert compress_document(Document(source), "safe").text == source


def test_records_of_a_few_shot_prompt_are_examples():
    source = (
        "question: What is the colour of the sky?\nanswer: The sky is blue.\nstars: 5\n\n"
        "question: What is the colour of the sea?\nanswer: The sea is green.\nstars: 4\n"
    )
    assert compress_document(Document(source), "telegraphic").text == source


def test_branches_do_not_make_each_other_redundant():
    source = "{% if a %}\nAlways answer in plain English.\n{% else %}\nAlways answer in plain English.\n{% endif %}\n"
    assert compress_document(Document(source)).text == source


def test_a_sentence_before_the_branch_makes_the_one_in_it_redundant():
    sentence = "Always answer in plain English words.\n"
    source = sentence + "{% if a %}\n" + sentence + "Bye now.\n{% endif %}\n"
    text = compress_document(Document(source)).text
    assert text.count("Always answer") == 1
    assert text.startswith("Always answer")


def test_a_sentence_in_a_loop_stays():
    source = (
        "Always answer in plain English words.\n{% for x in y %}\nAlways answer in plain English words.\n{% endfor %}\n"
    )
    assert compress_document(Document(source)).text == source


@pytest.mark.parametrize(
    "protected",
    [
        "```\nplease  the   code\n```",
        "Use `in order to` here.",
        'Say "please make sure to do it in order to win".',
        '{"please":"in order to","the":1}',
        "| please | the |\n|---|---|\n| a very | b |",
        "<note please='the'>",
        "https://please.example/in-order-to",
        "{% raw %}please {{ in order to }}{% endraw %}",
        '{% chat role="assistant" %}{"please": "in order to", "b": [1, 2]}{% endchat %}',
        "## Examples\n\nInput: please do the thing in order to win\nOutput: the thing",
        "Il faut que la réponse soit courte et que tu sois gentil avec les clients.",
        "Bitte antworte auf die Frage und sei nicht zu lang, please.",
        "请 please 回答问题。",
    ],
)
def test_protected_text_is_left_alone(protected):
    assert promptopt.compress(protected, level="telegraphic").text == protected


@pytest.mark.parametrize(
    "odd",
    [
        "",
        "\n",
        "\x00\x01\x02 please",
        "please {{ broken",
        "{% if x %} please make sure to do it in order to win",
        "[% if x %]please do it in order to win[% end %]",
        "שלום please עולם make sure to",
        "a" * 100_000,
        "def f(x):\n    return x  # please make sure to run in order to win\n",
        "please\ud800 do",
        "\ue000 please",
    ],
)
def test_odd_texts_neither_fail_nor_break(odd):
    text = promptopt.compress(odd, level="telegraphic").text
    assert promptopt.compress(text, level="telegraphic").text == text
    for mark in ("{{", "{%", "%}", "}}", "[%"):
        assert text.count(mark) == odd.count(mark)


def test_line_ends_stay_what_they_are():
    text = promptopt.compress("Please make sure to do it.\r\nPlease do not stop.\r\n").text
    assert text == "Do it.\r\nDo not stop.\r\n"
    mixed = "Please do it.\r\nPlease do not stop.\n"
    assert promptopt.compress(mixed).text == mixed


def test_every_edit_is_logged():
    compression = promptopt.compress("I want you to act as a linux terminal. Do it in order to win 5 games.")
    assert {step.rule for step in compression.edits} == {"PO103", "PO107"}
    assert all(step.tokens > 0 and step.facts > 0 and step.revertible for step in compression.edits)
    assert sum(step.tokens for step in compression.edits) == compression.tokens_saved


class Proposes:
    """Proposes to replace each of the given texts by another one."""

    code, name, reason, level = "PO999", "replaces", "for a test", "safe"

    def __init__(self, *pairs):
        self.pairs = pairs

    def propose(self, document):
        for old, new in self.pairs:
            start = document.text.find(old)
            if start >= 0:
                yield Edit(start, start + len(old), new, self.code, f"replaces {old!r}")


def test_an_edit_that_would_lose_a_fact_is_refused_and_listed():
    compression = compress_document(Document("Do not run this code."), "safe", [Proposes(("not ", ""))])
    assert compression.text == "Do not run this code."
    assert "negation 'not'" in compression.refused[0].refused


def test_an_edit_that_saves_no_token_is_refused_and_listed():
    compression = compress_document(Document("Name the red birds of it."), "safe", [Proposes(("of it", "of that"))])
    assert compression.text == "Name the red birds of it."
    (edit,) = compression.refused
    assert (edit.rule, edit.line, edit.old, edit.new, edit.tokens) == ("PO999", 1, "of it", "of that", 0)
    assert edit.refused == "saves no token"


def test_edits_that_save_no_token_together_are_refused_and_listed(monkeypatch):
    # A tokenizer that reads both words as one token, but not one of them alone.
    def count(text):
        return 3 - (("the, " in text) is not (" an" in text))

    monkeypatch.setattr(edited_tokens, "_count", lambda _, text: count(text))
    # The words of this sentence are no sentence, which a parse would say.
    monkeypatch.setattr(parser, "available", lambda: False)
    rule = Proposes(("the, ", ""), ("an ", ""))
    compression = compress_document(Document("Name the, an island."), "telegraphic", [rule])
    assert not compression.edits
    assert {edit.refused for edit in compression.refused} == {"saves no token beside the other edits of its line"}


def test_an_edit_that_a_later_pass_makes_is_not_listed_as_refused():
    class Later(Proposes):
        """Proposes nothing useful before the other rule has made its edit."""

        code = "PO998"

    rules = [Later(("birds of it", "birds of that"), ("birds of the", "birds")), Proposes(("of it", "of the"))]
    compression = compress_document(Document("Name the red birds of it all."), "safe", rules)
    made = {(edit.rule, edit.line, edit.column) for edit in compression.edits}
    assert not made & {(edit.rule, edit.line, edit.column) for edit in compression.refused}


def test_an_unknown_level_is_an_error():
    with pytest.raises(UsageError, match="no level 'hard'"):
        promptopt.compress("x", level="hard")


def test_a_prefix_does_not_fall_below_what_is_cached():
    sentence = "Please make sure to answer question number {} in order to help the user of the shop. "
    text = "".join(sentence.format(number) for number in range(55))
    assert 1024 <= tokenizer_for("gpt-4o").count(text) < 1150
    limited = compress_document(Document(text + "{{ ticket }}", model="gpt-4o"), "standard")
    assert 1024 <= Document(limited.text, model="gpt-4o").prefix_tokens < 1024 + 20
    assert any("not cached" in step.refused for step in limited.refused)
    unlimited = compress_document(Document(text + "{{ ticket }}"), "standard")
    assert unlimited.tokens_after < limited.tokens_after


def test_a_step_of_a_later_pass_names_its_place_in_the_source():
    source = (
        "The birds of the house:\n\n"
        "| Bird      | Legs |\n|-----------|-----:|\n| Red hen   | 2    |\n| Dodo      | 2    |\n\n"
        "Please name the bird that you like.\n"
    )
    places = {step.rule: (step.line, step.column) for step in compress_document(Document(source)).edits}
    assert places["PO305"] == places["PO306"] == (3, 1)
    assert places["PO104"] == (8, 1)
