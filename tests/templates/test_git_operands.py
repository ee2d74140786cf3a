"""Prompts out of git: `HEAD~1:prompts/reviews/v1.j2`."""

import subprocess
from pathlib import PurePosixPath

import pytest

from promptopt import load_prompt
from promptopt.errors import SchemaError, TemplateError

PATH = "prompts/reviews/v1.j2"
SCHEMA = '{"type": "object", "properties": {"a": {"type": "%s"}}, "required": ["a"], "additionalProperties": false}'


@pytest.fixture
def repository(project):
    """Two commits; the prompt, its include and its schema differ between them."""
    project.git("init", "-q", "-b", "main")
    for word, kind in (("old", "string"), ("new", "integer")):
        project.write(
            {
                PATH: f"---\noutput_schema: answer.json\n---\n{{% include 'parts/rule.j2' %}} {word} {{{{ review }}}}",
                "prompts/reviews/answer.json": SCHEMA % kind,
                "prompts/parts/rule.j2": f"{word} rule",
            }
        )
        project.git("add", ".")
        project.git("commit", "-q", "-m", word)
    project.write({PATH: "working tree", "prompts/parts/rule.j2": "working rule"})
    return project


@pytest.mark.parametrize(("reference", "word", "kind"), [("HEAD~1", "old", "string"), ("HEAD", "new", "integer")])
def test_prompt_include_and_schema_are_those_of_the_commit(repository, reference: str, word: str, kind: str) -> None:
    rendered = load_prompt(f"{reference}:{PATH}").render({"review": "R"})
    assert rendered.text == f"{word} rule {word} R"
    assert rendered.output_schema["properties"] == {"a": {"type": kind}}
    commit = repository.git("rev-parse", reference).strip()
    assert (rendered.origin.prompt, rendered.origin.version) == ("reviews", f"v1@{commit[:10]}")


def test_branches_tags_and_hashes_are_references(repository) -> None:
    repository.git("tag", "before", "HEAD~1")
    commit = repository.git("rev-parse", "HEAD~1").strip()
    for reference in ("before", commit, commit[:12], "main~1", "main^"):
        assert load_prompt(f"{reference}:{PATH}").render({"review": ""}).text.startswith("old")


def test_a_new_commit_is_seen(repository) -> None:
    before = load_prompt(f"HEAD:{PATH}").render({"review": ""}).text
    repository.git("commit", "-q", "-a", "-m", "third")
    assert before.startswith("new")
    assert load_prompt(f"HEAD:{PATH}").render({}).text == "working tree"


def test_a_prompt_that_is_gone_from_the_working_tree_is_still_in_git(repository) -> None:
    import shutil

    shutil.rmtree(repository.root / "prompts")
    assert load_prompt(f"HEAD:{PATH}").render({"review": "R"}).text == "new rule new R"


def test_an_error_in_an_old_template_names_the_reference(repository) -> None:
    with pytest.raises(TemplateError, match=rf"^HEAD~1:{PATH}:4: the variable 'review' is undefined"):
        load_prompt(f"HEAD~1:{PATH}").render({})


def test_the_same_from_a_folder_below(repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository.root / "prompts")
    assert load_prompt("HEAD~1:reviews/v1.j2").render({"review": "R"}).text == "old rule old R"
    # As git names it, from anywhere in the repository.
    assert load_prompt(f"HEAD~1:{PATH}").render({"review": "R"}).text == "old rule old R"
    with pytest.raises(TemplateError, match=r"prompts/none\.j2 does not exist at HEAD~1"):
        load_prompt("HEAD~1:./none.j2")


