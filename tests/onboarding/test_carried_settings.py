"""Settings of calls that ``promptopt init`` finds: they are front matter, or are said; no prompt is lost over one."""

import ast
from typing import Any, get_type_hints

import pytest
import yaml
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming

import promptopt
from promptopt.onboarding.proposal import Proposal, propose
from promptopt.providers.openai.client import OpenAIProvider

ASK = "[{'role': 'user', 'content': f'Route the ticket {ticket}'}]"
CALL = "client.chat.completions.create(model='gpt-4o-mini', messages=" + ASK + ", %s)"
CLAUDE = "client.messages.create(model='claude-haiku-4-5', max_tokens=9, messages=" + ASK + ", %s)"
# A value of every argument of the SDK, as a program may write it.
ARGUMENTS: dict[str, str] = {
    "audio": "{'voice': 'ash', 'format': 'mp3'}",
    "frequency_penalty": "0.5",
    "function_call": "'auto'",
    "functions": "[{'name': 'look'}]",
    "logit_bias": "{'50256': -100}",
    "logprobs": "True",
    "max_completion_tokens": "60",
    "max_tokens": "60",
    "metadata": "{'a': 'b'}",
    "modalities": "['text']",
    "moderation": "{'model': 'omni-moderation-latest'}",
    "n": "2",
    "parallel_tool_calls": "False",
    "prediction": "{'type': 'content', 'content': 'x'}",
    "presence_penalty": "-1",
    "prompt_cache_key": "'k'",
    "prompt_cache_options": "{'ttl': '30m'}",
    "prompt_cache_retention": "'24h'",
    "reasoning_effort": "'low'",
    "response_format": "{'type': 'json_object'}",
    "safety_identifier": "'s'",
    "seed": "7",
    "service_tier": "'flex'",
    "stop": "['END']",
    "store": "True",
    "stream": "False",
    "stream_options": "{'include_usage': True}",
    "temperature": "0.5",
    "tool_choice": "'auto'",
    "tools": "[{'type': 'function', 'function': {'name': 'look'}}]",
    "top_logprobs": "2",
    "top_p": "0.9",
    "user": "'u'",
    "verbosity": "'low'",
    "web_search_options": "{}",
}
# Of these nothing is said: they are no part of an answer.
QUIET = {
    *("metadata", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "store", "stream"),
    *("stream_options", "user"),
}


def proposed(project: Any, call: str, more: str = "") -> tuple[Proposal, dict[str, Any]]:
    """The proposal for a program with one call, and the front matter of its prompt."""
    project.write({"app.py": f"import openai\ndef route(client, ticket{more}):\n    return {call}\n"})
    proposal = propose(project.root)
    assert proposal.left_out == ()
    (prompt,) = (text for path, text in proposal.files.items() if path.name == "v1.j2")
    return proposal, yaml.safe_load(prompt.split("---\n")[1])


def settings_of(proposal: Proposal) -> list[str]:
    return [note for note in proposal.notes if "app.py:3: " in note]


def sent(project: Any, proposal: Proposal, *values: Any) -> list[dict[str, Any]]:
    """What the program gives the SDK, as it is and with the call that is proposed."""
    source = (project.root / "app.py").read_text()
    for path, text in proposal.files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (site,) = proposal.calls
    kind = ast.Dict if site.code.startswith("{") else ast.Call
    calls = [
        ast.get_source_segment(source, node) or "" for node in ast.walk(ast.parse(source)) if isinstance(node, kind)
    ]
    old = next(call for call in calls if ("messages" in call or "contents" in call) and "model" in call)
    given: list[dict[str, Any]] = []

    class Client:
        def __getattr__(self, _name: str) -> "Client":
            return self

        def __call__(self, **arguments: Any) -> None:
            given.append(arguments)

    for text in (source, source.replace(old, site.code)):
        names: dict[str, Any] = {"promptopt": promptopt}
        exec(compile(text.replace("import openai\n", ""), "app.py", "exec"), names)
        names["route"](Client(), "lost", *values)
    return given


def test_every_argument_of_the_sdk_is_tried() -> None:
    known = set(get_type_hints(CompletionCreateParamsNonStreaming)) - {"model", "messages"}
    assert known == set(ARGUMENTS), f"give {known ^ set(ARGUMENTS)} a value in ARGUMENTS of {__file__}"


