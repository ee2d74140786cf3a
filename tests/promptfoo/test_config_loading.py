"""promptfoo's configs as a user writes them: what is read, what is left out with a note, and what runs."""

import json
from pathlib import Path

import pytest

from promptopt.errors import SuiteError
from promptopt.experiment.compare import compare
from promptopt.promptfoo import Evaluation, read_evaluation
from promptopt.promptfoo.document import Note


def read(project, text: str, **files: str) -> Evaluation:
    project.write({"promptfooconfig.yaml": text, **{name.replace("__", "."): body for name, body in files.items()}})
    return read_evaluation("promptfooconfig.yaml")


def lost(evaluation: Evaluation) -> list[Note]:
    return [note for note in evaluation.notes if note.kind == "left out"]


def sent(evaluation: Evaluation, case: int = 0, template: int = 0, part: int = 0) -> str:
    chosen = evaluation.parts[part]
    return chosen.templates[template].render(chosen.suite.cases[case].vars).messages[-1].content


ONE = "prompts: ['Say {{ x }}']\nproviders: [echo]\n"


def test_a_config_is_compared_where_it_lies(project) -> None:
    project.write(
        {
            "deep/promptfooconfig.yaml": """
prompts: [file://ask.txt, "Q: {{ question }}"]
providers: [echo]
defaultTest: {assert: [{type: contains, value: "{{ question }}"}]}
tests:
  - vars: {question: why}
  - vars: {question: how}
    assert: [{type: starts-with, value: "Q:"}]
""",
            "deep/ask.txt": "\n  Please answer: {{ question }}\n\n",
        }
    )
    done = project.run("compare", "-c", "deep/promptfooconfig.yaml", "--json")
    assert done.returncode == 0, done.stderr
    first, second = json.loads(done.stdout)["variants"]
    assert (first["prompt"], first["pass_rate"]) == ("ask", 0.5)
    assert (second["prompt"], second["pass_rate"]) == ("prompt-2", 1.0)
    # White space around a text file is not part of the prompt.
    evaluation = read_evaluation("deep/promptfooconfig.yaml")
    assert sent(evaluation) == "Please answer: why"


def test_text_files_hold_several_prompts_and_tables_name_theirs(project) -> None:
    evaluation = read(
        project,
        "prompts: [file://several.txt, file://rows.csv, file://more/*.md]\nproviders: [echo]\n"
        "tests: [{vars: {x: 1}}]\n",
        several__txt="one {{x}}\n---\n\n---\ntwo {{x}}\n",
        rows__csv='prompt,label\n"three, {{x}}",third\n',
    )
    assert [prompt.name for prompt in evaluation.prompts] == ["several-1", "several-2", "third"]
    assert [sent(evaluation, template=number) for number in range(3)] == ["one 1", "two 1", "three, 1"]
    assert "more/*.md" in lost(evaluation)[0].message


def test_chats_are_messages_whatever_api_they_are_written_for(project) -> None:
    project.write(
        {"g.json": '{"contents": [{"role": "model", "parts": [{"text": "Hi"}]}, {"parts": [{"text": "{{x}}"}]}]}'}
    )
    evaluation = read(
        project,
        """
prompts:
  - file://c.yaml
  - '[{"role": "system", "content": "Be {{ x | dump }}"}, {"role": "user", "content": "{{x}}"}]'
  - file://g.json
providers: [echo]
tests: [{vars: {x: "a \\"quoted\\" word"}}]
""",
        c__yaml="- {role: system, content: short}\n- {role: user, content: '{{x}}'}\n",
    )
    templates, case = evaluation.parts[0].templates, evaluation.parts[0].suite.cases[0]
    shown = [[(m.role, m.content) for m in template.render(case.vars).messages] for template in templates]
    quoted = 'a "quoted" word'
    assert shown[0] == [("system", "short"), ("user", quoted)]
    assert shown[1] == [("system", 'Be "a \\"quoted\\" word"'), ("user", quoted)]
    assert shown[2] == [("assistant", "Hi"), ("user", quoted)]


