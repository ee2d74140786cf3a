"""`promptopt import`: the files that it writes measure what the config measured."""

import json
import tomllib

import pytest


@pytest.fixture
def config(project):
    project.write(
        {
            "promptfooconfig.yaml": """
prompts: [file://ask.txt, '[{"role": "user", "content": "Q {{ question }} {{ extra }}"}]']
providers: [echo]
tests:
  - description: braces
    vars: {question: "what is {{ x }}?", rows: [1, 2]}
    assert:
      - {type: contains, value: "what is"}
      - {type: assert-set, threshold: 0.5, assert: [{type: contains, value: Q}]}
  - description: plain
    vars: {question: why}
    options: {transform: output.toUpperCase()}
    assert: [{type: contains, value: WHY}]
""",
            "ask.txt": "{% if question %}\nAsk: {{ question }}\n{% endif %}",
        }
    )
    return project


def test_the_imported_files_give_the_same_scores(config) -> None:
    done = config.run("import", "promptfooconfig.yaml", "-o", "moved")
    assert done.returncode == 0, done.stderr
    assert "2 prompts, 1 providers, 2 cases, 3 asserts" in done.stdout
    before = json.loads(config.run("compare", "-c", "promptfooconfig.yaml", "--json").stdout)["variants"]
    prompts = ["moved/prompts/ask/v1.j2", "moved/prompts/prompt-2/v1.j2"]
    suite = "moved/suites/promptfooconfig.yaml"
    run = config.run("compare", *prompts, "--suite", suite, "--record", "missing", "--json")
    assert run.returncode == 0, run.stderr
    after = json.loads(run.stdout)["variants"]
    for key in ("quality", "pass_rate", "input_tokens"):
        assert [each[key] for each in after] == [each[key] for each in before]


def test_what_only_nunjucks_reads_is_not_written_and_derived_metrics_are(project) -> None:
    text = "prompts: ['{{ \"yes\" if x === 1 }} %s']\nproviders: [echo]\nderivedMetrics: [{name: d, value: m * 2}]\n"
    text += "tests: [{vars: {x: 1}, assert: [{type: contains, value: 'yes', metric: m}]}]\n"
    project.write({"promptfooconfig.yaml": text % "."})
    assert project.run("import", "promptfooconfig.yaml", "-o", "moved").returncode == 0
    suite = "moved/suites/promptfooconfig.yaml"
    run = project.run("compare", "moved/prompts/prompt-1/v1.j2", "--suite", suite, "--record", "missing", "--json")
    assert json.loads(run.stdout)["derived_metrics"][0]["value"] == 2
    for tag in ("{% switch x %}{% case 1 %}a{% endswitch %}", "{{ x | replace(r/1/, 2) }}"):
        project.write({"promptfooconfig.yaml": text % tag})
        refused = project.run("import", "promptfooconfig.yaml", "-o", "again")
        assert (refused.returncode, "a template that only Nunjucks reads" in refused.stderr) == (2, True)
        assert not (project.root / "again").exists()


def test_files_that_are_there_are_kept_unless_they_may_be_replaced(config) -> None:
    config.write({"moved/suites/promptfooconfig.yaml": "mine"})
    done = config.run("import", "promptfooconfig.yaml", "-o", "moved")
    assert (done.returncode, "exists" in done.stderr) == (2, True)
    assert not (config.root / "moved/prompts").exists()
    assert config.run("import", "promptfooconfig.yaml", "-o", "moved", "--force").returncode == 0


def test_providers_are_tables_of_pyproject(project) -> None:
    project.write(
        {
            "c.yaml": "prompts: ['{{ x }}']\nproviders: [{id: 'groq:llama', label: fast, config: {headers: {A: b}}}]\n"
            "tests: [{vars: {x: 1}}]\n"
        }
    )
    assert project.run("import", "c.yaml", "-o", "out").returncode == 0
    table = tomllib.loads((project.root / "out/pyproject.toml").read_text())["tool"]["promptopt"]["providers"]
    assert table == {
        "groq-fast": {
            "type": "openai",
            "base_url": "https://api.groq.com/openai/v1",
            "api_key_env": "GROQ_API_KEY",
            "headers": {"A": "b"},
        }
    }


def test_a_prompt_of_code_is_not_written(project) -> None:
    project.write(
        {
            "c.yaml": "prompts: [file://p.py:f]\nproviders: [echo]\ntests: [{vars: {x: 1}}]\n",
            "p.py": "def f(context):\n    return 'x'\n",
        }
    )
    done = project.run("import", "c.yaml", "-o", "out")
    assert (done.returncode, "is written by code" in done.stderr) == (2, True)
    assert not (project.root / "out").exists()


OTHERWISE = """
prompts: ['{{ rows }} {{ sure }} for {{ who }}', 'Hi {{ who }}']
providers: [echo]
tests:
  - {vars: {rows: one, sure: text, who: Ann}}
  - {description: two, options: {disableVarExpansion: true}, vars: {rows: [a, b], sure: true, who: Bob}}
"""


def test_a_file_that_prints_something_else_than_promptfoo_is_named(project) -> None:
    project.write({"c.yaml": OTHERWISE})
    done = project.run("import", "c.yaml", "-o", "out")
    assert done.returncode == 0, done.stderr
    line, remedy = done.stderr.splitlines()
    found = "\"user: ['a', 'b'] True for Bob\", and promptfoo 'user: a,b true for Bob'"
    assert line == f"the file of the prompt 'prompt-1' prints {found}, in the test 'two'"
    assert "promptopt compare -c c.yaml" in remedy
    # Nobody is offered a gate for another text.
    project.write({"promptfooconfig.yaml": OTHERWISE})
    said = json.loads(project.run("init", "--json", "--no-ci", "--no-hook").stdout)
    assert "promptfooconfig.yaml" in [each["path"] for each in said["left_out"]]
    assert not any(each["path"].startswith("prompts/prompt-1") for each in said["files"])


@pytest.mark.parametrize("printed", ["env.PLACE", "env['PLACE']"])
def test_the_environment_of_the_config_goes_into_the_suite_and_that_of_the_machine_does_not(project, printed) -> None:
    text = f'prompts: ["In {{{{ {printed} }}}}: {{{{ x }}}}"]\nproviders: [echo]\ntests: [{{vars: {{x: 1}}}}]\n'
    project.write({"c.yaml": text + "env: {PLACE: Oslo}\n"})
    assert project.run("import", "c.yaml", "-o", "out").returncode == 0
    suite = "out/suites/c.yaml"
    run = project.run("compare", "out/prompts/prompt-1/v1.j2", "--suite", suite, "--record", "all", "-o", "r.csv")
    assert run.returncode == 0, run.stderr
    assert "In Oslo: 1" in (project.root / "r.csv").read_text()
    project.write({"c.yaml": text})
    refused = project.run("import", "c.yaml", "-o", "again")
    assert (refused.returncode, "prints env.PLACE, which the config does not set" in refused.stderr) == (2, True)
