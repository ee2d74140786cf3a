# ruff: noqa: E501 - a prompt is easier to read in one string than in parts
"""What a sentence governs, what a prompt shows instead of saying it, and what each level may change."""

import pytest

import promptopt
from promptopt.compression.engine import compress
from promptopt.compression.witness import parser

pytestmark = pytest.mark.usefixtures("however_much_is_shown")

LEVELS = ("safe", "standard", "telegraphic")


def removed(text, level="telegraphic"):
    return [edit.old for edit in compress(text, level).edits if edit.rule == "PO105"]


@pytest.mark.parametrize(
    "text",
    [
        "- Under PROS, name what speaks for it. You must always give a number.\n- Under CONS, name what speaks against it. You must always give a number.\n",
        "# Mornings\n\nYou must never name a price.\n\n# Evenings\n\nYou must never name a price.\n",
        "Breakfast:\nAlways begin with the bread.\n\nDinner:\nAlways begin with the bread.\n",
        "- Mornings\n  - Always begin with the bread.\n- Evenings\n  - Always begin with the bread.\n",
        'open(door): Opens it. "door" must be a number.\nclose(door): Closes it. "door" must be a number.\n',
        # A step that is there twice is taken twice.
        "Stir the whole soup slowly. Add the salt. Stir the whole soup slowly.",
        "Columns: 1. Town - the name of the town; 2. Size - its size. Columns: 1. Town - the name of the town; 2. Age - its age.",
        # What it is about, only its place says.
        "Name the birds. Only use three words for this. Name the cats. Only use three words for this.",
        "<morning>\nYou must never name a price.\n</morning>\n<evening>\nYou must never name a price.\n</evening>\n",
    ],
)
def test_what_governs_something_else_is_no_repetition(text) -> None:
    assert not removed(text)


@pytest.mark.parametrize(
    "text",
    [
        "You must never name a price. Be kind to the guests. You must never name a price.",
        "- You must never name a price.\n"
        + "".join(f"- Be kind to the guests of house {n}.\n" for n in range(2, 16))
        + "- You must never name a price.\n",
        "You must never name a price.\n\nBe kind to the guests.\n\nYou must never name a price.\n",
    ],
)
def test_a_standing_instruction_is_given_once_in_its_scope(text) -> None:
    assert len(removed(text, "safe")) == 1
    assert compress(text, "safe").text.count("You must never name a price.") == 1