@pytest.mark.parametrize(
    ("operand", "message"),
    [
        (f"nowhere:{PATH}", r"git knows no commit 'nowhere' in .*\n  see `git log`; a shallow clone"),
        (f"HEAD~9:{PATH}", "git knows no commit 'HEAD~9'"),
        (f"--help:{PATH}", "git knows no commit '--help'"),
        ("HEAD:prompts/other/v1.j2", r"prompts/other/v1\.j2 does not exist at HEAD\n  see: git ls-tree"),
        ("HEAD:prompts/reviews", "prompts/reviews does not exist at HEAD"),
        ("HEAD:../outside.j2", "outside|not in a git repository"),
    ],
)
def test_what_git_does_not_have_is_an_error_with_a_remedy(repository, operand: str, message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        load_prompt(operand)


def test_a_schema_that_the_commit_does_not_have_is_an_error(repository) -> None:
    repository.write({PATH: "---\noutput_schema: other.json\n---\nx"})
    repository.git("commit", "-q", "-a", "-m", "broken")
    repository.write({"prompts/reviews/other.json": SCHEMA % "string"})
    with pytest.raises(TemplateError, match=rf"^HEAD:{PATH}:2: output_schema: the file 'other\.json' does not exist"):
        load_prompt(f"HEAD:{PATH}")


def test_a_schema_of_the_commit_that_is_broken_is_named_with_the_reference(repository) -> None:
    repository.git("checkout", "-q", "--", PATH)
    repository.write({"prompts/reviews/answer.json": "{"})
    repository.git("commit", "-q", "-a", "-m", "broken")
    with pytest.raises(SchemaError, match=r"^HEAD:prompts/reviews/answer\.json:\d+: is not JSON"):
        load_prompt(f"HEAD:{PATH}")


def test_outside_a_repository_it_is_said_so(project) -> None:
    with pytest.raises(TemplateError, match="is not in a git repository"):
        load_prompt(f"HEAD:{PATH}")


def test_a_file_whose_name_holds_a_colon_is_a_file(project) -> None:
    project.write({"a:b.j2": "x"})
    assert load_prompt("a:b.j2").render({}).text == "x"


def test_many_prompts_of_a_commit_take_few_processes(repository, monkeypatch) -> None:
    """A red budget of 300 prompts asks for the text of each; one git for each takes longer than all else."""
    prompts = {f"prompts/many/p{n}.j2": f"Grüße {n} {{{{ x }}}}" for n in range(30)}
    large = "prompts/many/large.j2"
    repository.write({**prompts, large: "x" * (1 << 20) + "y"})
    repository.git("add", ".")
    repository.git("commit", "-q", "-m", "many")
    commit = repository.git("rev-parse", "HEAD").strip()
    calls = []
    real = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda *given, **options: calls.append(given) or real(*given, **options))
    for number, path in enumerate(prompts):
        assert load_prompt(f"{commit}:{path}").render({"x": "X"}).text == f"Grüße {number} X"
    assert len(calls) <= 10
    # What is not read together, and what is not there, is asked for alone.
    assert load_prompt(f"{commit}:{large}").source.endswith("xy")
    with pytest.raises(TemplateError, match="does not exist"):
        load_prompt(f"{commit}:prompts/many/none.j2")


def test_files_that_a_commit_does_not_have_take_few_processes(repository, monkeypatch) -> None:
    """Answers are out of the prompts folder, and most prompts have none at the base."""
    repository.write({"prompts/few.j2": "x", "suites/recordings/grüße.jsonl": "{}\n"})
    repository.git("add", ".")
    repository.git("commit", "-q", "-m", "few")
    commit = repository.git("rev-parse", "HEAD").strip()
    reader = load_prompt(f"{commit}:prompts/few.j2").reader
    calls = []
    real = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda *given, **options: calls.append(given) or real(*given, **options))
    for number in range(30):
        with pytest.raises(FileNotFoundError, match=rf"suites/recordings/p{number}\.jsonl does not exist at {commit}"):
            reader.show(PurePosixPath(f"suites/recordings/p{number}.jsonl"), "shown")
    assert len(calls) <= 10
    assert reader.show(PurePosixPath("suites/recordings/grüße.jsonl"), "shown") == "{}\n"
