"""From what a user types to a prompt: names, versions, paths."""

import os
from pathlib import Path

import pytest

from promptopt import list_prompts, load_prompt
from promptopt.errors import TemplateError
from promptopt.templates.names import origin_of
from promptopt.values import Origin


@pytest.fixture
def prompts(project):
    project.write(
        {
            **{f"prompts/triage/v{number}.j2": f"version {number}" for number in (1, 2, 9, 10)},
            "prompts/greet.j2": "Hello {{ name }}",
            "prompts/mail/reply/v1.j2": "Reply",
            "prompts/notes.md": "not a prompt",
        }
    )
    return project


def test_versions_sort_by_number(prompts) -> None:
    found = {prompt.name: [version for version, _ in prompt.versions] for prompt in list_prompts()}
    assert found == {"greet": [""], "mail/reply": ["v1"], "triage": ["v1", "v2", "v9", "v10"]}


@pytest.mark.parametrize(
    ("operand", "text", "origin"),
    [
        ("triage", "version 10", Origin("triage", "v10")),
        ("triage@v2", "version 2", Origin("triage", "v2")),
        ("prompts/triage/v9.j2", "version 9", Origin("triage", "v9")),
        (Path("prompts/triage/v9.j2"), "version 9", Origin("triage", "v9")),
        ("greet", "Hello Ada", Origin("greet")),
        ("mail/reply", "Reply", Origin("mail/reply", "v1")),
        ("mail/reply@v1", "Reply", Origin("mail/reply", "v1")),
    ],
)
def test_a_prompt_is_found_by_name_version_or_path(prompts, operand: str, text: str, origin: Origin) -> None:
    rendered = load_prompt(operand).render({"name": "Ada"})
    assert (rendered.text, rendered.origin) == (text, origin)


def test_an_absolute_path_is_the_same_prompt(prompts) -> None:
    assert load_prompt(prompts.root / "prompts/triage/v1.j2").origin == Origin("triage", "v1")


def test_a_file_outside_the_prompts_folder_is_named_by_its_path(prompts) -> None:
    prompts.write({"drafts/new.j2": "x", "drafts/old/v3.j2": "y"})
    assert load_prompt("drafts/new.j2").origin == Origin("drafts/new")
    assert load_prompt("drafts/old/v3.j2").origin == Origin("drafts/old", "v3")
    assert load_prompt("drafts/new.j2").path == "drafts/new.j2"


def test_a_file_far_away_is_named_by_its_name(prompts, tmp_path_factory: pytest.TempPathFactory) -> None:
    far = tmp_path_factory.mktemp("far") / "x.j2"
    far.write_text("far")
    assert load_prompt(far).origin == Origin("x")
    assert origin_of(far, prompts.root / "prompts") == Origin("x")


def test_a_version_in_the_current_folder_is_a_file_without_versions(project) -> None:
    project.write({"v1.j2": "x"})
    assert load_prompt("v1.j2").origin == Origin("v1")


def test_the_prompts_folder_is_the_configured_one(project) -> None:
    project.write({"pyproject.toml": "[tool.promptopt]\nprompts = 'src/texts'\n", "src/texts/a/v1.j2": "x"})
    assert load_prompt("a").path == "src/texts/a/v1.j2"


def test_a_prompt_is_read_again_when_it_has_changed(project) -> None:
    for second, text in enumerate(("one", "two")):
        project.write({"prompts/a.j2": text})
        os.utime(project.root / "prompts/a.j2", (second, second))
        assert load_prompt("a").render({}).text == text


@pytest.mark.parametrize(
    ("operand", "message"),
    [
        ("triag", r"no prompt 'triag'\. Did you mean 'triage'\?\n  prompts in prompts: greet, mail/reply, triage"),
        ("nothing", r"no prompt 'nothing'\.\n  prompts in prompts: greet"),
        ("triage@v3", r"'triage' has no version 'v3'; it has v1, v2, v9, v10"),
        ("prompts/triage/v3.j2", r"no prompt 'prompts/triage/v3\.j2'\. Did you mean 'prompts/triage/v"),
        ("prompts/triage", r"no prompt 'prompts/triage'"),
        ("prompts/gret.j2", r"Did you mean 'prompts/greet\.j2'"),
        ("triage/v1.j2/x.j2", r"no prompt 'triage/v1\.j2/x\.j2'"),
        ("", r"no prompt"),
    ],
)
def test_a_prompt_that_does_not_exist_is_an_error_with_close_names(prompts, operand: str, message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        load_prompt(operand)


def test_without_a_prompts_folder_there_are_no_prompts(project) -> None:
    assert list_prompts() == []
    with pytest.raises(TemplateError, match="no prompt 'x'"):
        load_prompt("x")


def test_a_folder_that_ends_like_a_prompt_is_an_error(project) -> None:
    project.write({"prompts/a.j2/x.txt": ""})
    with pytest.raises(TemplateError, match=r"prompts/a\.j2: cannot be read: Is a directory"):
        load_prompt("prompts/a.j2")


def test_a_prompt_that_is_not_utf_8_is_refused_with_its_line(project) -> None:
    project.write({"prompts/a.j2": b"one\ncaf\xe9\n"})
    with pytest.raises(TemplateError, match=r"^prompts/a\.j2:2: is not UTF-8: byte 0xe9"):
        load_prompt("a")


def test_a_changed_include_is_seen_in_the_same_process(project) -> None:
    project.write({"prompts/a.j2": "{% include 'part.j2' %}", "prompts/part.j2": "one"})
    assert load_prompt("a").render({}).text == "one"
    assert load_prompt("a") is load_prompt("a")
    project.write({"prompts/part.j2": "two"})
    os.utime(project.root / "prompts/part.j2", ns=(1, 1))
    assert load_prompt("a").render({}).text == "two"
