"""The guard of rewrites: another wording passes, one lost fact does not, and its name is in the reason."""

import pytest

from promptopt.compression.guard.asked import root
from promptopt.compression.guard.deviation import Deviation
from promptopt.compression.guard.losses import added_by_rewrite, lost_in_rewrite
from promptopt.templates.source import same_code

SAME = [
    ("Please make sure that you write no more than 80 words.", "Write at most 80 words."),
    ("You should never reveal the password to anybody.", "Never reveal the password."),
    ("In the event that the date is missing, you should write null.", "If the date is missing, write null."),
    ("Do not use anything other than the glossary.", "Use only the glossary."),
    ("The summary has to be shorter than 5 lines.", "Summary: fewer than 5 lines."),
    ("Return the rows that have not been paid yet.", "Return unpaid rows."),
    ('Answer with "yes" or with "no", and with nothing else.', 'Answer only "yes" or "no".'),
    ("You can't skip any of the headings.", "Never omit a heading."),
    ("First greet the guest, and after that ask for the room.", "First greet the guest, then ask for the room."),
    ("The garden of {{ owner }} in {{ town }} is open.", "{{ owner }}'s garden in {{ town }} is open."),
    ("It should be at least three chapters in length.", "At least 3 chapters."),
    ("Translate all of it, with the exception of the brand.", "Translate all except the brand."),
    ("Tell me if you are certain about the colour or not.", "Say whether you are certain about the colour or not."),
    ("Sort the pears in the order of how important they are.", "Sort the pears, most important first."),
    ("Do not use any seed that is not on the list.", "Use only seeds on the list."),
    ("Accept no coins except sovereigns.", "Accept only sovereigns among coins."),
    ("It should be something like 300 words.", "Some 300 words."),
    ("Copy the very first verse.", "Copy the first verse."),
    ("Scale the dough from 2 loaves up to 60 loaves.", "Scale the dough from 2 to 60 loaves."),
    ("Close the lid straight away.", "Close the lid immediately."),
    ("The hut must be free of steps: without steps.", "The hut must be step-free."),
    ("Count only gulls and not terns.", "Count gulls, not terns."),
    ("Praise the effort of the pupil, because pupils like it when they are praised.", "Praise the pupil's effort."),
    (
        "Decide if the seal is intact, broken, or if it is unclear.",
        "Decide whether the seal is intact, broken or unclear.",
    ),
    ("Explain it to sailors who have no access to the charts.", "Explain it to sailors without the charts."),
    ("Do not rebut the claim.", "Do not rebut it: the claim."),
    ("You shouldn't ring more than once.", "Ring at most once."),
    ("Write for sailors who don't know much about knots.", "Write for sailors who know little about knots."),
    ("Don't alter the spelling of the harbours.", "Keep the spelling of the harbours."),
    ("Count the huts of the owners of land.", "Count the huts of landowners."),
    ("Say whether the seal is right. If it isn't right, break it.", "Say whether the seal is right; if not, break it."),
    ("If there is no ticket, ask for the date.", "Without a ticket, ask for the date."),
    ("Give the reason for the delay.", "Say why: the delay."),
    ("Because of the wind, close the hatch.", "Close the hatch."),
    ("Salutes are forbidden by law, so avoid salutes.", "Avoid salutes."),
    ("Do not begin the log with the word `Today`.", "Do not begin the log with `Today`."),
    ("It goes without saying that the log is short.", "The log is short."),
    ("Use no rope more than once over all three knots.", "Use a rope at most once in all three knots."),
    ("If it is not possible to tell the depth, write `?`.", "If the depth cannot be told, write `?`."),
    ("Heavy chests, by which I mean all above 15 kilograms, go first.", "Chests above 15 kilograms go first."),
    ("Keep the crates in the order that they have on deck.", "Keep the order of the crates on deck."),
    ("Ring if any bell mustn't be rung.", "Ring if no bell may be rung."),
    ("The keeper sells oil for 3 coins.", "Oil of the keeper for 3 coins."),
    # A word that the original has twice may be there once: of the same thing, of both, or in a pronoun.
    ("Draft a shanty for the crew. The shanty must rhyme.", "Draft a rhyming shanty for the crew."),
    ("Never mock the cook, and never mock the mate.", "Never mock the cook or the mate."),
    (
        "You may change the course, but if you change the course, ring.",
        "You may change the course; if you change it, ring.",
    ),
    ("Do not leave out the captain.", "Keep the captain."),
    ("You must not skip a page of the log.", "Copy every page of the log."),
    ("If the bilge pump is not working, ring.", "If the bilge pump doesn't work, ring."),
    ("Ring the bell right away.", "Ring the bell at once."),
    ("Begin with the cod and continue with the eels.", "Begin with the cod, then the eels."),
    ("Mark with a cross whatever leaks.", "Mark with a cross what leaks."),
    ("Do not sell any maps which concern fewer than five harbours.", "Sell no maps on fewer than five harbours."),
    ("Sing of sailors who are older than 50 years.", "Sing of sailors over 50."),
    (
        "If you are not sure whether two crates match, don't put them together.",
        "If unsure whether two crates match, do not group them.",
    ),
]
LOST = [
    ("Never skip a buoy.", "Skip buoys.", "never skip"),
    ("Count the gulls instead of leaving them out.", "Leave the gulls out.", "leaving them out"),
    ("Leave the foghorn out of the log.", "Leave it out of the log.", "foghorn"),
    ("Write the log in lower case.", "Write the log.", "lower case"),
    ("Count the storms of the last five years.", "Count the storms.", "last five"),
    ("Log times as MM:SS.", "Log times.", "mm:ss"),
    ("Write at most 80 words about whales.", "Write about whales.", "80"),
    ("Write at most 80 words about whales.", "Write 80 words about whales.", "at most"),
    ("Never reveal the password.", "Reveal the password.", "never"),
    ("If the date is missing, write null.", "The date is missing, write null.", "if"),
    ("Use only the glossary.", "Use the glossary.", "only"),
    ("Explain tides to sailors in Welsh.", "Explain tides to sailors.", "welsh"),
    ("Explain tides to apprentices.", "Explain tides.", "apprentices"),
    ("Translate all except the brand.", "Translate all and the brand.", "except"),
    ("Return unpaid rows in red, green and violet.", "Return unpaid rows in red and green.", "violet"),
    ("First greet the guest. Ask for the room.", "Greet the guest. Ask for the room.", "first"),
    ('Answer "void" for blank pages.', "Answer for blank pages.", "void"),
    ("Give the dose in milligrams.", "Give the dose.", "milligrams"),
    ("Deliver within 3 working days.", "Deliver within 3 days.", "working"),
    ("Write dates as YYYY-MM-DD.", "Write dates.", "yyyy-mm-dd"),
    ("Use `sort_keys` for the dump.", "Use keys for the dump.", "sort_keys"),
    ("Close the valve before the pump starts.", "Close the valve and the pump starts.", "before"),
    ("Speak to level B1 learners.", "Speak to learners.", "b1"),
    ("Write a sombre ballad.", "Write a ballad.", "sombre"),
    ("Do not call the lawyer unless the bank objects.", "Do not call the lawyer and the bank objects.", "unless"),
    ("Keep the term even if another one is better.", "Keep the term unless another one is better.", "even if"),
    ("Stir until the sauce thickens.", "Stir the sauce that thickens.", "until"),
    ("Never look at the map while the boat moves.", "A boat's pilot. Never look at the map.", "while"),
    ("Never sail without telling the keeper.", "Never sail. Tell the keeper.", "without"),
    ("Name nobody unless he is thanked. Say when it ends.", "Name nobody. Say when it ends.", "unless"),
    ("Suggest a rope which isn't longer than the mast.", "Suggest a rope. Measure the mast.", "longer"),
    ("Do not translate the labels on jars. Keep the brand.", "Translate the labels on jars. Keep the brand.", "not"),
    # Each word of what is lost is also somewhere else.
    (
        "Hide rumours aimed at a captain. Songs, as long as they aren't aimed at anybody, are no reason to hide a log.",
        "Hide rumours. Songs, as long as they aren't aimed at anybody, are no reason to hide a log.",
        "captain",
    ),
    (
        "Translate the songs of the crew. Never translate the names of boats. Convert no songs to prose.",
        "Translate the songs of the crew. Convert no songs to prose.",
        "never translate",
    ),
    (
        "Log the weight of the cod and the weight of the eel in pounds. Salt the cod.",
        "Log the weight of the eel in pounds. Salt the cod.",
        "weight of the cod",
    ),
    (
        "Charge 40 crowns for a berth. For a winter berth, charge half of the price. Print the price. Close in winter.",
        "Charge 40 crowns for a berth. Print the price. Close in winter.",
        "winter",
    ),
    (
        "Report the tonnage including ballast. Weigh the ballast twice.",
        "Report the tonnage. Weigh the ballast twice.",
        "including",
    ),
    (
        "A knot that is stronger on paper than on deck counts as loose. Draw knots on paper.",
        "A knot on deck counts as loose. Draw knots on paper.",
        "stronger",
    ),
    ("Give the hour of departure and return.", "Give the hour of departure.", "return"),
    (
        "Repair within three months what leaks in the three holds.",
        "Repair later what leaks in the three holds.",
        "three months",
    ),
    (
        "Explain the knot to the mate, not to the captain. Do not draw it. Ask the captain's cook.",
        "Explain the knot to the mate. Do not draw it. Ask the captain's cook.",
        "not",
    ),
    (
        "The captain of our own boat drinks. Never mock the captain of the other boat.",
        "The captain of our own boat drinks. Never mock a captain.",
        "boat",
    ),
    (
        "Copy each row of the roster. The order of the rows must stay the same. If a row is empty, write null.",
        "Copy each row of the roster. If a row is empty, write null.",
        "order of rows",
    ),
    (
        "Write a shanty. It should have five verses, each of them with five lines, and it should rhyme.",
        "Write a rhyming shanty: verses of five lines.",
        "number 5 of 'verses'",
    ),
    # What a number, an order or a condition is of.
    (
        "Decide whether every knot that the mate ties is tight. Do not buy a loose knot.",
        "Decide whether the mate is tight. Do not buy a loose knot.",
        "every knot",
    ),
    ("Speak for at most 45 seconds at a time.", "Speak for at most 45 seconds.", "at a time"),
    ("Check whether every leak that the hull has is mended.", "Check whether a leak is mended.", "every leak"),
    ("Charge 12 crowns per night for a dog.", "Charge 12 crowns for a dog.", "per night"),
    (
        "Write mottos of at most three words each, in Welsh.",
        "Write at most three mottos, in Welsh.",
        "three of 'words'",
    ),
    (
        "Cargo means net cargo in pounds, without returns, unless the mate says so.",
        "Cargo means net cargo in pounds, unless the mate says so.",
        "without",
    ),
    ("Close the hatch at once.", "Close the hatch once.", "at once"),
    (
        "Ring if you doubt, and name the two harbours that are most likely. Sort harbours.",
        "Ring if you doubt. Sort harbours.",
        "two",
    ),
    (
        "Log every storm together with the name of the keeper who saw it. A keeper saw it.",
        "Log every storm. A keeper saw it.",
        "name of the keeper",
    ),
    (
        "Quote the place in the log, for storms quote the place in the letter. Count sails. Count ropes. Letters fly.",
        "Quote the place in the log, for storms too. Count sails. Count ropes. Letters fly.",
        "'letter' of 'place'",
    ),
    (
        "Recommend sailing to the harbour or to a counselling centre.",
        "Recommend sailing to the harbour.",
        "counselling centre",
    ),
    ("Choose the pier with the fewest gulls.", "Choose the pier with gulls.", "fewest"),
    ("Ask for the ropes in one single letter.", "Ask for the ropes in a letter.", "one single letter"),
    (
        "Where nothing was said, ring. Give the depth, provided that it was mentioned.",
        "Where nothing was said, ring. Give the depth.",
        "provided that",
    ),
    (
        "Your own songs should not be longer than the songs of the mate by more than one verse.",
        "Your songs are not longer than the mate's.",
        "at most one",
    ),
]