QUESTIONS = """Please answer the riddles of the children.

# user:
Please say what is the very first of the letters in the alphabet, in order to help me.
# assistant:
It is the letter a, which is of course the first.
# user:
{{ riddle }}
"""
CHAT = (
    '{% chat role="system" %}Solve riddles.{% endchat %}'
    '{% chat role="user" %}Please say in order to help me what is in the house.{% endchat %}'
    '{% chat role="assistant" %}A cat is in the house.{% endchat %}'
    '{% chat role="user" %}{{ riddle }}{% endchat %}'
)
SHOWN = {
    "few-shot turns": (QUESTIONS, QUESTIONS.split("\n\n", 1)[1]),
    "chat turns": (CHAT, "Please say in order to help me what is in the house."),
    "inline tags": (
        "<case>\n<input>Please show me the list of all the ships.</input>\n</case>\n\nDo the same with the next case.",
        "<input>Please show me the list of all the ships.</input>",
    ),
    "numbered lines": (
        "This is the file of the project:\n   10  a  =  b\n   11  # please note that it is the end\n   12  return  a\n\nRepair the file.",
        "   10  a  =  b\n   11  # please note that it is the end\n   12  return  a",
    ),
    "a patch": (
        "@@ -1 +1 @@\n-the old   line\n+the new   line\n it is a line that stays\n\nReview the patch.",
        "@@ -1 +1 @@\n-the old   line\n+the new   line\n it is a line that stays",
    ),
    "indented code": (
        "Explain the function to the reader:\n\n    total = the + price\n    # please note that it is the total\n    print(total)\n\nBe brief.",
        "    total = the + price\n    # please note that it is the total\n    print(total)",
    ),
    "a chart": (
        "The sales of the year:\n\nthe north   ########\nthe south   ###\n\nName the best of the regions.",
        "the north   ########\nthe south   ###",
    ),
    "a help text": (
        "usage: ship [-h] PORT\n\n  -h, --help   show the help of the program\n  -v           be the more verbose one\n\nWrite a command for the user.",
        "  -h, --help   show the help of the program\n  -v           be the more verbose one",
    ),
    "the output of a tool": (
        "STDOUT of the build:\nIt is the end of the build.\nThe file is in the folder.\n\nSay what is wrong with the build.",
        "It is the end of the build.\nThe file is in the folder.",
    ),
    "verse": (
        "The ship is on the sea tonight,\nThe moon is over the hill,\nA star is the only light,\nAnd the town is still.\n\nWrite the next verse of the poem.",
        "The ship is on the sea tonight,\nThe moon is over the hill,\nA star is the only light,\nAnd the town is still.",
    ),
    "quoted lines": (
        "> I am of the opinion that it is the best of the ships.\n\nAnswer the letter of the guest.",
        "> I am of the opinion that it is the best of the ships.",
    ),
    "lines to speak": (
        "Record a message with these lines:\n\nIt is the end of the day.\nTake a deep breath and read the news.\n\nSpeak to the listener slowly.",
        "It is the end of the day.\nTake a deep breath and read the news.",
    ),
    "words to echo": (
        "Close the letter of the shop with exactly these words: It is a pleasure that you are a guest of the house.",
        "It is a pleasure that you are a guest of the house.",
    ),
    "what a user says": (
        "If the guest of the house says: it is the fault of the cook, answer the guest.",
        "it is the fault of the cook",
    ),
    "a dialogue": (
        "Ann: It is the end of the road.\nBob: I am of the same mind.\nAnn: It is a pity.\nBob: It is the best.\n\nGo on with the story.",
        "Ann: It is the end of the road.\nBob: I am of the same mind.\nAnn: It is a pity.\nBob: It is the best.",
    ),
    "a quotation in a quotation": (
        'Use it as follows: "Play the guide. Say "it is the end of the tour" to them." Then greet the guest.',
        '"Play the guide. Say "it is the end of the tour" to them."',
    ),
    "a session of a shell": (
        "$ ls -l\ntotal 8\n-rw-r--r-- 1 ann ann 12 the letter of a guest\n\nSay what is in the folder.",
        "$ ls -l\ntotal 8\n-rw-r--r-- 1 ann ann 12 the letter of a guest",
    ),
    "two columns of a patch": (
        "- the old line of a letter\n+ the new line of a letter\n\nDescribe the change to the reader.",
        "- the old line of a letter\n+ the new line of a letter",
    ),
    "a text to translate": (
        "Translate the sentence to French: It is very important that you are a friend of the house.\nBe brief in the answer.",
        "It is very important that you are a friend of the house.",
    ),
    "repeated headings of examples": (
        "Rate the ships.\n\n# input\nThe ship of the king.\n\n# output\n- Speed: It is the best of the ships.\n\n# input\nThe ship of a thief.\n\n# output\n- Speed: It is the worst of the ships.\n\n# input\n{ship}\n",
        "# output\n- Speed: It is the best of the ships.\n\n# input\nThe ship of a thief.\n\n# output\n- Speed: It is the worst",
    ),
    "what is said after a label": (
        "Please write what the cook says.\n\nFallback: Please note that you are late.\nThe guest leaves.",
        "Fallback: Please note that you are late.",
    ),
    "a bad and a good item": (
        "Please write like the good one.\n\n- Bad: Please note that you are late in order to pay.\n- Good: You are late.",
        "- Bad: Please note that you are late in order to pay.",
    ),
    "what is said after a colon": (
        "Please help the guest. If he asks where the key is, tell him: Please make sure to ask at the desk.",
        "tell him: Please make sure to ask at the desk.",
    ),
    "words after a capital": (
        "Please greet the guest with the words Please make sure you are seated in order to eat.",
        "Please make sure you are seated in order to eat.",
    ),
    "passages of references": (
        (
            "Please cite the passages.\n\n[0] Title: The sea Text: Moreover, it is the case that the ships of the north sail in order "
            "to trade.\n[1] Title: The port"
        ),
        "Moreover, it is the case that the ships of the north sail in order to trade.",
    ),
    "a pair in a line": (
        "Please answer the questions of the boy. Input: What is a ship? Output: It is a boat. Input: What is a port? Output:",
        "Input: What is a ship? Output: It is a boat. Input: What is a port? Output:",
    ),
    "examples between the same lines": (
        (
            "Please answer with code.\n\nRead the table first:\n\nAnn has the boat. Please say if the boat sinks.\n\n# Python code for "
            "it\n\nRead the table first:\n\nBob has the ship. Please say if it sinks.\n\n# Python code for it\n\n# Python code for it"
        ),
        "Ann has the boat. Please say if the boat sinks.",
    ),
    "an instruction that is judged": (
        "Please grade the reply of the pupil.\n\n###The instruction to evaluate: Your task is to name the capital of the state.",
        "Your task is to name the capital of the state.",
    ),
    "a request": (
        "Please carry out the request.\n\nUser Request:\nNext, please rename the boat.\nThen, sink the old one.",
        "Next, please rename the boat.\nThen, sink the old one.",
    ),
    "tasks of one label": (
        (
            "Please say if the task is a choice.\n\nTask: Write the fourth word.\nIs it a choice? No\n\nTask: Pick the odd word.\n"
            "Is it a choice? Yes\n\nTask: Tell the story of the ship.\nIs it a choice? No"
        ),
        "Task: Pick the odd word.\nIs it a choice? Yes",
    ),
    "an example that begins in a line": (
        (
            "Please score the reply of the guest.\n\nHere is an example: given a query, the tale tells the life of the cook.\n"
            "The series follows the boy to the sea."
        ),
        "the tale tells the life of the cook.\nThe series follows the boy to the sea.",
    ),
    "an answer that is begun": (
        "Please answer the question of the guest.\n\n### Answer\nGiven the plan, here is the list that you will want\n[LIST]",
        "Given the plan, here is the list that you will want",
    ),
    "the steps of an agent": (
        (
            "Please answer the questions of the crew.\n\nThought: what you are to do\nAction: the tool\nAction Input: the input to the tool\n"
            "Final Answer: the answer to the question"
        ),
        "Action Input: the input to the tool\nFinal Answer: the answer to the question",
    ),
    "a list of numbers": (
        "Please sort the list of the guest: [-4, 2, 5, 5, 10, 92, 92, 101, 3, 3, 3, 7]",
        "[-4, 2, 5, 5, 10, 92, 92, 101, 3, 3, 3, 7]",
    ),
    "a table of the output": (
        (
            "Please list the ships.\n\n## OUTPUT EXAMPLE\n\n## Fleet\n\n| Ship | State |\n|---|---|\n| Ark | Sunk/Afloat |\n"
            "| Tub | Sunk/Afloat |\n"
        ),
        "| Ship | State |\n|---|---|\n| Ark | Sunk/Afloat |\n| Tub | Sunk/Afloat |",
    ),
}


