"""A fact that a user adds to an ordinary form: what no field holds is refused, what is no part of the answer is not."""

from __future__ import annotations

import pytest

from promptopt.schemas.summary import summary
from promptopt.structured.infer import infer

_PORT = 'Return {"port": "<name>"}.'
_CREW = 'Return {"port": "<name>", "crew": 3}.'
_SORT = "Sort the mail into one of: billing, shipping, returns."
_PLAN = "Rate the plan from 1 to 10. Reply with the number only."
_LINES = "Use this format:\nMood: good | bad\nTopic: <phrase>\n"
_TAGS = "Answer in these tags: <score>1-5</score> <why>one sentence</why>."
_SECTIONS = "Write a report with these sections:\n### Overview\nOne paragraph\n### Risks\nA bulleted list of risks\n"
_TABLE = "Return a table with the columns Name and Score."
_OPTIONS = "Which is right?\nA) the first\nB) the second\nC) the third\n"


def refused(prompt: str) -> str:
    found = infer(f"{prompt}\n\n{{{{ text }}}}\n")
    assert not found.fields, [(item.name, dict(item.schema)) for item in found.fields]
    return "; ".join(found.problems)


def read(prompt: str) -> str:
    found = infer(f"{prompt}\n\n{{{{ text }}}}\n")
    assert found.fields, found.problems
    return "; ".join(f"{item.name}: {summary(item.schema)}" for item in found.fields)


