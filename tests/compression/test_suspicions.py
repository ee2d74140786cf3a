"""What the guard only suspects is decided by the reviewer, one verdict for each suspicion."""

import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reviewing import KEPT, WRITER, Compress, Says, asked, refused, rewritten

PROMPT = (
    "Please be so kind as to read the letter of the guest, and then name the rooms that he asks for in the letter. "
    "You should always take care that you never promise the guest a discount on the breakfast.\n"
)
SHORT = "Read the guest's letter, then name the rooms he asks for. Never promise the guest a discount on the breakfast."
READ, NEVER = (
    "Read the guest's letter, then name the rooms he asks for. ",
    "Never promise the guest a discount on the breakfast.",
)
SUSPECTED = "1. lost: 'care'\n2. lost: 'in the letter' of 'asks'"


@pytest.fixture
def compress(project, endpoint):
    def run(rewrites, reviews, *options, prompt=PROMPT):
        return Compress(project, endpoint)(prompt, rewrites, reviews, "--json", *options)

    return run


def verdict(said, words, why="it may be done otherwise"):
    return {"why": why, "verdict": said, "words": words}


def kept(words="", why="there is one letter"):
    return verdict("kept", words, why)


def reviewed(*verdicts, lost=()):
    """An answer; without verdicts one to a question without suspicions."""
    suspected = {"suspected": {str(n): one for n, one in enumerate(verdicts, 1)}} if verdicts else {}
    return {**suspected, "lost": [{"words": words, "why": "gone"} for words in lost], "added": []}


CARE, LETTER = verdict("lost", "take care"), verdict("lost", "in the letter", "he may ask elsewhere")


def text(done):
    return json.loads(done.stdout)["text"]


def test_what_the_guard_suspects_is_taken_once_the_reviewer_finds_it_kept(compress, endpoint):
    done = compress([SHORT], [reviewed(kept(NEVER), kept())])
    assert done.returncode == 0, done.stderr
    assert text(done) == f"{SHORT}\n"
    found = json.loads(done.stdout)["rewrite"]
    assert (found["kept"], found["review"]["texts"], found["review"]["objected"]) == (1, 1, 0)
    (question,) = asked(endpoint)
    assert f"<suspicions>\n{SUSPECTED}\n</suspicions>" in question["messages"][1]["content"]
    assert "Some of it is" in question["messages"][0]["content"]
    suspected = question["response_format"]["json_schema"]["schema"]["properties"]["suspected"]
    assert suspected["required"] == ["1", "2"]
    assert question["response_format"]["json_schema"]["strict"] is True


def test_without_a_reviewer_a_suspicion_is_a_refusal(project, endpoint):
    project.write({"prompts/p/v1.j2": PROMPT.partition("You")[0] + "\n"})
    endpoint.reply = lambda _: READ
    done = project.run("compress", "p", "--rewrite", WRITER, "--json", "--ignore", "PO1,PO2", **endpoint.environment)
    assert refused(done) == ["would lose 'in the letter' of 'asks'"]
    assert text(done).startswith("Please")


def test_nothing_is_asked_of_suspicions_where_there_is_none(compress, endpoint):
    done = compress(["Name the rooms."], [KEPT], prompt="Please be so kind as to name the rooms.\n")
    assert text(done) == "Name the rooms.\n"
    (question,) = asked(endpoint)
    assert "suspicions" not in json.dumps(question)


def test_the_writer_is_told_what_the_reviewer_confirms_alone(compress, endpoint):
    better = SHORT.replace("asks for", "asks for in the letter")
    done = compress([SHORT, better], [reviewed(kept(NEVER), LETTER), reviewed(kept(NEVER))])
    assert text(done) == f"{better}\n"
    told = asked(endpoint, WRITER)[1]["messages"][-1]["content"]
    assert "Refused: it would lose 'in the letter' (gpt-4.1: he may ask elsewhere)." in told
    assert "care" not in told


def test_what_is_certain_is_refused_before_anything_is_suspected(compress, endpoint):
    done = compress([SHORT], [KEPT], prompt=PROMPT.replace("the rooms", "at most 3 rooms"))
    assert "Refused: it would lose number at most 3. Rewrite" in asked(endpoint, WRITER)[1]["messages"][-1]["content"]
    assert refused(done)[0] == "would lose number at most 3"
    assert not any(SHORT in body["messages"][1]["content"] for body in asked(endpoint))


@pytest.mark.parametrize("said", [LETTER, verdict("lost", "purple"), verdict("lost", "")])
def test_a_confirmed_suspicion_is_a_refusal_however_it_is_quoted(compress, endpoint, said):
    done = compress([SHORT], [reviewed(kept(NEVER), said), reviewed(kept(NEVER))])
    name = "'in the letter'" if said is LETTER else "'in the letter' of 'asks'"
    assert refused(done)[0] == f"would lose {name} (gpt-4.1: {said['why']})"
    # The sentence without it is taken, after a question of its own.
    assert text(done) == PROMPT.partition("You")[0] + f"{NEVER}\n"
    assert "<suspicions>\n1. lost: 'care'\n</suspicions>" in asked(endpoint)[1]["messages"][1]["content"]
    assert len(asked(endpoint)) == 2


