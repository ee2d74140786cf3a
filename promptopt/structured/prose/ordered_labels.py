"""Lists of labels whose order names the key that holds one of them: "Assign a difficulty level: easy, medium, or hard"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from promptopt.structured.fields import PromptText, begin_of, field_name
from promptopt.structured.prose.choices import Choice
from promptopt.structured.prose.key_labels import words_of

# What is sorted is the input: "Sort the ticket: payment, delivery" names no key.
_GIVE = r"(?:assign|set|give|provide|choose|pick|select|add|state|determine|estimate|specify|include|return|output|report|decide on|note|record)"
# What is rated is the input too, but for its quality: "Rate the difficulty of the question".
_JUDGE = r"(?:rate|grade|judge|assess|classify|score|mark|label|tag)"
# "Classify the question as easy": the question is given, "Classify the mood as sad" names what is said of it.
_GIVEN = frozenset(
    """question text message mail email review comment document article ticket sentence content title name query input answer response reply
    summary image photo item request post tweet claim statement essay conversation transcript note product id""".split()  # noqa: SIM905 - read as words
)
_LABEL_KEYS = frozenset({"label", "class", "category", "classification", "prediction"})
_LEVEL = r"(?: (?:level|score|label|rating|value|class|category|type|status|grade|tag))?"
_OF = r" (?:of|for|to) (?:[\w'’-]+ ){0,3}?[\w'’-]+"


def with_ordered_keys(document: PromptText, lists: Sequence[Choice], keys: Iterable[str]) -> list[Choice]:
    """The lists of labels, each with the key that its own order names, if it is one key."""
    keys = [key for key in keys if re.fullmatch(r"[A-Za-z][\w -]*", key)]
    return [replace(one, name=name) if (name := _key_of(document, one, keys)) else one for one in lists]


def _alone(key: str) -> str:
    """A pattern of an order that judges a key itself."""
    return rf"\b{_JUDGE}\b (?:the |its |their )?(?:overall |main |general )?{words_of(key)}"


def _key_of(document: PromptText, choice: Choice, keys: Sequence[str]) -> str:
    """The key that stands before the labels in the order that gives them; empty if none or several do."""
    text = document.text
    begin = begin_of(text, choice.span.start, ("\n", ". ", "! ", "? "))
    labels = "|".join(re.escape(str(label)) for label in choice.schema["enum"])
    ends = {key: field_name(key).rpartition("_")[2] for key in keys}
    labelled = not _LABEL_KEYS.isdisjoint(ends.values())
    named = {
        field_name(key)
        for key in keys
        if re.search(
            rf"(?:{_alone(key) if not labelled and ends[key] not in _GIVEN else '(?!)'}|\b{_GIVE}\b (?:(?:an?|the|its|their|your|one|each) )?(?:[\w-]+ ){{0,2}}?{words_of(key)}{_LEVEL}(?:{_OF})?|\b{_JUDGE}\b (?:the |its |their )?{words_of(key)}{_OF})\s*(?:[:(,]| as| to be)\s*(?:either |one of )?[\"'`“]?(?:{labels})\b",
            text[begin : choice.span.end],
            re.IGNORECASE,
        )
    }
    return named.pop() if len(named) == 1 else ""