@pytest.mark.parametrize(
    ("prompt", "quoted"),
    [
        # another answer in some case
        (f'{_PORT} If no port is named, output "none".', "none"),
        (f"{_PORT}\nIf the text is not about ships, respond with the single word SKIP.", "SKIP"),
        (f"{_PORT}\nNo ship in the text? Then answer with NONE.", "NONE"),
        ('Reply with {"port": "<name>"}, or with NONE if no port is named.', "NONE"),
        (f"{_LINES}If the review is spam, write just SPAM.", "SPAM"),
        (f"{_TAGS} Without a text, write <none/>.", "none"),
        (f"{_SORT} If the mail is empty, leave the answer empty.", "empty"),
        ("Is it late? Answer yes or no; in case of doubt answer with a question mark.", "question mark"),
        ("Is it late? Reply with yes or no only. When in doubt, a question mark.", "question mark"),
        (f"{_OPTIONS}Answer with the letter only. If the question is unclear, say why.", "say why"),
        # a second value
        ("Is it polite? Answer yes or no, then give one sentence of advice.", "advice"),
        ("Classify the mail as billing, shipping or other. Give the category and then a polite reply.", "reply"),
        (f"{_OPTIONS}Answer with the letter only and a probability.", "probability"),
        (f"{_SORT} Write the category, a colon and the name of the sender.", "colon"),
        ("Rate the plan from 1 to 10. Name its weakest point as well.", "weakest"),
        ("Grade the answer from 1 to 6 with a sentence for the parents.", "sentence"),
        ("Does it name a date? And a place? Answer yes or no.", "place"),
        # how it is written, how often, of what type
        ("Is it polite? Answer yes or no, in French.", "French"),
        ("Rate the risk from 1 to 5 before and after the repair. Reply with the number only.", "before and after"),
        ("Classify the mail as billing or shipping. Prefix the label with #. Reply with the label only.", "Prefix"),
        ("Split the question into exactly three queries. Return one query per line. Mark the best.", "Mark the"),
        ("Classify the mail as one of: billing, shipping. Reply with the labels, comma separated.", "comma separated"),
        ("Use this format:\nMood: good | bad\nTopic: <phrase>\nThe topic is a whole number.", "whole number"),
        ("Use this format:\nMood: good | bad\nTopics: <phrase>, <phrase>, ...", "a list is shown"),
        ("List the fruits. Return a table with the columns Name and Kind. At most 5 rows.", "5 rows"),
        # a label, a key or a part that was not read
        ('Classify the mail as loss or damage. A stolen parcel is "theft". Reply with the label only.', "theft"),
        ("Does it name a price? Answer yes or no. Where it does, copy the words.", "copy the words"),
        ("Return JSON with the keys vendor and city. Add a field called paid.", "paid"),
        ("Fields to extract: vendor, total, city\nReturn JSON with the keys vendor and city.", "total"),
        ('Return {"owner": {"name": "..."}, "note": "..."}. Without an owner, use an empty object.', "empty object"),
        # text around the form
        (f"Greet the captain, then return {_PORT.removeprefix('Return ')}", "Greet"),
        (f"{_PORT} Close with a wish for a good voyage.", "wish"),
        (f"{_PORT} Put a short note for the editor under the JSON.", "under the JSON"),
        (f"{_TAGS} Before them, think aloud.", "think aloud"),
        ("Generate five taglines. Return them as a numbered list with a headline above.", "headline"),
        # parts that may be missing
        (f"{_CREW} Leave out what is not stated.", "left out"),
        (f"{_CREW} All keys are optional.", "missing"),
        (f'{_CREW} Include "crew" only if the text gives it.', "missing"),
        (f"{_CREW} Without a crew, drop that key.", "left out"),
        ("Return JSON with the keys vendor and total (number). The total may be missing.", "missing"),
        (f"{_TAGS} Skip <why> for a 5.", "missing"),
        (f"{_SECTIONS}Omit Risks if there are none.", "Omit Risks"),
        # one for each of several things
        ('For each ship return {"name": "<name>", "flag": "<flag>"}.', "for each"),
        ('Return one object per ship: {"name": "<name>", "flag": "<flag>"}.', "one object per"),
        ('Name three ships. Return {"ship": "<name>"}', "three ships"),
        ('Which ships are late? Return {"ship": "<name>"}', "Which ships"),
        (f"{_CREW} Do the same for the harbour.", "same for"),
        ("Rate every plan from 1 to 10. Reply with the numbers only.", "every"),
        ("Generate five taglines per product. Return them as a numbered list.", "per product"),
        (f"{_LINES}The topic line is there twice if there are two topics.", "twice"),
        # several scores, other notations, numbers beyond the scale
        ("Rate the clarity and the depth from 1 to 5.", "clarity and the depth"),
        ("Give clarity and depth a grade from 1 to 5 each.", "each"),
        ('Rate the plan from 1 to 10. Write it as "n/10".', "n/10"),
        (f"{_PLAN} Use multiples of 2 only.", "multiples"),
        (f"{_PLAN} A plan that breaks the law gets 0.", "0"),
        # labels that a sentence adds
        ('Return {"title": "<title>", "mood": "sad|glad"}. If the mood is neither, use "mixed".', "mixed"),
        ("Return JSON with the keys vendor and kind (rent, repair or fuel). If nothing fits, kind is other.", "other"),
        (f"{_LINES}Mood may also be mixed.", "mixed"),
        ("Sort it into one or more of: billing, shipping, returns. Reply with the categories only.", "one or more"),
        # fields that a list has, and what is said of columns, sections and items
        ('## Fields\n- **due_date**: as printed\n\nReturn {"port": "Rest"}', "due_date"),
        (f"{_PORT} Add why as a second key.", "why"),
        (f"{_TABLE} The score is from 1 to 5.", "score"),
        ("Return a table with the columns Name, Flag (red, white) and Crew (number).", "goes on"),
        (f"{_TABLE} Below it write a summary.", "more than the table"),
        ("Write a report with these sections:\n### Overview\nOne paragraph\n### Verdict\ngo or stop", "go or stop"),
        ("Put the label (spam or ham) in <label> tags and your certainty (0 to 100) in <sure> tags.", "sure"),
        ("List up to five keywords with their counts as a JSON array.", "counts"),
        ("Return JSON with the keys brand and gear (pinion, worm).", "pinion"),
        (f"{_PORT}\nNotes that are no request get the answer IGNORE.", "IGNORE"),
        ("Split the text into three queries, one per line. If it needs no search, write NO SEARCH.", "NO SEARCH"),
        (f"{_LINES}Chats without text are answered with a dash.", "dash"),
        ("Has the guest paid, and has he left? Answer yes or no.", "and has he left"),
        (f"{_LINES}One such block a shop, with an empty line between.", "one such block"),
        (f"{_LINES}A third line, Hint, is for risky shares.", "third line"),
        ('Return {"title": "<title>", "shelf": "A|B|C"}. Maps are on shelf D.', "shelf D"),
        ('Return {"title": "<title>", "mood": "calm|wild"}. Anything else counts as odd.', "odd"),
        ("Name three cities of the text, one per line, with their land in brackets.", "with their land"),
        ("Put the answer in <answer></answer> and your source in <source></source>, if you have one.", "if you have"),
        # a denial before the comma says nothing of the null after it
    ],
)  # fmt: skip
def test_a_fact_that_no_field_holds_is_refused(prompt: str, quoted: str) -> None:
    assert quoted.casefold() in refused(prompt).casefold()


