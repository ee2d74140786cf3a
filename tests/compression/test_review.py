"""``compress --rewrite --review``: a second model reads what the guard takes, through the real SDK."""

import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reviewing import KEPT, REVIEWER, Compress, Says, added, asked, lost, rewritten

from promptopt.prices import find_price
from promptopt.values import Usage

WORDY = "Please be so kind as to describe the harbour of the town, and make sure to keep to at most 90 words.\n"
SHORT = "Describe the town's harbour in at most 90 words."
TWO = (
    "Please be so kind as to describe the harbour of the town in your own words. "
    "You should always make sure that you never mention the price of the boats.\n"
)
SHORT_TWO = "Describe the town's harbour in your own words. Never mention the price of the boats."
PARTLY = "Describe the town's harbour in your own words. "


@pytest.fixture
def compress(project, endpoint):
    def run(rewrites, reviews, *options, prompt=WORDY):
        return Compress(project, endpoint)(prompt, rewrites, reviews, *options)

    return run


def test_what_both_find_complete_is_taken_after_one_question(compress, endpoint):
    done = compress([SHORT], [KEPT], "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["text"] == f"{SHORT}\n"
    assert found["rewrite"]["review"] == {"model": REVIEWER, "texts": 1, "objected": 0, "unread": 0}
    assert "gpt-4.1 reviewed 1 and objected to 0" in done.stderr
    (question,) = asked(endpoint)
    assert question["response_format"]["json_schema"]["strict"] is True
    assert f"<rewrite>\n{SHORT}\n</rewrite>" in question["messages"][1]["content"]


def test_what_the_guard_is_certain_of_is_not_reviewed(compress, endpoint):
    done = compress(["Describe the town's harbour."], [KEPT])
    assert "0 of 1 proposals kept every fact" in done.stderr
    assert asked(endpoint) == []


def test_the_rest_of_the_prompt_is_shown_without_its_front_matter_and_cut_to_a_length(compress, endpoint):
    far = "x" * 9000
    prompt = f"---\nmodel: gpt-4o-mini\n---\n`far {far}`\n\nUse plain words.\n\n{WORDY}\n`{far} end`\n"
    compress([SHORT], [KEPT], prompt=prompt)
    text = asked(endpoint)[0]["messages"][1]["content"]
    rest = text.partition("<rest>")[2]
    assert "Use plain words.\n\n[passage]\n\n`xxx" in rest
    assert "far" not in rest
    assert "end" not in rest
    assert "model:" not in rest
    assert "harbour" not in rest
    assert len(rest) < 9000


def test_a_named_loss_is_a_refusal_that_the_writer_is_told_and_the_next_rewrite_is_reviewed_too(compress, endpoint):
    better = "Kindly describe the town's harbour in at most 90 words."
    done = compress([SHORT, better], [lost("so kind", "it may be rude"), KEPT], "--json")
    assert json.loads(done.stdout)["text"] == f"{better}\n"
    told = asked(endpoint, "gpt-4o-mini")[1]["messages"][-1]["content"]
    assert "it would lose 'so kind' (gpt-4.1: it may be rude)." in told
    assert [
        f"<rewrite>\n{text}\n" in body["messages"][1]["content"]
        for text, body in zip((SHORT, better), asked(endpoint), strict=True)
    ] == [True, True]


def test_a_rewrite_is_not_taken_while_a_loss_is_named(compress, endpoint):
    done = compress([SHORT], [lost("kind", "it may be rude")], "--json")
    found = json.loads(done.stdout)
    assert found["text"] == WORDY
    assert [edit["refused"] for edit in found["refused"] if edit["rule"] == "rewrite"] == [
        "would lose 'kind' (gpt-4.1: it may be rude)"
    ]
    assert found["rewrite"]["review"]["objected"] == 1
    assert found["rewrite"]["kept"] == 0
    # The same text is not read again, however often the writer says it.
    assert len(asked(endpoint)) == 1
    assert len(asked(endpoint, "gpt-4o-mini")) == 2


def test_the_table_of_edits_names_the_loss(compress):
    done = compress([SHORT], [lost("kind", "rude")], "--edits")
    assert "'kind' (gpt-4.1: rude)" in done.stdout


def test_what_only_the_rewrite_asks_for_is_named_as_added(compress):
    done = compress([SHORT], [added("harbour in", "it may be the town's own")], "--json")
    refused = [edit["refused"] for edit in json.loads(done.stdout)["refused"] if edit["rule"] == "rewrite"]
    assert refused == ["would add 'harbour in' (gpt-4.1: it may be the town's own)"]


def test_of_a_refused_rewrite_the_sentences_without_the_loss_are_taken_if_they_are_reviewed(compress, endpoint):
    done = compress([SHORT_TWO], [lost("make sure"), KEPT], "--json", prompt=TWO)
    found = json.loads(done.stdout)
    assert found["text"].startswith(PARTLY)
    assert "make sure that you never mention" in found["text"]
    assert found["rewrite"]["partly"] == 1
    assert found["text"].strip() in asked(endpoint)[1]["messages"][1]["content"]


def test_sentences_are_left_out_until_the_reviewer_names_nothing(compress, endpoint):
    done = compress([SHORT_TWO], [lost("make sure"), lost("so kind")], "--json", prompt=TWO)
    found = json.loads(done.stdout)
    assert found["text"] == TWO
    assert found["rewrite"]["partly"] == 0
    assert len(asked(endpoint)) == 2
    assert len([edit for edit in found["refused"] if edit["rule"] == "rewrite"]) == 2


NO_REVIEWS = [
    (lost("purple"), "'purple' is not in the passage"),
    (lost(""), "'' is not in the passage"),
    (added("kind"), "'kind' is not in the rewrite"),
    (lost("at most 90"), "'at most 90' is in the rewrite too"),
    ("", "could not be read"),
    ("Nothing is lost.", "could not be read"),
    ({"lost": []}, "could not be read"),
    ('Here: {"lost": [], "added": []} but "kind" is lost', "could not be read"),
]
USES = WORDY.replace("keep to", "use")
SHORT_USES = "Describe the town's harbour, use at most 90 words."


@pytest.mark.parametrize(("answer", "told"), NO_REVIEWS)
def test_what_is_no_review_twice_takes_nothing(compress, endpoint, answer, told):
    done = compress([SHORT_USES], [answer], "--json", prompt=USES)
    found = json.loads(done.stdout)
    assert found["text"] == USES
    (refused,) = [edit["refused"] for edit in found["refused"] if edit["rule"] == "rewrite"]
    assert refused.startswith("was not reviewed (gpt-4.1: ")
    assert found["rewrite"]["review"] == {"model": REVIEWER, "texts": 1, "objected": 0, "unread": 1}
    assert "and gave no review of 1" in done.stderr
    first, second = (body["messages"] for body in asked(endpoint))
    assert second[: len(first)] == first
    assert told in second[-1]["content"]
    # The writer has no part in it, and is not asked again.
    assert len(asked(endpoint, "gpt-4o-mini")) == 1


@pytest.mark.parametrize("answer", [lost("purple"), "Nothing is lost."])
@pytest.mark.parametrize(("then", "taken"), [(KEPT, True), (lost("kind"), False)])
def test_the_second_answer_decides_if_the_first_is_no_review(compress, answer, then, taken):
    found = json.loads(compress([SHORT_USES], [answer, then], "--json", prompt=USES).stdout)
    assert (found["text"] != USES) is taken
    assert (found["rewrite"]["kept"], found["rewrite"]["review"]["unread"]) == (int(taken), 0)


@pytest.mark.parametrize("around", ["```json\n{}\n```", "<think>Is all there? It is.</think>\n{}", "\n {} \n"])
def test_a_fence_and_thoughts_are_no_words_beside_the_answer(compress, endpoint, around):
    done = compress([SHORT], [around.replace("{}", json.dumps(KEPT))])
    assert "1 of 1 proposals kept every fact" in done.stderr
    assert len(asked(endpoint)) == 1


def test_a_loss_that_is_quoted_counts_beside_one_that_is_not(compress, endpoint):
    both = {**KEPT, "lost": [*lost("purple")["lost"], *lost("kind")["lost"]]}
    found = json.loads(compress([SHORT], [both], "--json").stdout)
    refused = [edit["refused"] for edit in found["refused"] if edit["rule"] == "rewrite"]
    assert refused == ["would lose 'kind' (gpt-4.1: one may do without)"]
    assert len(asked(endpoint)) == 1


@pytest.mark.parametrize(
    "words",
    ["SO  kind", "so\nkind", "“so kind”", "'so kind as'", "so kind ... harbour of", "… so kind", "make sure [...] to"],
)
def test_a_quotation_may_differ_in_case_blanks_marks_and_by_a_gap(compress, words):
    found = json.loads(compress([SHORT], [lost(words)], "--json").stdout)
    assert found["text"] == WORDY
    assert found["rewrite"]["review"]["objected"] == 1


def test_a_word_that_is_elsewhere_in_the_rewrite_may_be_lost_all_the_same(compress):
    prompt = "Please tell the guest the price of a room, and please tell the guest the time of the breakfast there.\n"
    short = "Tell the guest the price of a room and the time of breakfast there."
    found = json.loads(compress([short], [lost("the guest the time")], "--json", prompt=prompt).stdout)
    assert found["text"] == prompt
    assert found["rewrite"]["review"]["objected"] == 1


def test_the_cost_of_asking_is_that_of_both_models(compress, endpoint):
    usage = Usage(input_tokens=11, output_tokens=len(SHORT.split()))
    review = Usage(input_tokens=11, output_tokens=len(json.dumps(KEPT).split()))
    prompt = f"---\nmodel: gpt-4o-mini\nmax_output_tokens: 9\n---\n{WORDY}"
    found = json.loads(compress([SHORT], [KEPT], "--json", prompt=prompt).stdout)
    both = find_price("gpt-4o-mini").cost(usage).total_usd + find_price(REVIEWER).cost(review).total_usd
    assert found["rewrite"]["usd"] == float(both)
    per_call = find_price("gpt-4o-mini").cost(Usage(found["tokens_before"] - found["tokens_after"])).total_usd
    assert found["rewrite"]["calls_to_repay"] == math.ceil(both / per_call)


def test_what_an_unpriced_reviewer_costs_is_not_known(project, endpoint):
    project.write({"prompts/p/v1.j2": WORDY})
    endpoint.reply = lambda body: json.dumps(KEPT) if "<rewrite>" in str(body) else SHORT
    options = ("--rewrite", "gpt-4o-mini", "--review", "never-priced", "--json")
    found = json.loads(project.run("compress", "p", *options, **endpoint.environment).stdout)
    assert found["text"] == f"{SHORT}\n"
    assert (found["rewrite"]["usd"], found["rewrite"]["calls_to_repay"]) == (None, None)


def test_one_model_may_do_both(project, endpoint):
    project.write({"prompts/p/v1.j2": WORDY})
    endpoint.reply = lambda body: json.dumps(KEPT) if "<rewrite>" in str(body) else SHORT
    options = ("--rewrite", "gpt-4o-mini", "--review", "gpt-4o-mini", "--json")
    found = json.loads(project.run("compress", "p", *options, **endpoint.environment).stdout)
    assert found["text"] == f"{SHORT}\n"
    assert found["rewrite"]["review"]["texts"] == 1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--review", "gpt-4.1"], "--review needs --rewrite"),
        (["--review", "gpt-4.1", "--rewrite", ""], "--rewrite names no model"),
        (["--review", "", "--rewrite", "gpt-4.1"], "--review names no model"),
    ],
)
def test_a_review_needs_two_models(project, endpoint, options, told):
    project.write({"prompts/p/v1.j2": WORDY})
    done = project.run("compress", "p", *options, **endpoint.environment)
    assert done.returncode == 2
    assert told in done.stderr
    assert endpoint.requests == []