def test_calls_of_tools_are_those_of_messages_whatever_api_they_are_written_for(project) -> None:
    asked = '{"role": "user", "content": "Where?"}'
    call = '{"role": "assistant", "content": [{"type": "text", "text": "So."}, {"type": "tool_use", "id": "t1", '
    call += '"name": "find", "input": {"x": 1}}]}'
    answer = '{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", '
    answer += '"content": [{"type": "text", "text": "there"}]}, {"type": "text", "text": "Go on"}]}'
    google = '{"role": "model", "parts": [{"functionCall": {"name": "find", "args": {"x": 1}}}]}, '
    google += '{"role": "user", "parts": [{"functionResponse": {"name": "find", "response": {"at": 2}}}]}'
    evaluation = read(
        project,
        "prompts: ['{{ chat }}']\nproviders: [echo]\ntests: [{vars: {chat: file://a.txt}}, {vars: {chat: file://g.txt}}]",
        a__txt=f"[{asked}, {call}, {answer}]",
        g__txt=f'[{{"parts": [{{"text": "Where?"}}]}}, {google}]',
    )
    part = evaluation.parts[0]
    first, second = (part.templates[0].render(case.vars).messages for case in part.suite.cases)
    assert [message.role for message in first] == ["user", "assistant", "tool", "user"]
    assert (first[1].content, first[1].tool_calls[0].id, first[1].tool_calls[0].name) == ("So.", "t1", "find")
    assert (first[2].tool_call_id, first[2].content, first[3].content) == ("t1", "there", "Go on")
    assert [message.role for message in second] == ["user", "assistant", "tool"]
    assert second[2].content == '{"at": 2}'


def test_derived_metrics_are_what_promptfoo_computes(project) -> None:
    project.write(
        {
            "promptfooconfig.yaml": """
prompts: ['{{a}}', 'x{{a}}']
providers: [echo]
derivedMetrics:
  - {name: precision, value: tp / (tp + fp)}
  - {name: share, value: tp / __count}
  - {name: f, value: 2 * precision * share / (precision + share)}
  - {name: broken, value: 'tp +'}
tests:
  - vars: {a: pos}
    assert:
      - {type: equals, value: pos, metric: tp, weight: 2}
      - {type: contains, value: o, metric: fp, weight: 0.25}
  - vars: {a: neg}
    assert:
      - {type: equals, value: pos, metric: tp}
      - {type: contains, value: e, metric: fp}
      - {type: contains, value: n, metric: fp}
"""
        }
    )
    done = project.run("compare", "-c", "promptfooconfig.yaml", "--json")
    assert "derivedMetrics: broken: 'tp +' is not an expression" in done.stderr
    rows = json.loads(done.stdout)["derived_metrics"]
    # The figures of promptfoo 0.121's own run of this config.
    assert [(row["prompt"], row["name"], row["value"]) for row in rows] == [
        ("prompt-1", "precision", pytest.approx(0.47058823529411764)),
        ("prompt-1", "share", 1),
        ("prompt-1", "f", pytest.approx(0.64)),
        ("prompt-2", "precision", 0),
        ("prompt-2", "share", 0),
        ("prompt-2", "f", None),
    ]
    assert "0.4706" in project.run("compare", "-c", "promptfooconfig.yaml").stdout


def test_functions_write_prompts(project) -> None:
    evaluation = read(
        project,
        "prompts: [file://p.py:short, file://p.js, {id: 'file://p.js:named', label: other}]\n"
        "providers: [echo]\ntests: [{vars: {x: sun}}]\n",
        p__py="def short(context):\n    return [{'role': 'user', 'content': 'py ' + context['vars']['x']}]\n",
        p__js="module.exports = ({vars}) => `js ${vars.x}`;\n"
        "module.exports.named = async ({vars}) => ({prompt: 'named {{x}}'});\n",
    )
    assert [sent(evaluation, template=number) for number in range(3)] == ["py sun", "js sun", "named sun"]
    assert evaluation.prompts[2].name == "other"


def test_variables_are_read_expanded_and_filled_in(project) -> None:
    project.write(
        {
            "texts/b.txt": "  from b \n",
            "texts/a.txt": "from a",
            "v.py": "def get_var(name, prompt, others):\n    return {'output': name + others['kind']}\n",
        }
    )
    evaluation = read(
        project,
        """
prompts: ["{{ text }}|{{ made }}|{{ rows[1].n }}|{{ rows | length }}|{{ whole }}"]
providers: [echo]
tests:
  - vars:
      text: file://texts/*.txt
      kind: "{{ base }}s"
      base: [cat, dog]
      made: file://v.py
      rows: [{n: 1}, {n: 2}]
      whole: [1, 2]
""",
    )
    answers = [sent(evaluation, case) for case in range(4)]
    assert answers[0] == "from a|madecats|2|2|1,2"
    assert answers[3].startswith("from b|")
    assert [case.vars["kind"] for case in evaluation.parts[0].suite.cases] == ["cats", "dogs", "cats", "dogs"]


