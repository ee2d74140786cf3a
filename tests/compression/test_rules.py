import pytest

from promptopt.call_options import CallOptions
from promptopt.compression.document import Document
from promptopt.compression.edit import Finding
from promptopt.compression.engine import compress_document
from promptopt.compression.lint import monthly_usd
from promptopt.compression.rules.base import all_rules, choose_rules
from promptopt.compression.rules.lexicon import filler_phrases, shorter_phrases
from promptopt.errors import UsageError
from promptopt.templates.frontmatter import FrontMatter
from promptopt.tokens import tokenizer_for

FIRES = [
    ("PO101", "Answer now.   \nThen stop.", "Answer now.\nThen stop."),
    ("PO101", "Answer now.\n \n \n \nThen stop.", "Answer now.\n\nThen stop."),
    ("PO102", "## Sort the mail ####\nBegin with the oldest.", "## Sort the mail\nBegin with the oldest."),
    ("PO103", "I want you to act as a linux terminal.", "Act as a linux terminal."),
    ("PO103", "Your task is to generate a short summary.", "Generate a short summary."),
    ("PO103", "Please note that the user is new.", "The user is new."),
    ("PO103", "Make sure you extract all names.", "Extract all names."),
    ("PO103", "Note: the user is new.", "The user is new."),
    ("PO103", "It is important to note that not all of the ducks swim.", "Not all of the ducks swim."),
    ("PO103", "Make sure that you do not shout.", "Do not shout."),
    ("PO103", "It is important to note that the shop is closed.", "The shop is closed."),
    ("PO104", "Please answer the question.", "Answer the question."),
    (
        "PO105",
        "Always write in plain English. Be kind. Always write in plain English.",
        "Always write in plain English. Be kind.",
    ),
    ("PO107", "Read it in order to find errors.", "Read it to find errors."),
    ("PO107", "Conduct research on birds.", "Research birds."),
    ("PO201", "You will see what is there.", "You'll see what's there."),
    ("PO202", "You will output bulleted lists.", "Output bulleted lists."),
    ("PO202", "You will then translate the text.", "Then translate the text."),
    ("PO203", "List names, places, and dates.", "List names, places and dates."),
    ("PO203", "List old, new, and/or rare birds.", "List old, new and/or rare birds."),
    ("PO204", "Follow the steps that are defined below.", "Follow the steps defined below."),
    ("PO205", "- The name of the product", "- Name of product"),
    ("PO206", "Here is the list of topics:\n- one topic", "List of topics:\n- one topic"),
    ("PO206", "Here are a few examples of birds:\n- one", "A few examples of birds:\n- one"),
    ("PO207", "# GENERAL INSTRUCTIONS\n\nAnswer briefly.", "# General instructions\n\nAnswer briefly."),
    (
        "PO207",
        "# GENERAL INSTRUCTIONS\n\nBe brief.\n\n# OUTPUT OVERVIEW\n\nName it once.",
        "# General instructions\n\nBe brief.\n\n# Output overview\n\nName it once.",
    ),
    ("PO205", "- Use the `edit` command", "- Use `edit` command"),
    ("PO208", "Read the question and help.", "Read question and help."),
    ("PO208", "Count the wings of birds.", "Count wings of birds."),
    ("PO301", 'Data:\n{\n  "name": "Ann",\n  "ages": [1, 2.50]\n}\n', 'Data:\n{"name":"Ann","ages":[1,2.50]}\n'),
    (
        "PO301",
        'Example:\nTask: find it\n{\n  "name": "search",\n  "arguments": "red birds"\n}\n',
        'Example:\nTask: find it\n{"name":"search","arguments":"red birds"}\n',
    ),
    (
        "PO301",
        'Return:\n{\n  "name": <the name>,\n  "wings": <a number>\n}\n',
        'Return:\n{"name": <the name>,"wings": <a number>}\n',
    ),
    (
        "PO305",
        "| Bird      | Wings |\n|-----------|------:|\n| Kiwi      | 2     |",
        "| Bird | Wings |\n|---|---:|\n| Kiwi | 2 |",
    ),
    (
        "PO306",
        'The birds: [{"name": "Kiwi", "wings": 2}, {"name": "Emu", "wings": 1.50}]\nWhich has more wings?',
        "The birds: \nname,wings\nKiwi,2\nEmu,1.50\nWhich has more wings?",
    ),
    (
        "PO306",
        "The birds of the house:\n\n| Bird | Legs |\n|------|-----:|\n| Red hen | 2 |\n| Dodo | 2 |",
        "The birds of the house:\n\nBird,Legs\nRed hen,2\nDodo,2",
    ),
    ("PO401", "Write a poem about the sea.", "Write poem about sea."),
    ("PO402", "Answers of one line are good.", "Answers of one line good."),
    ("PO403", "You must write your answer in French.", "Must write answer in French."),
    ("PO403", "You are an AI assistant.", "An AI assistant."),
    ("PO403", "Find a file that is good for nothing.", "Find a file good for nothing."),
    ("PO404", "If you read it all, then answer.", "If you read it all then answer."),
    ("PO403", "Make your answer short.", "Make answer short."),
    ("PO405", "Use the following format:\n- one", "Use format:\n- one"),
    ("PO405", "Do it as follows:\n- one", "Do it:\n- one"),
    ("PO405", "Answer from the provided context.", "Answer from the context."),
    ("PO405", "Read the context provided.", "Read the context."),
    ("PO405", "Read all of the files.", "Read all the files."),
    ("PO103", "Take care to not chain too many calls.", "Do not chain too many calls."),
    ("PO103", "As a lecturer, your task is to name topics.", "As a lecturer, name topics."),
    ("PO103", "Read the text, then make sure to answer.", "Read the text, then answer."),
    ("PO104", "Needless to say, the answer is clear.", "The answer is clear."),
    (
        "PO105",
        "You must only name red birds. Be kind.\n\nYou must only name red birds. Be kind.",
        "You must only name red birds. Be kind.\n\n",
    ),
    # Under a label the list is all there is of the examples.
    (
        "PO401",
        "Common examples of this:\n\n- the name of a bird\n\nName the birds of a town.",
        "Common examples of this:\n\n- the name of a bird\n\nName birds of town.",
    ),
    ("PO401", "## END OF EXAMPLE\n\nName the birds of a town.", "## END OF EXAMPLE\n\nName birds of town."),
    ("PO107", "Solve it by using the table.", "Solve it using the table."),
    ("PO405", "Put it into the following sections:\n- one", "Put it into sections:\n- one"),
]
STAYS = [
    ("PO107", "Make sure of the date."),
    ("PO107", "With regard to him, be kind."),
    ("PO402", "Say how likely it is that the map is true."),
    ("PO206", "This is the list of birds:\n- one"),
    ("PO206", "This is important to keep the house warm:\n- a door"),
    ("PO301", "  bar [1, 2, 3, 4]\n  line [5000, 6000, 7500, 8200]\n"),
    ("PO403", "You are a judge."),
    # Bold type, which may be a part of a form.
    ("PO102", "- **NEW**: mail that nobody has"),
    ("PO102", "## **Sort the mail**\nBegin with the oldest."),
    # The marks of an edit and of a merge, a heading that is underlined.
    ("PO102", "<<<<<<< SEARCH\nold\n=======\n# new\n>>>>>>> REPLACE\n"),
    ("PO107", 'You need to write a section called "Ducks".'),
    ("PO107", "Given above map and list, draw the road."),
    ("PO203", "The road is plain, short, and uses bridges."),
    (
        "PO301",
        'It returns [{\n  "name": "dog",\n  "place": [0.1, 0.2, 0.3, 0.4], # here\n  "mask": np.ndarray\n}, ...]',
    ),
    # How the helper is, or how it goes.
    ("PO202", "You will carry the boxes to the next room (they are too big for one trip)."),
    ("PO202", "You describe the hall and then, by what you say, they choose a door."),
    ("PO202", "You give a sign and they vote."),
    # What only what follows could say.
    ("PO107", "Try any way that helps."),
    ("PO107", "Pick a text that includes birds."),
    ("PO107", "Return a piece of information."),
    ("PO107", "As of now nobody has paid."),
    ("PO104", "Kindly hosts are liked."),
    # Two tasks that are set against each other; a call that is louder than what it stands before.
    ("PO103", "Your role is to sing; my role is to judge."),
    ("PO103", "NOTE: the door is shut."),
    # One of several things that are so.
    ("PO103", "- Weigh the flour.\n- Your job is to help with the rest."),
    # What a user is asked for.
    ("PO104", "Please provide the text."),
    ("PO104", "Please let me know the way."),
    ("PO301", 'Answer with exactly this layout:\n{\n  "bird": "Kiwi",\n  "wings": 2\n}\n'),
    ("PO301", 'In this way:\n[[[1, 2], "red bird", big tree"], [[2, 3], "blue bird", "oak"], and so forth'),
    ("PO107", "The keys you are provided above fit."),
    ("PO401", "Weigh things that a guest has left."),
    ("PO403", "You are {{ name }}, keeper of the bees."),
    ("PO403", "You are Ann."),
    ("PO403", "Your role is to sing, my role is to judge."),
    # How much it matters, and what else there is to do.
    ("PO103", "It is important to answer in French."),
    ("PO103", "It is crucial that you name no prices."),
    ("PO103", "Your main task is to sort the mail."),
    ("PO104", "Take a step back and read the bill again."),
    # What each field must not have.
    ("PO105", "Title: at most 9 words.\nDo not use any commas.\nMotto: at most 5 words.\nDo not use any commas."),
    ("PO106", "Begin."),
    ("PO107", "Take the bill sent to you as the last word."),
    ("PO107", "Shut ALL of the doors."),
    ("PO106", "Thank you notes must be short."),
    ("PO106", "Do you understand?"),
    ("PO106", "You have a lot of freedom to choose the colours."),
    ("PO107", "Pick a large number of small stones."),
    ("PO107", "Ensure that when the bell rings the door is shut."),
    ("PO202", "You call the tool by sending its name."),
    ("PO202", "You will begin with a map and will draw the coast."),
    ("PO202", "When you sort the mail, ensure that:\n- You make no copies\n- The box stays closed"),
    ("PO301", 'As in:\n\n```json\n{\n  "price": 12,\n  "open": true\n}\n```'),
    ("PO401", "On the contrary, rooms as a whole are quiet at the same time."),
    ("PO402", 'If one list has "red" and the other is "blue", merge them.'),
    ("PO402", "Ensure each reply is short, polite, and names a price."),
    ("PO403", "Say how to check your work again."),
    ("PO101", "| a   | b |"),
    ("PO103", "The user says that I want you to win."),
    ("PO103", "Do not make sure to answer."),
    ("PO103", "Your job is to read the text and to decide."),
    ("PO104", "Rate it as very low, low, high or very high."),
    ("PO104", "This is not very good."),
    ("PO104", "Do it properly."),
    ("PO103", "Make sure you are polite."),
    ("PO103", "Add a NOTE: it is the last line."),
    ("PO103", "It is important not to shout."),
    ("PO104", "Read the text more carefully."),
    ("PO105", "Write 5 names of birds now. Write 6 names of birds now."),
    ("PO105", "Do not answer questions about law. Do answer questions about law."),
    ("PO105", "If asked, name the red birds. Name the red birds only."),
    ("PO105", "Describe the report in plain words. Describe the annual report in plain words."),
    ("PO105", "Describe the report in plain words. You can describe the report in plain words."),
    ("PO105", "1. Read the whole text again.\n2. Write the answer.\n3. Read the whole text again."),
    ("PO106", "Take a deep breath whenever the text says so."),
    ("PO107", "Do not make assumptions."),
    ("PO107", "Think about the text and about its author."),
    ("PO107", 'Replace "in order to" in the text.'),
    ("PO201", "You will not see it."),
    ("PO202", "You are an expert in birds."),
    ("PO203", "Name three cities, rivers, lakes."),
    ("PO204", "Return text that can be parsed."),
    ("PO205", "Write a poem about the sea."),
    ("PO205", "- Use a few words"),
    ("PO207", "# STEPS\n\nFollow the STEPS above."),
    ("PO207", "# GENERAL INSTRUCTIONS\n\nBe brief.\n\n# HARBOUR CRANES\n\nName them."),
    ("PO207", "# GENERAL INSTRUCTIONS\n\nFollow the STEPS.\n\n# STEPS\n\nName them."),
    ("PO208", "Read the poem and the play."),
    ("PO301", '```json\n{\n  "name": "Ann",\n  "age": 1\n}\n```'),
    ("PO301", '{\n  "name": "{{ name }}",\n  "age": 1234567\n}'),
    ("PO301", '{% chat role="assistant" %}{"name": "Ann", "ages": [1, 2]}{% endchat %}'),
    ("PO301", 'Write:\nconst bird = {\n  "wings": 2,\n  fly() { return 1; }\n}\n'),
    ("PO301", 'Data: {"name": "", "address": "14 Main Street"}'),
    ("PO305", "```\n| Bird      | Wings |\n|-----------|------:|\n| Kiwi      | 2     |\n```"),
    ("PO305", "a      | b      | c"),
    # What the model is to write, or may be.
    ("PO306", 'The birds: [{"name": "Kiwi", "wings": 2}, {"name": "Emu", "wings": 1}]\nAnswer in JSON.'),
    ("PO306", 'Output format: [{"name": "Kiwi", "wings": 2}, {"name": "Emu", "wings": 1}]'),
    ("PO306", '# Examples\n\n[{"name": "Kiwi", "wings": 2}, {"name": "Emu", "wings": 1}]'),
    ("PO306", '```\n[{"name": "Kiwi", "wings": 2}, {"name": "Emu", "wings": 1}]\n```'),
    ("PO306", '{% chat role="assistant" %}[{"name": "Kiwi", "wings": 2}, {"name": "Emu", "wings": 1}]{% endchat %}'),
    ("PO306", "The birds:\n\n| Bird | Legs |\n|------|-----:|\n| Hen | 2 |\n| Dodo | 2 |\n\nReturn a table of cats."),
    # Part of something else.
    ("PO306", 'The birds: {"birds": [{"name": "Kiwi", "wings": 2}, {"name": "Emu", "wings": 1}]\n}'),
    ("PO306", 'The birds: {"birds": [{"name": "Kiwi", "wings": 2}, {"name": "Emu", "wings": 1}]\n; x = 1 }'),
    # A tag that takes the line's end away, or the one before.
    (
        "PO306",
        'The birds: [{"name": "Kiwi", "wings": 2}, {"name": "Emu", "wings": 1}]\n{%- if a -%} here{% endif %}',
    ),
    ("PO306", 'The birds: {% if a -%}\n[{"name": "Kiwi", "wings": 2}, {"name": "Emu", "wings": 1}]\n{% endif %}'),
    # What CSV would not tell: a number from a text, an empty cell, a hole.
    ("PO306", 'The birds: [{"name": "Kiwi", "wings": "2"}, {"name": "Emu", "wings": "1"}]'),
    ("PO306", 'The birds: [{"name": "Kiwi", "wings": 2}, {"name": "", "wings": 1}]'),
    ("PO306", 'The birds: [{"name": "Kiwi", "wings": 2}, {"name": "Emu", "wings": null}]'),
    ("PO306", 'The birds: [{"name": "<name>", "wings": 2}, {"name": "...", "wings": 1}]'),
    ("PO306", 'The birds: [{"name": "Kiwi, red", "wings": 2}, {"name": "Emu", "wings": 1}]'),
    ("PO306", 'The birds: [{"name": "Kiwi", "wings": 2}, {"wings": 1, "name": "Emu"}]'),
    ("PO306", 'The birds: [{"name": "Kiwi", "wings": 2}, {"name": "Emu", "wings": 1}] and others.'),
    ("PO306", 'The birds: [{"name": "{{{{ bird }}}}", "wings": 2}, {"name": "Emu", "wings": 1}]'),
    ("PO401", "Use a few words and a lot of colour."),
    ("PO401", "Answer with option A or B."),
    ("PO402", "Say what it is."),
    ("PO401", "Check that you have the required items."),
    ("PO402", "How will you handle it?"),
    ("PO402", "Say what will be ignored."),
    ("PO104", "Confirm whether the meeting was moved, or note that the guest cancelled."),
    ("PO402", "Having these in your logs will derail you."),
    ("PO402", "If an entity is a phrase, split it."),
    ("PO402", "The check is also based on colour."),
    ("PO403", 'Write "red", "blue" etc. It is short.'),
    ("PO404", "If there is no history, output 1."),
    ("PO202", "You do not need them."),
    ("PO405", "Say what has been discussed."),
    ("PO405", "The check is based on colour."),
    ("PO402", "This will usually not work."),
    ("PO405", "Use only the provided context."),
    ("PO405", "The report should follow the following plan:\n- one"),
    ("PO405", "Read it provided the user agrees."),
    ("PO405", "It's not what's there."),
    ("PO405", "Ask all of them."),
    ("PO404", "Name red, green, then blue things."),
    ("PO104", "It's better to be honest than to be wrong."),
    ("PO104", "Quite a few users ask this."),
    ("PO104", "Do not please everyone."),
    ("PO104", "Explain it simply and clearly now."),
    ("PO107", "Making that appear red is easy."),
    ("PO107", "At the end of the day send a report."),
    ("PO107", "Put it in the body of the email."),
    ("PO107", "End with a brief summary of it."),
    ("PO103", "Note that the user is new and that the text is long."),
    ("PO104", "As soon as you know the answer, stop."),
    ("PO104", "Now keep in mind that it is late and that he is tired."),
    ("PO403", "Ask the owner, who is only one."),
    ("PO403", "Find a file that is public."),
    ("PO107", "Read the rules that are listed below."),
    ("PO204", "List words that are known and that are short."),
    ("PO402", "A name is short, is clear and is new."),
    ("PO403", "Draw a girl who is nine and who sings."),
    ("PO404", "For each say whether it is shown by it, refuted by it or neither."),
    ("PO404", "For each red, green or blue bird write a line."),
    ("PO405", "The patient has been asked a question."),
    ("PO107", "Name what is new with respect to the last version."),
    ("PO104", "Briefly and kindly explain the text."),
    ("PO107", "Name a man who has lost a bird."),
    ("PO107", "Do it for each of the files."),
    ("PO107", "Make a list of the pros and a list of the cons."),
    ("PO107", "Concerning facts should be flagged."),
    ("PO201", "The easier it is for you, the better."),
    ("PO201", "Ask about the text that is mentioned."),
    ("PO202", "You work for a company."),
    ("PO203", "Fix errors, which are bad, or jokes."),
    ("PO203", "In addition to the summary, list the sources."),
    ("PO204", "Say that he called and that he wrote."),
    ("PO204", "List those that are closed."),
    ("PO204", "It has to be clear from the letter that I am late."),
    ("PO203", "Stay calm, no matter what I say, and be brief."),
    ("PO208", "The shorter the answer the better."),
    ("PO208", "Read one of the files."),
    ("PO401", "Take it twice a day."),
    ("PO401", "Insert word the here."),
    ("PO401", "Add the x to b."),
    ("PO402", "Check that the file is in this folder."),
    ("PO403", "If you are not certain, ask."),
    ("PO402", "Keep them as they are in this text."),
    ("PO403", "You are to act as judge."),
    ("PO403", "It's user who decides."),
    ("PO404", "If you know what day it is, ask again."),
    ("PO405", "Any of the three is fine."),
    # The imperative would address "I".
    ("PO103", "I give you a problem, and your role is to solve my problem."),
    ("PO104", 'Rate it "A" if it is very clear. Rate it "B" if it is quite clear.'),
    ("PO104", "Check that the commands run properly and use no invalid options."),
    # Which one "this" is, the sentence before says.
    (
        "PO105",
        (
            "- Capture how the party looks. Give this as a set of five short bullets.\n"
            "- Capture who is against it. Give this as a set of five short bullets."
        ),
    ),
    # An item that keeps its second sentence keeps its label.
    ("PO105", "- TITLE: name of the red bird. Be brief.\n- TITLE: name of the red bird. Be kind."),
    ("PO105", "<context>\nSay the bells of St. Clement's.\nSay the bells of St. Martin's.\n</context>"),
    ("PO105", "Say the bells of St. Clement's. Then say the bells of St. Martin's."),
    ("PO104", "<document>\nIt is very late indeed, he said.\n</document>"),
    ("PO107", "Make a decision that is fair."),
    ("PO107", "Start by using the table."),
    ("PO107", "Name the bird that has been seen."),
    ("PO107", "Name a man who has to go."),
    ("PO107", "I am here to help you with birds."),
    ("PO107", "DATE: a range of dates."),
    ("PO208", "Read the following text."),
    # "they asked" is not "they are asked".
    ("PO402", "Add no options unless they are explicitly asked for."),
    ("PO402", "Stop if the user is asked for money."),
    ("PO402", "The summary will precede the text."),
    ("PO403", "It is important the commands run."),
    ("PO405", "Do it by following the steps:\n- one"),
]