@pytest.mark.parametrize("kind", SHOWN)
@pytest.mark.parametrize("level", LEVELS)
def test_shown_text_is_not_edited(kind, level) -> None:
    text, kept = SHOWN[kind]
    assert kept in text
    assert kept in compress(text, level).text


def test_the_words_around_shown_text_are_edited() -> None:
    changed = [kind for kind, (text, _) in SHOWN.items() if compress(text, "telegraphic").text != text]
    assert len(changed) >= len(SHOWN) - 3


@pytest.mark.parametrize(
    "text",
    [
        "5: Very tidy. 3: Quite tidy. 1: Highly untidy.",
        "Write an extremely short answer in a really quiet tone.",
        "Read the letter carefully and check the bill thoroughly.",
        "Say whether the ship successfully left the port.",
        "Report what actually happened, simply and truly.",
        "Your first task is to count the birds. Your second task is to name them.",
        "Sail as well as you can.",
        "The guest should be able to open the door.",
        "There is a list provided that may be wrong.",
        "Mention the fact that it rained.",
        "Sort the ships according to the port.",
        "Answer so that a child understands it.",
        "Keep your answer in short sentences.",
        "He is going to school.",
        "Count how many times the guest says please.",
        "The inside of the box is red, and the lid came off of it.",
        "The peaks given above sea level are high.",
        "Red flags listed below average are few.",
        "Find out of bounds errors, and figure out of stock items.",
        "Choose all of the above, or none of them.",
        "Books which deal with grief come up with age.",
        "Look at what is up until noon.",
        "It is so late that you must go.",
        "Consider that they are ill.",
        "The guest is late, as you can see, to be honest.",
        "Understand that the crew are angry.",
        "It is important to know whether the drug is safe before you give it.",
        "Otherwise, identical rows are merged.",
        "Similarly, named boats sink.",
        "You return to the village at night.",
        "You write code for a living.",
        "You will be given a mark by the crew.",
        "**Important:** the crew are asleep.",
        "# CRITICALLY IMPORTANT",
        "# JSON RULES",
        "Write the word please on the door.",
        "They note that the price is high.",
        "Provide a summary of the plot and an outline of the cast.",
        "Provide a summary of no more than 100 words of the letter.",
        "Remember to please the guests.",
        "Please the guests of the house.",
        "Put the letters in order to the left.",
        "You do NOT need to ask.",
        "There may be no answer, in which case say so.",
    ],
)
def test_safe_changes_neither_meaning_nor_degree_nor_manner(text) -> None:
    assert compress(text, "safe").text == text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (
            "It may bring joy, pride, and calm, or fear, anger, and doubt.",
            "joy, pride, and calm, or fear, anger, and doubt",
        ),
        ("If you have ships, list the ships you have here.", "you have ships"),
        ("Take salt, sugar, etc. to the kitchen.", "salt, sugar, etc."),
        ("The guests were asked to leave the hall.", "were asked to leave"),
        ("The letter has been opened by the cook.", "has been opened by"),
        ("If it rains, stay in the house.", "rains, stay"),
        ("When the door is open, when it rains, close it.", "open, when it rains, close"),
        ("Compare the cook's bill with the guest's bill.", "cook's bill"),
        ("Compare my bill with your bill.", "my bill with your bill"),
        ("Let a be the width of the ship.", "Let a be"),
        ("Name the guests and their rooms.", "their rooms"),
        ("Answer based on the letter of the guest.", "based on"),
        ("Your ability to sail ships, catch fish, and cook meals is essential.", "meals is essential"),
        ("Let x be the age of Ann and a the age of Bob.", "Let x be the age of Ann and a the age of Bob."),
        ("Name the birds that are small and can be seen here.", "that are small and can"),
        ("The bill is on the door of Ann.", "is on"),
        ("Despite the fact that it rained, they sailed.", "Despite the fact that"),
        ("Ask for a name, then for a port.", "name, then for"),
        ("The role of Ann is {a} and the role of Bob is {b}.", "Ann is {a} and"),
        ("Name some of the guests.", "some of the guests"),
        ("A 1 is a bad grade and a 100 is a good one.", "a 100"),
    ],
)
@pytest.mark.parametrize("level", LEVELS)
def test_relations_stay_readable_at_every_level(text, kept, level) -> None:
    assert kept in compress(text, level).text