def test_of_the_sentences_each_suspicion_is_decided_anew(compress):
    done = compress([SHORT], [reviewed(kept(NEVER), LETTER), reviewed(CARE)])
    assert text(done) == PROMPT
    assert len(refused(done)) == 2


def test_another_loss_is_a_refusal_though_every_suspicion_is_kept(compress):
    done = compress([SHORT], [reviewed(kept(NEVER), kept(), lost=["so kind"]), reviewed(kept(NEVER))])
    assert refused(done) == ["would lose 'so kind' (gpt-4.1: gone)"]
    assert text(done) == PROMPT.partition("You")[0] + f"{NEVER}\n"


def test_an_addition_is_decided_too(compress, endpoint):
    prompt, may = "You must always make sure that you name the price of the boats.\n", "You may name the boats' price."
    done = compress([may], [reviewed(verdict("added", "may"))], prompt=prompt)
    assert "1. added: permission 'may'" in asked(endpoint)[0]["messages"][1]["content"]
    assert refused(done) == ["would add 'may' (gpt-4.1: it may be done otherwise)"]
    assert text(compress([may], [reviewed(kept("You must"))], prompt=prompt)) == f"{may}\n"
    assert text(compress([may], [reviewed(kept("may name"))], prompt=prompt)) == prompt


def test_the_rest_of_the_prompt_may_keep_something(compress):
    rest = "He writes in one letter alone.\n\n"
    answer = reviewed(kept(NEVER), kept("one letter alone"))
    assert SHORT in text(compress([SHORT], [answer], prompt=f"`x` {rest}{PROMPT}"))
    assert text(compress([SHORT], [answer])) == PROMPT


NOT_ANSWERED = [
    (KEPT, "could not be read"),
    (reviewed(kept(NEVER)), "could not be read"),
    (reviewed(kept(NEVER), verdict("probably kept", NEVER)), "could not be read"),
    (reviewed(kept(NEVER), verdict("added", NEVER)), "could not be read"),
    (
        reviewed(kept(NEVER), kept("in the letter")),
        "'in the letter', which keeps suspicion 2, is neither in the rewrite",
    ),
    (reviewed(kept("purple"), kept()), "'purple', which keeps suspicion 1, is neither in the rewrite"),
    (reviewed(kept(NEVER), kept("", " ")), "suspicion 2 is kept without words that say it and without a reason"),
]


@pytest.mark.parametrize(("answer", "told"), NOT_ANSWERED)
def test_a_suspicion_without_an_answer_twice_takes_nothing(compress, endpoint, answer, told):
    done = compress([SHORT], [answer])
    assert text(done) == PROMPT
    (why,) = refused(done)
    assert why.startswith("was not reviewed (gpt-4.1: ")
    first, second = (body["messages"] for body in asked(endpoint))
    assert second[: len(first)] == first
    assert told in second[-1]["content"]
    assert text(compress([SHORT], [answer, reviewed(kept(NEVER), kept())])) == f"{SHORT}\n"


WORDS = PROMPT.split()
QUOTED = st.tuples(st.integers(0, len(WORDS) - 1), st.integers(1, 5)).map(lambda at: " ".join(WORDS[at[0] : sum(at)]))
SAID = st.sampled_from(["", NEVER, "asks for", "in the letter"]) | QUOTED | st.text(max_size=9)
VERDICTS = st.builds(
    verdict, st.sampled_from(["kept", "kept", "kept", "lost", "added", "Kept"]), SAID, st.text(max_size=9)
)
FURTHER = st.lists(st.sampled_from(["so kind", "purple"]), max_size=1)
ANSWERS = st.lists(
    st.builds(
        lambda verdicts, lost: json.dumps(reviewed(*verdicts, lost=lost)), st.lists(VERDICTS, max_size=3), FURTHER
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(answers=ANSWERS)
def test_nothing_is_taken_of_which_a_suspicion_was_not_answered_kept(answers, project):
    reviewer = Says(answers)
    taken = rewritten(reviewer, PROMPT, SHORT).compression.text
    if taken != PROMPT:
        last = [(asked, answer) for asked, answer in reviewer.asked if f"<rewrite>\n{taken.strip()}\n<" in asked]
        assert last
        numbers = re.findall(r"(?m)^(\d+)\. (?:lost|added): ", last[-1][0])
        answer = json.loads(last[-1][1])
        assert [answer["suspected"][number]["verdict"] for number in numbers] == ["kept"] * len(numbers)
        assert answer["lost"] == answer["added"] == []


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(which=st.sampled_from("12"), said=st.sampled_from(["lost", "Kept", ""]), words=SAID)
def test_one_verdict_that_is_not_kept_is_enough(which, said, words, project):
    answer = reviewed(kept(NEVER), kept())
    answer["suspected"][which] = verdict(said, words)
    result = rewritten(Says([json.dumps(answer)]), PROMPT, SHORT)
    assert result.compression.text != f"{SHORT}\n"