@pytest.mark.parametrize(("before", "after"), SAME)
def test_another_wording_loses_nothing(before, after):
    assert lost_in_rewrite(before, after) == []
    assert added_by_rewrite(before, after) == []


@pytest.mark.parametrize(("before", "after", "named"), LOST)
def test_a_lost_fact_is_named(before, after, named):
    assert named in ", ".join(map(str, lost_in_rewrite(before, after))).lower()


def test_one_of_several_things_is_lost_though_the_rest_of_the_prompt_has_its_word():
    before = "Skip the captain's jokes, as well as anything that is said below the deck. Keep the weather."
    after = "Skip the captain's jokes. Keep the weather."
    context = "Summarise what was said on the deck."
    assert "'anything said below deck'" in map(str, lost_in_rewrite(before, after, context))


@pytest.mark.parametrize("text", sorted({text for pair in (*SAME, *LOST) for text in pair[:2]}))
def test_a_text_loses_nothing_to_itself(text):
    assert lost_in_rewrite(text, text) == []
    assert added_by_rewrite(text, text) == []


def test_every_lost_fact_is_named():
    lost = lost_in_rewrite("Paint all ships, whales, gulls, crabs and tides.", "Paint.")
    assert [one.what.strip("'") for one in lost] == ["ships", "whales", "gulls", "crabs", "tides"]


