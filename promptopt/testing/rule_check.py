"""The check of a rule."""

from __future__ import annotations

from promptopt.compression.document import Document
from promptopt.compression.edit import LEVELS, Edit, Finding
from promptopt.compression.engine import compress_document
from promptopt.compression.rules.base import BySentence, Rule, SentenceRule
from promptopt.compression.sentences import MaskedSentence

TEXTS = (
    "",
    "\n\n",
    "Please make sure that you answer in no more than 50 words, and do not mention prices.",
    "# Task\n\n- Classify the ticket: `billing` or \"other\".\n- Never guess.\n\n```python\nprint('please')\n```\n",
    '---\nmodel: gpt-4o\n---\n{% chat role="user" %}\nIf {{ name }} is missing, stop.\n{% endchat %}\n',
    "{% for item in items %}\n* {{ item }}\n{% endfor %}\n",
    "Antworte bitte immer auf Deutsch und nenne nie mehr als 3 Beispiele.",
    'Answer with JSON: {"label": "a", "reasons": []}. It\'s important to keep the keys\' order!',
)
"""Prompts of different kinds: empty, prose, Markdown, templates, another language, JSON."""


def check_rule(rule: type[Rule | SentenceRule] | Rule | SentenceRule, *texts: str) -> list[str]:
    """Check what promptopt relies on in a rule, and return ``texts`` as they are with its edits made.

    - It has a code, a name, a reason and a level, and reads either whole documents or single sentences.
    - An edit lies inside the text, and changes at least one character.
    - Edits and findings carry the rule's code and a message in one line.
    - The same text gets the same edits. Made in a text, they leave nothing for the rule to propose in the result.

    Args:
        rule: What the entry point leads to.
        texts: Prompts that the rule is asked about, beside prompts of all kinds.
    """
    made = rule() if isinstance(rule, type) else rule
    for name in ("code", "name", "reason"):
        value = getattr(made, name, None)
        assert isinstance(value, str), f"`{name}` of the rule is {value!r}"
        assert len(value.splitlines()) == 1, f"`{name}` of the rule is {value!r}, not one line"
    assert getattr(made, "level", None) in LEVELS, f"`level` of the rule is not one of {', '.join(LEVELS)}"
    reads_document, reads_sentence = isinstance(made, Rule), isinstance(made, SentenceRule)
    assert reads_document != reads_sentence, "a rule has one of `propose(document)` and `propose_in(sentence)`"
    if isinstance(made, SentenceRule):
        for each in made.propose_in(MaskedSentence(" ".join([*texts, *TEXTS]))):
            assert isinstance(each, Edit), f"{each!r} is not an Edit, and a sentence gets nothing else"
    whole: Rule = BySentence(made) if isinstance(made, SentenceRule) else made
    shortened = [_checked(whole, text) for text in (*texts, *TEXTS)]
    return shortened[: len(texts)]


def _checked(rule: Rule, text: str) -> str:
    document = Document(text)
    found = list(rule.propose(document))
    for each in found:
        assert isinstance(each, Edit | Finding), f"{each!r} is neither an Edit nor a Finding"
        assert each.rule == rule.code, f"the rule {rule.code} proposes an edit of {each.rule}"
        assert each.message, f"{each} has no message"
        assert "\n" not in each.message, f"the message of {each} has more than one line"
        assert 0 <= each.start <= len(text), f"{each} is outside of the text"
        if isinstance(each, Edit):
            assert each.start < each.end <= len(text), f"{each} replaces nothing, or lies outside of the text"
            assert each.new != text[each.start : each.end], f"{each} changes nothing"
    assert found == list(rule.propose(Document(text))), f"the same text gets other edits: {text[:60]!r}"
    after = compress_document(document, rule.level, [rule]).text
    again = compress_document(Document(after), rule.level, [rule]).text
    assert again == after, f"its own result is edited once more: {after[:60]!r} becomes {again[:60]!r}"
    return after