@pytest.mark.parametrize("model", ["", " ", "python:", "python:missing.py:f"])
def test_a_reviewer_that_cannot_be_asked_is_told_before_the_writer_is_paid(project, endpoint, model):
    project.write({"prompts/p/v1.j2": WORDY})
    done = project.run(
        "compress", "p", "--rewrite", "gpt-4o-mini", "--review", model, "--write", **endpoint.environment
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert endpoint.requests == []
    assert not (project.root / "prompts/p/v2.j2").exists()


def test_a_reviewer_that_fails_leaves_nothing_written(project, endpoint):
    project.write({"prompts/p/v1.j2": WORDY})
    no = (401, {}, b'{"error": {"message": "no such key", "type": "invalid_request_error"}}')
    endpoint.reply = lambda body: no if body["model"] == REVIEWER else SHORT
    done = project.run(
        "compress", "p", "--rewrite", "gpt-4o-mini", "--review", REVIEWER, "--write", **endpoint.environment
    )
    assert done.returncode == 2
    assert "no such key" in done.stderr
    assert done.stdout == ""
    assert not (project.root / "prompts/p/v2.j2").exists()


def test_a_writer_that_reasons_is_sent_no_temperature(project, endpoint):
    project.write({"prompts/p/v1.j2": WORDY})
    endpoint.reply = lambda body: json.dumps(KEPT) if "<rewrite>" in str(body) else SHORT
    done = project.run("compress", "p", "--rewrite", "gpt-5-mini", "--review", "o3", **endpoint.environment)
    assert done.returncode == 0, done.stderr
    assert all("temperature" not in body for body in endpoint.requests)


WORDS = TWO.split()
QUOTED = st.tuples(st.integers(0, len(WORDS) - 1), st.integers(1, 6)).map(lambda at: " ".join(WORDS[at[0] : sum(at)]))
ITEMS = st.lists(st.fixed_dictionaries({"words": QUOTED | st.text(max_size=9), "why": st.text(max_size=9)}), max_size=2)
REVIEWS = st.fixed_dictionaries({"lost": ITEMS, "added": ITEMS}).map(json.dumps)
BROKEN = st.builds(lambda text, end, more: text[:end] + more, REVIEWS, st.integers(0, 90), st.text(max_size=9))
ANSWERS = st.lists(st.just(json.dumps(KEPT)) | REVIEWS | BROKEN | st.text(), min_size=1, max_size=5)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(answers=ANSWERS)
def test_nothing_is_taken_but_what_was_reviewed_and_found_complete(answers, project):
    reviewer = Says(answers)
    result = rewritten(reviewer, TWO, SHORT_TWO)
    found = {answer for asked, answer in reviewer.asked if f"<rewrite>\n{result.compression.text.strip()}\n<" in asked}
    if result.compression.text != TWO:
        assert any(_is_complete(answer) for answer in found)


def _is_complete(answer):
    """Whether it says that nothing is lost and says nothing else."""
    inside = answer.strip().removeprefix("```json").removesuffix("```")
    try:
        return json.loads(inside) == KEPT
    except ValueError:
        return False


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(words=QUOTED)
def test_nothing_is_taken_while_words_of_the_original_are_named(words, project):
    result = rewritten(Says([json.dumps(lost(words))]), TWO, SHORT_TWO)
    assert result.compression.text == TWO
    assert result.reviewed.objected + result.reviewed.unread == result.reviewed.texts > 0