def test_variables_that_lead_back_to_themselves_leave_their_test_out(project) -> None:
    evaluation = read(project, ONE + "tests:\n  - vars: {x: '{{y}}', y: '{{x}}'}\n  - vars: {x: fine}\n")
    assert [case.vars["x"] for case in evaluation.parts[0].suite.cases] == ["fine"]
    assert "lead back to themselves" in lost(evaluation)[0].message
    assert lost(evaluation)[0].line == 4


def test_undefined_prints_nothing_and_a_note_names_it(project) -> None:
    evaluation = read(
        project,
        "prompts: ['[{{ gone.deep }}]{% if other %}no{% endif %}']\nproviders: [echo]\n"
        "tests: [{vars: {other: ''}}, {vars: {other: ''}}]\n",
    )
    assert sent(evaluation) == "[]"
    assert any("{{ gone }} prints nothing in every case" in note.message for note in evaluation.notes)
    # Two tests that are the same are two cases.
    first, second = evaluation.parts[0].suite.cases
    assert second.name == f"{first.name} (2)"


def test_csv_has_all_special_columns(project) -> None:
    evaluation = read(
        project,
        ONE + "tests: file://t.csv\n",
        t__csv=(
            "x,__expected,__expected2,__prefix,__suffix,__description,__metric,__threshold,__metadata:tag,"
            "__metadata:tags[],__config:__expected2:threshold\n"
            'sun,contains: sun,levenshtein(3): sun,"<",">",bright,tone,0.5,sky,"a,b\\,c",2\n'
        ),
    )
    case = evaluation.parts[0].suite.cases[0]
    assert sent(evaluation) == "<Say sun>"
    assert (case.name, case.threshold, case.metadata) == ("bright", 0.5, {"tag": "sky", "tags": ["a", "b,c"]})
    assert [(each.type, each.threshold, each.metric) for each in case.asserts] == [
        ("contains", None, "tone"),
        ("levenshtein", 2.0, "tone"),
    ]


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        (
            "t.csv",
            "x,__config:__expected0:threshold\na,1\n",
            "t.csv:1: unknown column '__config:__expected0:threshold'",
        ),
        ("t.csv", "x,__expected0\na,b\n", "t.csv:1: unknown column '__expected0'"),
        ("t.csv", "x;__expected\na;equals: a\n", "t.csv:1: its columns are separated by ';'"),
        ("t.jsonl", '{"vars": {"x": 1}}\n\n{"vars": {"x": 2}\n', "t.jsonl:3: is not YAML"),
    ],
)
def test_a_file_of_tests_that_cannot_be_read_is_named_with_its_own_line(project, name, body, said) -> None:
    project.write({name: body})
    found = read(project, ONE + f"tests: [{{vars: {{x: 1}}}}, 'file://{name}']\n")
    assert [note.line for note in lost(found)] == [3]
    assert said in lost(found)[0].message
    assert len(found.parts[0].suite.cases) == 1


def test_a_column_with_underscores_that_means_nothing_is_a_variable(project) -> None:
    found = read(project, ONE.replace("x }}", "__x }}") + "tests: file://t.csv\n", t__csv="__x\nsun\n")
    assert sent(found) == "Say sun"


def test_tests_come_from_every_kind_of_file_and_from_code(project) -> None:
    project.write({"more/a.jsonl": '{"vars": {"x": "l1"}}\n{"vars": {"x": "l2"}}\n'})
    evaluation = read(
        project,
        ONE + "tests: [file://t.json, more/*.jsonl, {vars: file://v.yaml}, file://g.py:make, "
        "{path: file://g.js, config: {n: 2}}]\n",
        t__json='[{"vars": {"x": "j"}}]',
        v__yaml="x: named\n",
        g__py="def make():\n    return [{'vars': {'x': f'p{n}'}} for n in (1, 2)]\n",
        g__js="module.exports = (config) => Array.from({length: config.n}, (_, n) => ({vars: {x: `s${n}`}}));\n",
    )
    assert [case.vars["x"] for case in evaluation.parts[0].suite.cases] == [
        "j",
        "l1",
        "l2",
        "named",
        "p1",
        "p2",
        "s0",
        "s1",
    ]