def test_what_the_rest_of_the_prompt_says_need_not_be_said_again():
    before, after = "The sailor reads the chart on paper.", "It is read on paper."
    assert lost_in_rewrite(before, after, "Check the sailor's chart.") == []
    assert [one.what for one in lost_in_rewrite(before, after)] == ["'sailor'", "'chart'"]


def test_a_limit_counts_where_it_is():
    lost = lost_in_rewrite("Deliver within 3 working days.", "Deliver within 3 days.", "The working group.")
    assert "'working'" in map(str, lost)


def test_new_numbers_and_quotes_are_additions():
    added = added_by_rewrite("Write about whales.", 'Write 3 lines about "whales".')
    assert added == [Deviation(what, True, True) for what in ('quote "whales"', "number 3")]


def test_a_new_degree_is_an_addition():
    added = [Deviation("degree 'very' (bright) instead of 'little'", is_added=True)]
    assert added_by_rewrite("Make it a little brighter.", "Make it very bright.") == added
    assert added_by_rewrite("Make it really bright.", "Make it very bright.") == []


def test_a_new_negation_is_an_addition():
    added = added_by_rewrite("Use the glossary.", "Never use the glossary.")
    assert [one.what for one in added] == ["negation 'never' (use glossary)"]


CERTAIN = [
    ("Sing at most 3 songs.", "Sing songs.", "number at most 3"),
    ("Sing 3 songs.", "Sing songs.", "number 3"),
    ("Stay 3 nights at 12 euros per night.", "Stay 3 nights at 12 euros.", "per night"),
    ('Call it "Gull".', "Call it so.", 'quote "Gull"'),
    ("Never paint the mast.", "Paint the mast.", "negation 'never'"),
    ("Paint the mast unless it rains.", "Paint the mast.", "exception 'unless'"),
    ("Paint only the mast.", "Paint the mast.", "restriction 'only'"),
    ("Paint the mast.", "Do not paint the mast.", "negation 'not'"),
    ("Sing songs.", "Sing 3 songs.", "number 3"),
]
SUSPECTED = [
    ("Paint the old mast.", "Paint the mast.", "'old mast'"),
    (
        "Never paint the mast and never polish the oars.",
        "Never paint the mast and polish the oars.",
        "negation 'never'",
    ),
    ("Paint only the mast, and never polish it.", "Paint the mast, and never polish it.", "restriction 'only'"),
    ("Paint the mast first, then the oars.", "Paint the mast and the oars.", "first"),
    ("Paint the mast if it rains.", "Paint the mast.", "condition 'if'"),
    ("You must paint the mast.", "You may paint the mast.", "permission 'may'"),
    ("Use the glossary. Never paint oars.", "Never use the glossary. Never paint oars.", "negation 'never'"),
]