@pytest.mark.parametrize("level", LEVELS)
def test_articles_agree_with_what_stays(level) -> None:
    text = "Ann is an extremely clever cook. She gave a very unusual answer of the house to a highly able guest."
    assert not promptopt.facts(text).lost(promptopt.facts(compress(text, level).text)) or level == "telegraphic"
    for wrong in ("an clever", "a unusual", "a able"):
        assert wrong not in compress(text, level).text


@pytest.mark.parametrize(
    ("text", "shorter"),
    [
        ("{% chat role='user' %}Please make sure to answer in French.{% endchat %}", "%}Answer in French."),
        ("<rules>Please note that the ships are old.</rules>", "<rules>The ships are old.</rules>"),
        ("{% if a %}Please name the red birds.{% endif %}", "%}Name the red birds."),
    ],
)
def test_a_sentence_after_a_tag_begins_with_a_capital(text, shorter) -> None:
    assert shorter in compress(text, "safe").text


@pytest.mark.parametrize(
    ("text", "shorter"),
    [
        (
            'Return:\n{\n    "name": "...",  // the name of the ship\n    "ports": [  // all of them\n        "..."\n    ]\n}\n',
            'Return:\n{\n"name": "...",  // the name of the ship\n"ports": [  // all of them\n"..."\n]\n}\n',
        ),
    ],
)
def test_what_says_nothing_goes(text, shorter) -> None:
    assert compress(text).text == shorter
    assert compress(shorter).text == shorter


@pytest.mark.parametrize(
    "text",
    [
        # One of the lines marks something else.
        "Be kind.\n\n---\n\n## Ships\n\nBe brief.\n\n---\n{ship}\n---\n",
        # A comment could end elsewhere.
        'Return:\n{\n    "name": "...",  // the name of\n    the ship\n    "port": "..."\n}\n',
        # Bold type of the form that is asked for.
        "# Output format\n\n**Ship**: its name\n\n**Port**: where it is now\n",
    ],
)
def test_what_may_say_something_stays(text) -> None:
    assert compress(text, "safe").text == text


def test_a_passage_goes_without_the_label_of_what_comes_next() -> None:
    passage = "Always name the ship.\n\nNever name the port.\n\nAlways give the year.\n\nFor instance:\n\n"
    text = f"{passage}The Ark, 1912.\n\n{passage}The Tub, 1913.\n"
    after = compress(text, "safe").text
    assert after.count("Never name the port.") == 1
    assert after.count("For instance:") == 2


GIVEN = [
    "Response:\n\nThere was a keeper in a tower. It is very late, he said to the child.",
    "Premise: The man is on the boat.\nHypothesis: A man is on the water.",
    "Subject: The bill of the month\nBody: Please find the bill in the box.",
    "Email:\nDear Sir,\nI am writing to you about the bill. Please note that it is late.",
    "[Order]: Draw a map of the coast.\n\n[Role]: You are a keeper of the maps.\n\n[Order]: Sort the keys.\n\n[Role]:",
    "Example 1\n\nForum post:\nThe key is in the box.\n\nI am the keeper.\n\nOutput:\nno fault\n\nExample 2\n\nForum post:\nThe box is in the key.\n\nOutput:\none fault",
    "Name what was done. Example entries:\n- Opened the box of the keeper\n- Read the first map",
    "Question: Which word is meant?\nHe said that the new book is about the sea.\nAnswer: book\nQuestion: And now?\nIt is the day of the year.\nAnswer: day",
    "Hint: Please give the answer as a number.\nQuestion: How many doors are in the hall?\n\nHint: Please give the answer as a word.\nQuestion: Which door is open?",
    "h1. The name of the sea\nh2. A part of the ship",
    "A. The sun is a star.\nB. The moon is a planet.",
    "name: the tool\ndescription: Reads the file and prints the list.\nargs:\n  - the path",
    "Repeat after me: the cat is on the mat.",
    "Add this line to every reply: This is not the advice of a doctor.",
    "Start with a greeting such as this, with the words: Good morning to the people of the town!",
    "Use it with the following words: I am sorry, the list is empty.",
    "The sign at the gate reads: The door is to the left of the gate.",
    "The user will say: I want the name of the author.",
]