def test_rows_of_a_data_set_come_from_a_local_copy_only(project) -> None:
    text = ONE.replace("{{ x }}", "{{ question }}") + "tests: huggingface://datasets/some/set?split=test&limit=2\n"
    project.write(
        {
            "promptfooconfig.yaml": text,
            "rows.jsonl": "".join(f'{{"question": "q{n}", "tags": ["a"]}}\n' for n in range(5)),
        }
    )
    with pytest.raises(SuiteError, match="--dataset some/set=FILE"):
        read_evaluation("promptfooconfig.yaml")
    evaluation = read_evaluation("promptfooconfig.yaml", datasets={"some/set": Path("rows.jsonl")})
    assert [sent(evaluation, case) for case in range(2)] == ["Say q0", "Say q1"]
    assert len(evaluation.parts[0].suite.cases) == 2


def test_scenarios_are_each_test_with_each_entry(project) -> None:
    evaluation = read(
        project,
        ONE
        + """
scenarios:
  - config: [{vars: {x: red}}, {vars: {x: blue}, assert: [{type: contains, value: blue}]}]
    tests: [{description: plain}, {description: loud, vars: {loud: true}, assert: [{type: contains, value: Say}]}]
""",
    )
    cases = evaluation.parts[0].suite.cases
    assert [(case.name, case.vars["x"], len(case.asserts)) for case in cases] == [
        ("plain", "red", 0),
        ("loud", "red", 1),
        ("plain (2)", "blue", 1),
        ("loud (2)", "blue", 2),
    ]


def test_references_and_templates_of_asserts(project) -> None:
    evaluation = read(
        project,
        ONE
        + """
assertionTemplates: {short: {type: word-count, value: {max: 9}}}
defaultTest: file://d.yaml
tests:
  - vars: {x: 1}
    assert: [{$ref: "#/assertionTemplates/short"}]
  - vars: {x: 2}
    options: {disableDefaultAsserts: true}
    assert: [{$ref: "#/nowhere"}]
""",
        d__yaml="assert: [{type: contains, value: Say}]\nmetadata: {from: file}\n",
    )
    first, second = evaluation.parts[0].suite.cases
    assert [each.type for each in first.asserts] == ["contains", "word-count"]
    assert second.asserts == ()
    assert first.metadata == {"from": "file"}
    (note,) = lost(evaluation)
    assert "#/nowhere" in note.message


def test_a_set_of_asserts_counts_as_one(project) -> None:
    evaluation = read(
        project,
        ONE
        + """
tests:
  - vars: {x: sun}
    assert:
      - {type: assert-set, threshold: 0.5, assert: [{type: contains, value: sun}, {type: contains, value: moon}]}
      - {type: assert-set, weight: 3, assert: [{type: contains, value: sun}, {type: contains, value: Say, weight: 2}]}
""",
    )
    whole, *flat = evaluation.parts[0].suite.cases[0].asserts
    assert (whole.type, whole.threshold) == ("assert-set", 0.5)
    # Without a threshold it is no more than its asserts with their share of its weight.
    assert [(each.type, each.weight) for each in flat] == [("contains", 1.0), ("contains", 2.0)]
    (run,) = compare(*evaluation.parts[0].templates, suite=evaluation.parts[0].suite, record="missing").runs
    assert run.trials[0].quality == pytest.approx((0.5 + 3) / 4)
    assert run.trials[0].passed


def test_what_cannot_be_scored_is_left_out_with_its_line_and_the_rest_counts(project) -> None:
    evaluation = read(
        project,
        ONE + "tests:\n  - vars: {x: 1}\n    assert:\n      - {type: pi, value: nice}\n"
        "      - {type: contains, value: ''}\n      - {type: contains, value: Say}\n",
    )
    assert (evaluation.asserts, evaluation.asserts_kept) == (3, 1)
    assert [(note.line, note.path) for note in lost(evaluation)] == [
        (6, "promptfooconfig.yaml"),
        (7, "promptfooconfig.yaml"),
    ]
    done = project.run("import", "promptfooconfig.yaml", "--explain")
    assert "1 of 3 asserts" in done.stdout
    assert "promptfooconfig.yaml:6: left out: the assert pi" in done.stdout