@pytest.mark.parametrize(
    ("before", "after", "named", "is_certain"),
    [(*row, True) for row in CERTAIN] + [(*row, False) for row in SUSPECTED],
)
def test_what_no_reader_can_take_for_the_same_is_certain(before, after, named, is_certain):
    found = [*lost_in_rewrite(before, after), *added_by_rewrite(before, after)]
    assert {one.is_certain for one in found if named in one.what} == {is_certain}


def test_variables_and_tags_stay_in_their_order():
    assert same_code("{{ a }} of {{ b }}", "{{ a }}: {{ b }}")
    assert not same_code("{{ a }} of {{ b }}", "{{ b }}: {{ a }}")
    assert not same_code("{{ a }} of {{ b }}", "{{ a }}")
    assert not same_code("{{ a }} of {{ b }}", "{{ a }} of {{ b }} and {{ a }}")
    assert not same_code("{% if a %}x{% endif %}", "{% if b %}x{% endif %}")


@pytest.mark.parametrize(
    ("first", "second"), [("explanation", "explain"), ("headings", "heading"), ("conversion", "conversions")]
)
def test_endings_do_not_count(first, second):
    assert root(first)[:5] == root(second)[:5]


REGROUPED = [
    ("Write the answer in lower case letters.", "Answer in lower case."),
    ("Write for cooks who are interested in old bread.", "Write for cooks with old bread."),
    ("Leave out the remarks that you have made yourself.", "Leave out remarks."),
    ("For this reason, sort the shells by weight.", "Sort the shells by weight."),
    ("Close the hatch, because rain could come in.", "Close the hatch."),
    ("You are not permitted to go outside of the garden.", "Stay inside the garden."),
    ("If a parcel is damaged, weigh it.", "Weigh damaged parcels."),
    ("It does not matter whether the seal is old; count it.", "Count the seal, however old."),
    ("Give between three and seven herbs.", "Give 3 to 7 herbs."),
    ("Begin with the tide table.", "Start with the tide table."),
    ("If the boat is late or not, ring the bell.", "Ring the bell whether the boat is late."),
    ("You should attempt to catch the ferry.", "Catch the ferry."),
    ("Sell the eels only if they are fresh and are not frozen.", "Sell eels only if fresh and not frozen."),
    ("Limit yourself to a maximum of four knots.", "At most four knots."),
    ("Stay away from puns on fish.", "Avoid puns on fish."),
    ("Do not open the lock until both boats are in.", "Open the lock only after both boats are in."),
    (
        "The load must not have a total weight of more than 90 kilograms.",
        "The load: total weight at most 90 kilograms.",
    ),
    ("Never lift more than one anchor at a time.", "Lift one anchor at a time."),
    ("Report it without any delay.", "Report it immediately."),
    ("When you choose a berth, prefer the north pier.", "For the berth prefer the north pier."),
    ("Convert pounds at a rate of 0.45.", "Convert pounds at 0.45."),
    ("You are an expert who repairs sextants.", "You repair sextants."),
    ("Print the tides in upper case letters.", "Print the tides in uppercase."),
    ("Write at most 30 words and two headlines.", "At most 30 words and two headlines."),
]
TURNED = [
    ("Wash every shell.", "Wash some of the shells.", "some of"),
    ("The keeper must lock the gate.", "The keeper may lock the gate.", "may"),
    ("Weigh the fish, then salt it.", "Salt the fish, then weigh it.", "then"),
    ("Prefer a dry cellar over a warm one.", "Prefer a warm cellar over a dry one.", "instead of"),
    ('Answer "ebb", "flow" or "slack"; if unsure, "slack".', 'Answer "ebb" or "flow"; if unsure, "slack".', "slack"),
    ("Paint before the first frost.", "Paint after the first frost.", "before"),
    ("5 = very windy, 4 = windy", "5 = windy, 4 = windy", "very"),
    ("Ring at most one bell.", "Ring bells.", "at most one"),
    (
        "Reject it if the seal is broken or the label differs.",
        "Reject it if the seal is broken and the label differs.",
        "or",
    ),
    ("Return NONE for empty crates.", "Return for empty crates.", "none"),
    # A word of the rewrite that stands for itself does not stand for another one as well.
    (
        "Mention the depth of the harbour. Say who owns the boats. Quote the log.",
        "Mention the depth of the harbour. Say who owns the boats.",
        "quote",
    ),
    ("Never guess a depth. You should not try to weigh one either.", "Never guess a depth.", "weigh"),
    ("Send the list to the owners of the boat.", "Send the list.", "owners"),
    (
        "Give the five most important harbours and the price of a berth.",
        "Give the most important harbours and the price of a berth.",
        "five",
    ),
    ("Use the captain's rank if the rank is known.", "Use the captain's rank.", "if"),
    ("Count the harbours. The order of the items must stay the same.", "Count the harbours.", "order"),
    ("Write four songs, each with four refrains.", "Write songs, each with four refrains.", "songs"),
    ("Discuss the trainer of the crew. Praise the mentor.", "Discuss the crew. Mention praise.", "mentor"),
]


@pytest.mark.parametrize(("before", "after"), REGROUPED)
def test_words_that_only_join_may_go(before, after):
    assert lost_in_rewrite(before, after) == []
    assert added_by_rewrite(before, after) == []


@pytest.mark.parametrize(("before", "after", "named"), TURNED)
def test_what_is_turned_round_or_weakened_is_named(before, after, named):
    found = [*lost_in_rewrite(before, after), *added_by_rewrite(before, after)]
    assert named in ", ".join(map(str, found)).lower()