@pytest.mark.parametrize("shown", GIVEN)
def test_given_text_is_not_edited_and_its_announcement_goes_on_announcing_it(shown):
    kept = shown.rpartition(": ")[2] if "\n" not in shown else shown
    text = f"I want you to read it.\n\n{shown}\n\nPlease name the colour of the door.\n"
    short = compress(text, "telegraphic").text
    assert kept in short
    assert "name colour of door" in short.lower()
    assert compress(short, "telegraphic").text == short


def test_turns_under_numbered_examples_are_not_edited():
    text = "<Sample 1>:\nUser:\n    Context:\n    Describes the walls of the town.\n\nAssistant:\n    It is the town.\n\n<Sample 2>:\nUser:\n    Context:\n    Describes the ships in the bay.\n\nAssistant:\n    It is the bay."
    assert compress(text, "telegraphic").text == text


def test_a_table_below_a_heading_of_an_answer_keeps_its_blanks():
    table = "| The name | Age |\n|----------|-----|\n| Ann      | 12  |"
    for heading in ("## Output", "# Format of the answer"):
        assert table in compress(f"{heading}\n\n{table}\n", "telegraphic").text
    assert table not in compress(f"## Guests\n\n{table}\n", "telegraphic").text


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("The a in line 3 is a variable.", "The a in line 3 is a variable."),
        ("If b is the height, the area is a times b.", "If b is the height, area is a times b."),
        ("Use the label the user gave.", "Use the label the user gave."),
        ("Use the label of the user.", "Use label of user."),
        ("List colours the customer mentions.", "List colours the customer mentions."),
        ("The after picture is in the box.", "The after picture is in box."),
        ("First, if the door is shut, knock.", "First, if door is shut, knock."),
        ("A given year is over.", "A given year is over."),
        ("Keep a twist the skill uniquely has.", "Keep a twist the skill uniquely has."),
    ],
)
def test_letters_predicates_and_clauses_keep_their_article(text, after):
    said = "# Rules\n\n"
    assert compress(said + text, "telegraphic").text == said + after