SAID = "# Rules\n\n"
"""A heading under which a text is known to be said to the model."""


def one_rule(code, text):
    return compress_document(Document(SAID + text), "telegraphic", choose_rules([code])).text.removeprefix(SAID)


@pytest.mark.parametrize(("code", "before", "after"), FIRES)
def test_a_rule_fires_where_it_must(code, before, after):
    assert one_rule(code, before) == after


@pytest.mark.parametrize(("code", "text"), STAYS)
def test_a_rule_leaves_alone_what_it_must(code, text):
    assert one_rule(code, text) == text


def test_a_boilerplate_sentence_goes_where_the_text_can_spare_one():
    text = "\n\n".join(f"Answer question number {n} about birds." for n in range(30)) + "\n\nGood luck!\n"
    assert "Good luck" not in one_rule("PO106", text)
    assert one_rule("PO106", "Answer now. Good luck!") == "Answer now. Good luck!"


def advice(code, text, **front):
    document = Document(text, FrontMatter(**front), model=front.get("model"))
    return [one for one in choose_rules([code])[0].propose(document) if isinstance(one, Finding)]


def test_contradictions_are_reported_and_never_merged():
    text = "Write long answers about birds. Be kind. Do not write long answers about birds."
    assert "contradicts line 1 (not)" in advice("PO303", text)[0].message
    assert one_rule("PO303", text) == text
    assert not advice("PO303", "{% if a %}Write long answers.{% else %}Do not write long answers.{% endif %}")