def test_answers_are_transformed_before_they_are_scored(project) -> None:
    evaluation = read(
        project,
        """
prompts: ["  {{ x }}!"]
providers: [{id: echo, transform: "output.trim() + '?'"}]
tests:
  - vars: {x: word}
    options: {transform: output.toUpperCase(), transformVars: "{ ...vars, seen: vars.x + 1 }"}
    assert:
      - {type: equals, value: WORD!?}
      - {type: equals, value: "4 {{ seen }}", transform: "`${output.indexOf('!')} word1`"}
""",
    )
    (run,) = compare(*evaluation.parts[0].templates, suite=evaluation.parts[0].suite, record="missing").runs
    assert run.trials[0].passed, run.trials[0].complaint


def test_a_conversation_is_one_case_whose_turns_know_what_was_said(project) -> None:
    evaluation = read(
        project,
        """
prompts: ["{% for turn in _conversation %}{{ turn.input }} / {% endfor %}{{ x }}"]
providers: [echo]
tests:
  - {vars: {x: one}, metadata: {conversationId: a}, assert: [{type: equals, value: one}]}
  - {vars: {x: alone}, metadata: {conversationId: b}}
  - {vars: {x: two}, metadata: {conversationId: a}, assert: [{type: equals, value: one / two}]}
""",
    )
    suite = evaluation.parts[0].suite
    assert [(case.name, len(case.turns)) for case in suite.cases] == [("a", 2), ("b", 1)]
    (run,) = compare(*evaluation.parts[0].templates, suite=suite, record="missing").runs
    assert run.trials[0].passed, run.trials[0].complaint


def test_a_stored_answer_is_a_variable_of_later_tests_alone(project) -> None:
    evaluation = read(
        project,
        """
prompts: ["Say: {{ message }}"]
providers: [echo]
tests:
  - vars: {message: "pear, or plum"}
    options: {storeOutputAs: fruit, transform: "output.split(',')[0]"}
    assert: [{type: equals, value: "Say: pear"}]
  - {description: apart, vars: {message: "no {fruit}"}, assert: [{type: equals, value: "Say: no {fruit}"}]}
  - vars: {message: "Why {{ fruit }}?"}
    options: {storeOutputAs: why}
    assert: [{type: equals, value: "Say: Why Say: pear?"}]
  - vars: {message: "{{ why }} and {{ fruit | upper }}"}
    assert: [{type: equals, value: "Say: Say: Why Say: pear? and SAY: PEAR"}]
""",
    )
    suite = evaluation.parts[0].suite
    assert [(case.name, len(case.turns)) for case in suite.cases] == [(suite.cases[0].name, 3), ("apart", 0)]
    assert not evaluation.notes
    (run,) = compare(*evaluation.parts[0].templates, suite=suite, record="missing").runs
    assert [trial.passed for trial in run.trials] == [True, True], run.trials[0].complaint
    # The answers that were kept lead to the same requests again.
    (again,) = compare(*evaluation.parts[0].templates, suite=suite).runs
    assert again.trials[0].passed


def test_a_stored_answer_that_a_prompt_uses_itself_joins_its_tests(project) -> None:
    evaluation = read(
        project,
        """
prompts: ["{{ topic }} {{ before }}"]
providers: [echo]
tests:
  - {vars: {topic: one}, options: {storeOutputAs: before}}
  - {vars: {topic: two}, assert: [{type: contains, value: "two one"}]}
""",
    )
    (run,) = compare(*evaluation.parts[0].templates, suite=evaluation.parts[0].suite, record="missing").runs
    assert [trial.passed for trial in run.trials] == [True], run.trials[0].complaint


def test_a_stored_answer_that_its_transform_cannot_make_ends_the_case(project) -> None:
    evaluation = read(
        project,
        """
prompts: ["{{ topic }}"]
providers: [echo]
tests:
  - {vars: {topic: one}, options: {storeOutputAs: before, transform: "JSON.parse(output).x"}}
  - {vars: {topic: "two {{ before }}"}}
""",
    )
    (run,) = compare(*evaluation.parts[0].templates, suite=evaluation.parts[0].suite, record="missing").runs
    assert "the answer to keep as 'before': transform:" in str(run.failed[0])