FORMS = {
    "inputs and answers with arrows": ("Name the tone.\n\n", "Please hand me the map. -> kind\nYou should have the map. => cold\nIt is important to note that the map is wet. → flat", "\n"),
    "verse without capitals": ("Go on with this poem.\n\n", "The gate is low, the night is new\nand all the bells that are above\nwill ring the hour that is due,\nin order that you are in love", "\n"),
    "verse without a stop": ("Name its season.\n\n", "Leaves come down\nthe gate is in the hill\nyou are near\nand I am the hill", "\n"),
    "announced with an aside": ("", "Carry on this story in the same voice:\n\nIt is late. The keeper of the light, who is at the window, will see the boat.", "\n"),
    "a dialogue under a sentence": ("Play the baker.\n", "Baker: Please come in, you are early.\nGuest: I am here in order to buy a loaf.\nBaker: It is important to note that we only have the small ones.", "\nGo on with it.\n"),
    "one worked example": ("", "Go on.\n\nQ:\nIs the ship in the port of the town?\n\nA:\nThe list of ships has it.\n\nThus, it is in the port that is given.", "\n"),
    "between a start and an end": ("Answer from the text.\n\n[Start of the Text]\n", "The ship is in the port of the town.\n\nIt is important to note that it is late.", "\n[End of the Text]\n"),
    "between BEGIN and END": ("BEGIN NOTE\n", "The ship is in the port that is given.", "\nEND NOTE\n\nShorten the note.\n"),
    "a diagram": ("Draw such a line:\n\n", "timeline\n    title The year of the ship\n    2004 : The launch of the ship", "\n\nGo on with it.\n"),
    "labels with a bracket": ("Go on.\n\n", "Text>\nThe ship is in the port.\nSummary>\nIt is the ship that is in the port.", "\n"),
    "tags inside of tags": ("Cite it.\n", "<claim>The ship is in the port of the town.<cite>2</cite></claim>", "\n"),
    "a named example in tags": ("Sort them.\n", "<example of a mail>\n**Mail**:\nPlease call the shop that is in the town.\n</example of a mail>", "\n"),
    "bars of a chart": ("Name the best month.\n\n", "Jan ###\nFeb ######### (please note that it is the month of the fair)\nMar ##### (it is the month that is cold)", "\n"),
    "a log": ("Name the cause.\n\n", "ERROR the disk that is needed is full\nWARN  please make sure that the disk is mounted\nINFO  it is the third time", "\n"),
    "a list of phrases": ("Take out ", "phrases such as in order to, due to the fact that, and please note that you are late", ".\n"),
    "a message that is": ("Be short. The error is: ", "The bridge is refused by the host.", "\n"),
    "a phrase": ("Say what ", "the phrase it is important to note that you are late", " adds.\n"),
    "half a quotation": ("Be short.\n", 'You must answer The page is not at hand. Please try the other page."', "\n"),
    "a quotation over two lines": ("It says ", '"please come in order to\nsee the house that is on the hill."', "\n"),
    "the last of numbered sections": ("# Examples\n\n## Example 1\n\nThe tower is old.\n\nResponse:\n\nThe tower.\n\n## Example 2\n\n", "The bridge that is over the brook is new.\n\nResponse:\n\nThe bridge is\nnew, and you are to see\nthe mill of the town.\n\nIt is the mill.", "\n\n# Task\n\nShorten the text.\n"),
    "a repeated label after a mark": ("", "<part, rate=2>CLAIM: The pear belongs to a group of the stone fruit.\nREASON: It is the stone.\nVERDICT: No.", "\n\nCLAIM: The band is the band of the town.\nREASON: It is from the town.\nVERDICT: Yes.\n"),
    "items under a repeated label": ("Question: Which is it?\nHints:\n", "- The object is related to the law of the lever.\n- The arm is the part that is bent.", "\nAnswer: b\n\nQuestion: And this?\nHints:\n- The object is at the rim.\nAnswer: c\n"),
    "a template with a block of its own": ("Answer in this form:\n```\n# Bread\n\nExample:\n```text\nknead(dough)\n```\n\n", "*Note: It is important to note that the oven is hot.*", "\n```\n"),
    "a comment above a call": ("Here is a script of the bakery:\nfrom ovens import Oven\nimport flour\n\n", "# Please heat the oven so that the baker can read the time\nheat_all()", "\n\nExplain the script.\n"),
    "the beginning of the answer": ("Letter:\n{letter}\n\n", "Here is the list of the guests: <guests>", "\n"),
    "a quotation under its mark": ('Say something like: "\n\n', "Remember that you can ask to see the menu.\nAre you ready to order the soup?", '\n"\n\nThen wait.\n'),
    "comments between two pieces of code": ("def bake(n):\n    loaves = n\n    return loaves\n\n", "# There is an error in the code. To find the error, go through the lines.\n\n# Let us see the line that counts", "\n\n    loaves = n\n    return loaves\n"),
    "bold labels that come again": ("**QUESTION:**\nIs the sea deep?\n\n", "**ANSWER:**\nIt is.", "\n\n**QUESTION:**\nIs it wide?\n\n**ANSWER:**\nIt is not.\n"),
    "a first message under its heading": ("Rate the bread.\n\n## Welcome Message\n", "Please tell me which bread it is that you are to sell.\n\nI will then make sure to rate the bread.", "\n\n## Rules\nBe brief.\n"),
    "a conversation under its heading": ("Rate the bread.\n\n## Conversation\n\n", "**ASSISTANT**: Tell me which bread it is.\n\nYour task is to name the town. Please make sure to name the shop.", "\n\n## Rules\nBe brief.\n"),
    "turns of several paragraphs": ("Rate the bread as it is done here.\n\n", "USER: the rye bread\n\nASSISTANT: It is important to note that it is the bread of the north.\n\nPlease make sure to keep the bread in a box.\n\nUSER: thanks", "\n\nBe brief.\n"),
    "parts of an example under headings": ("Rate the bread.\n\n## Example Usage\n\n### Input\n", "The bread that is in the window.\n\n### Output\n\nIt is the best of the breads.\n\nPlease make sure to eat it in order to know.", "\n\n## Rules\nBe brief.\n"),
    "a line of a form that asks": ("Ask first in this way:\n\n", "About to: [what is done]\nReason: [why it is]\nPlease confirm: [Y/N] or [an order]", "\n\nBe brief.\n"),
    "an example under a long head": ("Write a note of the change.\n\nExample (it is only here to show what is meant, and is not to be written as it is):\n\n", "- bread: Added the loaf that is in the window", "\n\nBe brief.\n"),
    "a quotation over lines in curly marks": ("Ask the guest first:\n\n", "“Please name the bread that you want.\nPlease make sure to name the town.”", "\n\nBe brief.\n"),
    "keywords": ("Draw the scene. Keywords: ", "framed by a tree, looking through an arch that is old", "\nBe brief.\n"),
    "what is between rule lines": ("Copy what is between the horizontal rules.\n\n", "---\n\n# A\n\nBake it.\n\n---\n\n# B", "\n\nBe brief.\n"),
    "lines under a repeated label": ("Use this form:\n\nSHOP: A\nWARE: Lists the bread of the shop and\n", "the cake that is in the window.\nTONE: It is the tone of the baker.", "\n\nSHOP: ...\nWARE: ...\nTONE: ...\n"),
}  # fmt: skip


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("parsed", [True, False])
def test_further_forms_of_shown_text_are_not_edited(form, level, parsed, monkeypatch) -> None:
    if not parsed:
        monkeypatch.setattr(parser, "available", lambda: False)
    before, shown, after = FORMS[form]
    assert shown in compress(before + shown + after, level).text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Your role is to ask, and mine is to answer.", "Your role is to ask"),
        ("I need you to have read the letter.", "you to have read"),
        ("Take out so as to, then replace in order to with to in the letter.", "replace in order to with"),
        ("It is required that you sign the letter.", "required that you"),
        ("Here's an example of the song, but change the names in it:\n\n- la la\n", "Here's an example"),
        ("Here is a letter; shorten it in this way:\n\n- no names\n", "Here is a letter"),
        ("Your job is to to answer letters, sort them and smile.", "Your job is to to"),
        ("Read the notes. Keep in mind, though, that they may be old.", "Keep in mind, though, that"),
        ("NOTE that you may not open the box.", "NOTE that"),
        ("Choose one action and fill in its fields:\n- run: the path.\n- note: the text.\n", "- note: the text"),
        ("Avoid realm, vital, pivotal, moreover, arguably, notably in the text.", "moreover"),
        ("Please name the shop and its street to begin.", "Please name"),
        (
            "Bake so.\n\nNever do these:\n1. **No begging** — Never say that you need it.\n2. **No bread that is baked a week after the day** — Be quick.\n",
            "**No begging**",
        ),
        ("**If yes, please name the shop:**", "please name"),
        ("Use these tools:\n\n1. **read_file**: Read it first.\n2. **think**: Use it then.\n", "**think**"),
        (
            "Bake bread.\n\n## The fault\n\nYour cook skips the rules.\n\nThis is the most destructive fault because:\n\n- You do not know.\n",
            "This is the most",
        ),
        (
            "You are a baker.\n\n**When rules conflict:**\n- Ask the guest.\n\n**When a loaf can't be baked:**\n- Ask the guest.\n",
            "**When rules conflict:**",
        ),
    ],
)
@pytest.mark.parametrize("parsed", [True, False])
def test_words_on_which_others_hang_stay_at_safe(text, kept, parsed, monkeypatch) -> None:
    if not parsed:
        monkeypatch.setattr(parser, "available", lambda: False)
    assert kept in compress(text, "safe").text