def test_repeated_examples_are_reported():
    text = (
        "## Examples\n\nInput: the delivery was late and nobody answered the phone\nOutput: delivery\n\n"
        "Input: the delivery was late and nobody answered my phone\nOutput: delivery\n"
    )
    assert "repeats the one in line" in advice("PO302", text)[0].message


HEAD = "---\nmodel: gpt-4o-mini\n---\n"


def test_advice_for_a_prompt_file():
    text = HEAD + "Classify the ticket as billing or bug. Answer in JSON format only.\n"
    assert "no max_output_tokens" in advice("PO502", text)[0].message
    assert not advice("PO502", text, params=CallOptions(max_output_tokens=5))
    assert "promptopt structure" in advice("PO503", text)[0].message
    assert "pin a dated one" in advice("PO504", text, model="gpt-4o-mini")[0].message
    for model in ("claude-sonnet-4-5", "anthropic/claude-opus-4.1", "gemini-2.0-flash", "gemini-flash-latest"):
        assert "pin a dated one" in advice("PO504", text, model=model)[0].message
    for model in ("claude-opus-4-6", "claude-sonnet-5", "gemini-2.0-flash-001", "gemini-2.5-pro", "gpt-oss-120b"):
        assert not advice("PO504", text, model=model)
    assert "retir" in advice("PO504", text, model="gpt-4-32k")[0].message
    assert not advice("PO504", text, model="gpt-4o-mini-2024-07-18")
    assert "output schema" in advice("PO304", text, output_schema={"type": "object"})[0].message