def test_tests_for_some_providers_are_comparisons_of_their_own(project) -> None:
    evaluation = read(
        project,
        """
prompts: [{id: "A {{x}}", label: first}, {id: "B {{x}}", label: second}]
providers: [{id: echo, label: one}, {id: echo, label: two, prompts: [first]}]
tests:
  - {vars: {x: 1}}
  - {vars: {x: 2}, providers: [two]}
  - {vars: {x: 3}, prompts: [second]}
  - {vars: {x: 4}, provider: {id: echo, label: own}}
""",
    )
    shown = [([each.origin.label for each in part.templates], len(part.suite.cases)) for part in evaluation.parts]
    assert shown == [
        (["first@one", "first@two", "second@one"], 1),
        (["first@two"], 1),
        (["second@one"], 1),
        (["first@own", "second@own"], 1),
    ]
    assert len({part.suite.recordings for part in evaluation.parts}) == 4
    done = project.run("compare", "-c", "promptfooconfig.yaml", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"variants"') == 4


def test_settings_of_a_run(project) -> None:
    evaluation = read(
        project,
        ONE + "tests: [{vars: {x: 1}}]\nevaluateOptions: {repeat: 3, maxConcurrency: 2, delay: 500}\n"
        "sharing: true\nextensions: [file://x.js]\n",
    )
    assert (evaluation.trials, evaluation.jobs, evaluation.rpm) == (3, 1, 120)
    assert [note.message for note in lost(evaluation)] == ["`extensions` is not used"]
    # What is set for the command comes first, as in promptfoo.
    both = "evaluateOptions: {repeat: 3, maxConcurrency: 2}\ncommandLineOptions: {repeat: 5, maxConcurrency: }\n"
    evaluation = read(project, ONE + "tests: [{vars: {x: 1}}]\n" + both)
    assert (evaluation.trials, evaluation.jobs) == (5, 2)


def test_too_few_passing_cases_end_with_exit_code_1(project) -> None:
    read(project, ONE + "passRateThreshold: 80\ntests: [{vars: {x: 1}, assert: [{type: equals, value: no}]}]\n")
    done = project.run("compare", "-c", "promptfooconfig.yaml")
    assert done.returncode == 1
    assert "passes 0%; passRateThreshold is 80%" in done.stderr


def test_variables_of_the_environment_are_filled_in_and_undone(project, monkeypatch) -> None:
    monkeypatch.setenv("PLACE", "here")
    evaluation = read(
        project,
        "env: {TOWN: Rome}\nprompts: ['{{ env.TOWN }} {{ env.PLACE }} {{ x }}']\nproviders: [echo]\n"
        "tests: [{vars: {x: '{{ env.TOWN }}'}}]\n",
    )
    assert sent(evaluation) == "Rome here Rome"
    import os

    with evaluation.active():
        assert os.environ["TOWN"] == "Rome"
    assert "TOWN" not in os.environ


def test_a_config_of_which_nothing_is_left_says_why(project) -> None:
    with pytest.raises(
        SuiteError, match=r"no prompt of it can be used:\n    promptfooconfig.yaml:1: left out.*gone.txt"
    ):
        read(project, "prompts: [file://gone.txt]\nproviders: [echo]\ntests: []\n")
    project.write({"promptfooconfig.js": "module.exports = {}"})
    with pytest.raises(SuiteError, match="a config in JavaScript"):
        read_evaluation("promptfooconfig.js")
    project.write({"list.yaml": "- 1\n"})
    with pytest.raises(SuiteError, match="not a promptfoo config"):
        read_evaluation("list.yaml")


def test_filters_of_the_config_are_its_own_javascript(project) -> None:
    evaluation = read(
        project,
        "nunjucksFilters: {shout: ./shout.js}\nprompts: ['{{ x | shout }}']\nproviders: [echo]\n"
        "tests: [{vars: {x: hey}}]\n",
        shout__js="module.exports = (text) => text.toUpperCase();\n",
    )
    assert sent(evaluation) == "HEY"


def test_a_judge_that_nobody_names_is_promptfoos_own(project) -> None:
    text = ONE + "tests: [{vars: {x: 1}, assert: [{type: llm-rubric, value: polite}]}]\n"
    evaluation = read(project, text)
    assert evaluation.config.judge["model"].startswith("gpt-")
    assert any("judged by gpt-" in note.message for note in evaluation.notes)
    evaluation = read(project, text + "defaultTest: {options: {provider: 'openai:gpt-4o-mini'}}\n")
    assert evaluation.config.judge == {}
    assert evaluation.parts[0].suite.cases[0].options == {"provider": "openai:gpt-4o-mini"}