@pytest.mark.parametrize(
    ("prompt", "fields"),
    [
        (f'{_PORT} If the port is not named, write "unknown" as the port.', "port: string"),
        (f'{_PORT} If the captain says "none", take the last port.', "port: string"),
        (
            f"{_CREW} If the crew is not stated, use null; never leave the key out.",
            "port: string; crew: integer or null",
        ),
        (f'{_CREW} If there is no port, do not output "none" but guess.', "port: string; crew: integer"),
        ("Read the letter, then answer yes or no: is it polite?", "answer: yes | no"),
        ("Is it polite? Answer yes or no. Do not give advice.", "answer: yes | no"),
        ("Read it twice, then rate the plan from 1 to 5. Reply with the number only.", "score: integer 1 to 5"),
        (f"{_PORT} Start with a capital letter.", "port: string"),
        (f"Start with the last entry of the log, then go back. {_PORT}", "port: string"),
        (f"The letter starts with a greeting to the captain, then names the port. {_PORT}", "port: string"),
        (f"{_CREW} Leave out explanations.", "port: string; crew: integer"),
        (f"{_CREW} No key may be left out.", "port: string; crew: integer"),
        ('Return {"ships": ["<name>"]}. Leave out ships that are not named.', "ships: list of string"),
        (f"Look at each ship of the log and choose the fastest one. {_CREW}", "port: string; crew: integer"),
        (f"{_CREW} For each key copy the words of the text.", "port: string; crew: integer"),
        ('Name three ships. Return {"ships": ["<name>"]}', "ships: list (3) of string"),
        ('Name the fastest of three ships. Return {"ship": "<name>"}', "ship: string"),
        ("Rate the clarity and the depth from 1 to 5. Reply with the number only.", "score: integer 1 to 5"),
        (f"{_PLAN} Be harsh. A plan without dates gets at most 4.", "score: integer 1 to 10"),
        (f"{_SORT} Reply with the category only. Refunds are returns.", "answer: billing | shipping | returns"),
        (f"## Words\n- **due date**: the day of payment\n\n{_PORT}", "port: string"),
        (f"{_TABLE} Sort it by name.", "rows: list of {name: string, score: string}"),
        ("Return JSON with the keys brand and state (new, used).", "brand: string; state: new | used"),
        ("Return JSON with the keys brand and place (city, country).", "brand: string; place: string"),
        ("Return JSON with the keys brand and note (short, plain).", "brand: string; note: string"),
        (f"{_OPTIONS}Answer with the letter only, in upper case. Guess if you do not know.", "answer: A | B | C"),
    ],
)  # fmt: skip
def test_a_fact_that_is_no_part_of_the_answer_leaves_the_form(prompt: str, fields: str) -> None:
    assert read(prompt) == fields