@pytest.mark.parametrize("name", ARGUMENTS)
def test_no_argument_of_a_call_costs_the_prompt(name: str, project) -> None:
    code = ARGUMENTS[name] + (", logprobs=True" if name == "top_logprobs" else "")
    proposal, front = proposed(project, CALL % f"{name}={code}")
    option = "max_output_tokens" if name == "max_tokens" else name.replace("completion", "output")
    carried = front.get(option) == ast.literal_eval(ARGUMENTS[name])
    said = [note for note in settings_of(proposal) if f"{name} stays in the call" in note]
    assert carried + bool(said) + (name in QUIET) == 1
    program, now = sent(project, proposal)
    if name == "max_tokens":
        program["max_completion_tokens"] = program.pop("max_tokens")
    assert now == program
    # What is written can be sent by itself: no setting is there without what it needs.
    OpenAIProvider.check_request(promptopt.load_prompt("route").render({"ticket": "lost"}).request())


def test_penalties_come_over(project) -> None:
    proposal, front = proposed(project, CALL % "temperature=0, frequency_penalty=0.5, presence_penalty=-1")
    assert front == {"model": "gpt-4o-mini", "temperature": 0, "frequency_penalty": 0.5, "presence_penalty": -1}
    assert settings_of(proposal) == []
    assert "penalty" not in proposal.calls[0].code


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("seed=-1", "-1 is not a whole number of at least 0"),
        ("temperature=3", "3.0 is not between 0 and 2"),
        ("stop=[1]", "[1] is not a text or a list of texts"),
        ("service_tier='scale'", "the price of 'gpt-4o-mini' with 'scale' is not known"),
        ("service_tier='cheap'", "'cheap' is not one of flex, auto"),
        ("top_p=ticket.p", "its value is known when it runs only"),
        ("top_logprobs=2", "it needs logprobs"),
        ("parallel_tool_calls=True", "it needs tools"),
        ("mood='kind'", "front matter has no such setting"),
    ],
)
def test_a_setting_that_front_matter_does_not_take_stays_in_the_call_and_is_said(given: str, reason: str, project):
    proposal, front = proposed(project, CALL % f"{given}, presence_penalty=1")
    assert front == {"model": "gpt-4o-mini", "presence_penalty": 1}
    (note,) = settings_of(proposal)
    name = given.partition("=")[0]
    start = f"app.py:3: the setting {name} stays in the call, and the prompt is measured without it: "
    assert note.startswith(start + reason)
    assert given in proposal.calls[0].code
    assert "v1.j2" not in note


def test_what_is_said_to_be_nothing_is_no_note(project) -> None:
    proposal, front = proposed(project, CALL % "temperature=None, seed=None")
    assert (front, settings_of(proposal)) == ({"model": "gpt-4o-mini"}, [])
    assert "temperature=None, seed=None" in proposal.calls[0].code


def test_a_cap_that_anthropic_gets_from_the_program_is_given_once(project) -> None:
    call = f"client.messages.create(model='claude-haiku-4-5', max_tokens=cap, top_k=5, messages={ASK})"
    proposal, front = proposed(project, call, ", cap")
    assert front == {"model": "claude-haiku-4-5"}
    program, now = sent(project, proposal, 77)
    assert now == program
    assert (now["max_tokens"], now["top_k"]) == (77, 5)


def test_a_body_that_is_sent_by_hand_keeps_its_other_keys(project) -> None:
    call = f"client(json={{'model': 'gpt-4o-mini', 'n': 2, 'stream': True, 'presence_penalty': 1, 'messages': {ASK}}})"
    proposal, front = proposed(project, call)
    assert front == {"model": "gpt-4o-mini", "presence_penalty": 1}
    program, now = sent(project, proposal)
    assert now == program


def test_settings_of_files_are_carried_over_or_said(project) -> None:
    project.write(
        {
            "a.prompty": "---\nmodel:\n  id: gpt-4o\n  parameters: {presence_penalty: 1, temperature: '${env:T}', "
            "n: 3}\n---\nuser:\nSay {{x}} in one line\n",
            "models/b.prompt.yml": "model: openai/gpt-4o-mini\nmodelParameters: {frequencyPenalty: 0.5, seed: -1}\n"
            "messages:\n- {role: user, content: 'Sum up {{input}}'}\n",
            "c/prompts.yaml": "greet: {system: Greet the guest, model: gpt-4o-mini, seed: later, v: 2, top_p: 0.5}\n",
        }
    )
    proposal = propose(project.root)
    assert proposal.left_out == ()
    fronts = [yaml.safe_load(text.split("---\n")[1]) for path, text in proposal.files.items() if path.suffix == ".j2"]
    assert sorted(fronts, key=lambda front: front["model"]) == [
        {"model": "gpt-4o", "presence_penalty": 1},
        {"model": "gpt-4o-mini", "top_p": 0.5},
        {"model": "openai/gpt-4o-mini", "frequency_penalty": 0.5},
    ]
    said = "is not carried over, and the prompt is measured without it"
    assert sorted(note for note in proposal.notes if said in note) == [
        f"a.prompty:1: the setting n {said}: front matter has no such setting",
        f"a.prompty:1: the setting temperature {said}: '${{env:T}}' is not a number",
        f"c/prompts.yaml:1: the setting seed {said}: 'later' is not a whole number of at least 0",
        f"models/b.prompt.yml:1: the setting seed {said}: -1 is not a whole number of at least 0",
    ]