@pytest.mark.parametrize(
    ("text", "level", "kept"),
    [
        ("Only a little of it is needed in the soup.", "standard", "of it is needed"),
        ("Dedicate the book to my parents, Ann, and Bob.", "standard", "Ann, and Bob"),
        ("Invite the cook, a painter, and Bob.", "standard", "painter, and Bob"),
        ("Check if the given bread is fresh.", "telegraphic", "if the given"),
        ("Write the note, a street away, to the guest.", "telegraphic", "a street away"),
        ("Write a letter, a page long, to the guest.", "telegraphic", "a page long"),
        ("Do not use the old oven, which is on the way out.", "telegraphic", "on the way out"),
        ("Provided that the answer you give is short, add a number.", "telegraphic", "is short"),
        ("In case the bottle given is empty, say so.", "telegraphic", "given is empty"),
        ("Record the record of the day.", "telegraphic", "Record the record"),
        ("Take off points for haste, missing corner stones, or crooked walls.", "standard", "stones, or"),
        ("First wash the pot. Second, peel the onion.", "standard", "Second, peel"),
        ("Take the stairs to the attic, note that they are steep.", "safe", "note that they"),
        ("If he asks where you were, answer that you slept on the roof.", "safe", "answer that you"),
        ("But make sure not to wake the dog of the house.", "safe", "make sure not to"),
        ("A hint can be in the form of 'the third house of the road'.", "safe", "in the form of"),
        ("Ask about the road, not such as `what is the name of the road?", "standard", "`what is the name"),
        ("The claim is neutral in regards to the text of the letter.", "standard", "in regards to"),
        ("You are Ann. You tell the guests that you are a baker.", "safe", "You tell"),
        ("Name the rooms that were booked and the guest has paid for.", "safe", "that were booked"),
        ("The only birds seen by the guests are from the north.", "telegraphic", "The only birds"),
        ("Go on unless the job is trivial or earlier jobs cover it.", "telegraphic", "is trivial or"),
        ("The guest may choose to sing and you should sing in that key.", "telegraphic", "and you should"),
    ],
)
@pytest.mark.parametrize("parsed", [True, False])
def test_verbs_and_commas_that_part_words_stay(text, level, kept, parsed, monkeypatch) -> None:
    if not parsed:
        monkeypatch.setattr(parser, "available", lambda: False)
    assert kept in compress(text, level).text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Take the worst case there is for a baker.", "case there is"),
        ("You must use the text. The picture beside it is a copy.", "beside it is"),
        ("Ask the cook, since a guest who wants it is a guest of the house.", "wants it is"),
        ("Which plan is better with regard to its cost and its length?", "with regard to its cost"),
        ("This is the course of it:\n\nYou ask the guest for a name and the guest answers.", "You ask the guest"),
        ("You run in a sandbox and cannot see the log of the guests.", "You run in a sandbox"),
        ("Write it so:\nfor port in [1, 2, 3, 4, 5, 6]:\n    sail(port)", "[1, 2, 3, 4, 5, 6]"),
        ("The check is this one:\nassert tides([1, 2, 3, 4, 5, 6]) == 3", "[1, 2, 3, 4, 5, 6]"),
    ],
)
def test_what_describes_compares_or_is_code_stays_at_standard(text, kept) -> None:
    assert kept in compress(text, "standard").text