def test_an_early_variable_is_reported_with_its_price():
    static = "Answer each question about the birds of the northern islands in full. " * 120
    text = "---\nmodel: gpt-4o\ncalls_per_month: 1000000\n---\nHi {{ name }}!\n" + static
    found = advice("PO501", text, model="gpt-4o", calls_per_month=1_000_000)
    assert "move the variable parts to the end" in found[0].message
    assert "a month" in found[0].message
    assert not advice("PO501", static + "{{ name }}", model="gpt-4o")
    # Its cache begins at more tokens than the prompt has.
    assert not advice("PO501", text, model="gemini-3.1-pro-preview", calls_per_month=1_000_000)


def test_dollars_are_those_of_the_service_tier():
    front = {"model": "gpt-5.4", "calls_per_month": 1_000_000}
    documents = [
        Document("Hi", FrontMatter(**front, params=CallOptions(service_tier=tier)), model="gpt-5.4")
        for tier in (None, "flex", "scale")
    ]
    standard, flex, scale = (monthly_usd(document, 10) for document in documents)
    assert (standard, flex, scale) == (25, 12.5, None)


@pytest.mark.parametrize(("wordy", "short"), shorter_phrases().items())
def test_a_short_phrase_says_what_the_wordy_one_says(wordy, short):
    for word in ("not", "no", "never", "only", "must", "should", "except", "least", "most"):
        if word in wordy.split():
            assert word in short.split()


def test_filler_holds_no_constraint():
    for phrase in filler_phrases():
        words = set(phrase.split())
        assert not words & {"not", "no", "never", "only", "must", "except", "unless", "all", "any", "every"}


def test_the_short_forms_are_shorter():
    count = tokenizer_for(None).count
    longer = [wordy for wordy, short in shorter_phrases().items() if count(f" {short}") > count(f" {wordy}")]
    assert not longer


def test_every_rule_says_what_it_is():
    for code, rule in all_rules().items():
        assert rule.code == code
        assert rule.name
        assert rule.reason
        assert "\n" not in rule.reason
        assert rule.level in ("safe", "standard", "telegraphic")


def test_rules_are_chosen_by_the_beginning_of_their_code():
    assert {rule.code[:3] for rule in choose_rules(["PO4"])} == {"PO4"}
    assert "PO401" not in {rule.code for rule in choose_rules(ignore=["po401"])}
    with pytest.raises(UsageError, match="no rule 'PO999'"):
        choose_rules(["PO999"])