def test_a_config_of_promptfoo_keeps_its_prompts(project) -> None:
    project.write(
        {
            "evals/promptfooconfig.yaml": "prompts: ['Translate {{word}} to French']\n"
            "providers:\n- id: openai:gpt-4o-mini\n"
            "  config: {presence_penalty: 0.5, frequencyPenalty: 1, seed: -1, n: 2, nonsense: 1}\n"
            "tests: [{vars: {word: dog}}]\n"
        }
    )
    proposal = propose(project.root)
    (prompt,) = (text for path, text in proposal.files.items() if path.suffix == ".j2")
    front = yaml.safe_load(prompt.split("---\n")[1])
    assert (front["presence_penalty"], front["frequency_penalty"], front["extra_body"]) == (0.5, 1, {"n": 2})
    assert "seed" not in front
    said = [str(each) for each in proposal.left_out]
    assert any("seed: -1 is not a whole number" in each for each in said)
    assert any("nonsense: this project has no such setting" in each for each in said)


def test_a_prompt_that_cannot_be_carried_over_is_not_blamed_on_a_file_that_is_not_written(project) -> None:
    project.write({"prompt_parts/prompt.j2": "Shorten {{ text | ours }} for the {{ reader }}\n"})
    proposal = propose(project.root, model="gpt-4o-mini")
    (left,) = proposal.left_out
    assert str(left).startswith("prompt_parts/prompt.j2:1: ")
    assert "ours" in left.reason
    assert "v1.j2" not in left.reason


def test_a_further_body_comes_over(project) -> None:
    body = "{'top_k': 5, 'metadata': {'user_id': 'u'}}"
    proposal, front = proposed(project, CLAUDE % f"temperature=0.2, extra_body={body}")
    assert front["extra_body"] == ast.literal_eval(body)
    assert settings_of(proposal) == []
    program, now = sent(project, proposal)
    assert now.pop("extra_body") == {"temperature": program.pop("temperature"), **program.pop("extra_body")}
    assert now == program


def test_a_further_body_that_stays_keeps_the_sampling_beside_it(project) -> None:
    proposal, front = proposed(project, CLAUDE % "temperature=0.2, top_p=0.5, extra_body=body", ", body")
    assert front == {"model": "claude-haiku-4-5", "max_output_tokens": 9}
    assert len(settings_of(proposal)) == 3
    program, now = sent(project, proposal, {"top_k": 5})
    assert now == program


CONTENT = "client.models.generate_content(model='gemini-2.5-flash', contents=f'Route the ticket {ticket}', config=%s)"


@pytest.mark.parametrize(
    "config",
    [
        "{'temperature': 0.2, 'max_output_tokens': 50, 'stop_sequences': ['END']}",
        "dict(temperature=0.2, top_p=0.5, seed=3)",
        "{'system_instruction': 'Answer with one word.'}",
        "{'temperature': 0.2, 'system_instruction': 'Answer with one word.'}",
    ],
)
def test_settings_in_a_config_come_over(config: str, project) -> None:
    proposal, front = proposed(project, CONTENT % config)
    assert settings_of(proposal) == []
    assert ("temperature" in front) == ("temperature" in config)
    program, now = sent(project, proposal)
    assert now["config"] == program["config"]
    assert now["contents"] == [{"role": "user", "parts": [{"text": program["contents"]}]}]


def test_a_config_with_more_than_settings_stays_whole(project) -> None:
    proposal, front = proposed(project, CONTENT % "{'temperature': 0.2, 'safety_settings': []}")
    assert front == {"model": "gemini-2.5-flash"}
    (note,) = settings_of(proposal)
    assert note.endswith("measured without it: safety_settings: front matter has no such setting")
    program, now = sent(project, proposal)
    assert now["config"] == program["config"]


def test_the_system_message_of_a_config_that_stays_is_named(project) -> None:
    call = CONTENT % "{'system_instruction': 'Be brief.', 'safety_settings': []}"
    project.write({"app.py": f"import openai\ndef route(client, ticket):\n    return {call}\n"})
    (left,) = propose(project.root).left_out
    assert "safety_settings: front matter has no such setting" in left.reason