def test_what_there_is_under_a_condition_keeps_its_verb_if_more_is_said_of_it() -> None:
    text = "Tell the captain if there are updates that seem odd to the crew of the ship."
    assert "if there are updates that seem odd" in compress(text, "telegraphic").text


def test_a_claim_is_no_order_to_claim() -> None:
    assert compress("A claim that names no source is wrong.", "telegraphic").text.startswith("A claim that")


def test_the_capital_of_an_order_goes_inside_of_its_marks() -> None:
    text = "Knock at the door. Please *sit* there. Your role is to *sing*."
    assert compress(text, "safe").text == "Knock at the door. *Sit* there. *Sing*."


def test_words_in_capitals_stay_as_loud_as_they_are() -> None:
    for opener in ("MAKE SURE you", "MAKE SURE to", "PLEASE"):
        text = f"{opener} write the card in Italian."
        assert compress(text, "safe").text == text


def test_a_form_inside_of_a_list_that_stays_keeps_its_indentation() -> None:
    form = '    {\n        "part": <index, "x.x" or None> (text),\n        "title": <title of the part>\n    }'
    assert form in compress(f"Answer as JSON:\n[\n{form},\n    ...\n]\n", "standard").text


STORY = """The lighthouse of Orla was built in the year of the great flood, and the people that live below it have kept its lamp for nine generations. In order to keep it burning, a child of each house climbs the stairs at dusk with oil that is made from the olives of the hill.

**The keeper:** Old Tomas was the last who lived in the tower. He said that it is very important to look at all of the ships, and that the sea forgets nobody. He had a cat, a telescope that was given to him by a captain, and a book with names.

**The lamp:** It has twelve lenses. On clear nights you can see it from the other shore, as well as from the islands.
"""
ANSWERED = """**QUESTION:**
What is a lighthouse, and what are some of its parts?

**ANSWER:**
A lighthouse is a tower with a lamp that is used for ships.

**The lamp:** All of the lenses turn around it in order to make it flash.
"""


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("text", [STORY, ANSWERED], ids=["story", "answer"])
def test_a_text_that_tells_nobody_what_to_do_is_not_edited(text, level) -> None:
    assert compress(text, level).text == text


@pytest.mark.parametrize(
    "order",
    [
        "Summarize the story above in order to print it.",
        "Given the story above, list all of the names in order to print them.",
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_an_order_beside_a_story_is_an_instruction_and_the_story_is_none(order, first) -> None:
    text = f"{order}\n\n{STORY}" if first else f"{STORY}\n{order}\n"
    after = compress(text, "safe").text
    assert after != text
    assert STORY.strip() in after


@pytest.mark.parametrize(
    "text",
    [
        "x = 1\n\nOkay! Here is the rewrite:\n\ndef total():\n    pass\n",
        "Describe a hill.\n\nExample (a page of the guide):\n\n## Mount Orla\n\n- **Height:** It rises 900 meters.\n\nThe hill combines a view that is known with paths.\n",
        "Name the hill.\n\nQuestion: Which hill is red?\n\nIt is very important to look at all of the hills.\n\nQuestion: Which one is blue?\n\nAll of the hills are.\n\nQuestion: Which one is high?\n",
        "Ask the guest.\n\n<step_1_output_format>\nHere is the question that is needed first:\n</step_1_output_format>\n",
        # Those that come next, and not those that are listed.
        "Note the plan to achieve the following steps after the current step.",
        # Another clause needs the subject.
        "You compare the reply with the letter, and you have no other source.",
        "You start with a form, and you receive the letter later.",
        # What is to be said.
        "Answer for the old house and note that the new house is open.",
    ],
)
def test_first_words_of_answers_pages_and_what_hangs_on_words_stay_at_safe(text) -> None:
    assert compress(text, "safe").text == text


def test_an_order_that_goes_on_in_the_next_line_begins_with_a_capital() -> None:
    after = compress("You are an inspector of bridges. Your role is to\nread the report of each bridge.", "safe").text
    assert after == "You are an inspector of bridges. Read the report of each bridge."


def test_a_text_in_another_language_may_be_an_instruction() -> None:
    text = "Der Leuchtturm steht auf einem Felsen, und seine Lampe brennt jede Nacht.   \n\n\n\n" * 8
    assert compress(text, "safe").text != text


def test_labels_of_instructions_that_come_again_are_nobody_who_speaks() -> None:
    text = "Write it now in order to help.\n\nTone: warm and soft\nStyle: plain and clear\nTone: not cold\n"
    assert compress(text, "safe").text == text.replace("in order to", "to")
