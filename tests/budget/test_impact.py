"""What a branch changes in the bill, against the commit that it comes from."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from guarded_project import LONGER, RULES, STATIC, SUITE, commit, lock, make_gate, prompt_text, record
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from promptopt.budget.built_prompt import check_built, draft_built
from promptopt.budget.impact import Impact, PromptChange
from promptopt.budget.impact_report import impact_data, impact_lines, impact_markdown
from promptopt.budget.report import write_report
from promptopt.budget.update import write_locks

TEXT = prompt_text()
FRONT = TEXT.partition("{%")[0]


@pytest.fixture
def branch(locked: Any) -> Any:
    """The project ``triage``, locked and committed on main, with a branch checked out."""
    locked.git("init", "-qb", "main")
    commit(locked)
    locked.git("checkout", "-qb", "work")
    locked.write({"unrelated.txt": "x"})
    commit(locked)
    return locked


def impact() -> Impact:
    found = make_gate().impact()
    assert found is not None
    return found


def only() -> PromptChange:
    (change,) = impact().changes
    return change


def causes(change: PromptChange) -> list[tuple[str, str]]:
    return [(cause.name, cause.detail) for cause in change.causes]


def adds_up(change: PromptChange) -> bool:
    assert change.before is not None
    assert change.after is not None
    assert change.before.usd_call is not None
    assert change.after.usd_call is not None
    total = sum((cause.usd_call or Decimal(0) for cause in change.causes), Decimal(0))
    return abs(total - (change.after.usd_call - change.before.usd_call)) < Decimal("1e-15")


def test_a_branch_that_changes_no_prompt_changes_no_bill(branch: Any) -> None:
    assert impact() == Impact("main", ())
    assert list(impact_lines(impact())) == []
    assert impact_markdown(impact()) == ""


def test_on_the_main_branch_and_without_git_nothing_changes(locked: Any) -> None:
    assert make_gate().impact() is None
    locked.git("init", "-qb", "main")
    commit(locked)
    assert make_gate().impact() == Impact("main", ())


@pytest.mark.parametrize("committed", [False, True])
def test_an_accepted_raise_is_shown_with_its_reason(branch: Any, committed: bool) -> None:
    branch.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    lock("safer")
    if committed:
        commit(branch)
    change = only()
    assert change.before is not None
    assert change.after is not None
    assert (change.before.input, change.after.input) == (26, 42)
    assert causes(change) == [("input text", "+16 tokens")]
    assert change.reasons == ("safer",)
    # 16 tokens at $0.15 per million, 300,000 times.
    assert change.usd_month == Decimal("0.72")
    assert adds_up(change)
    assert list(impact_lines(impact()))[:2] == [
        "against main: 1 prompt changed, +$0.720 a month",
        "  triage  input 26 → 42 (+16, +61.5%), $0.0000399 → $0.0000423 per call, +$0.720 a month at 300,000 calls",
    ]


def test_a_new_version_is_compared_with_the_newest_on_the_base(branch: Any) -> None:
    branch.write({"prompts/triage/v2.j2": TEXT})
    assert impact().changes == ()
    branch.write({"prompts/triage/v2.j2": prompt_text(LONGER)})
    assert causes(only()) == [("input text", "+16 tokens")]


def test_a_base_whose_lock_is_out_of_date_is_counted_by_its_text(locked: Any) -> None:
    locked.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    locked.git("init", "-qb", "main")
    commit(locked)
    locked.git("checkout", "-qb", "work")
    locked.write({"prompts/triage/v1.j2": prompt_text(LONGER + LONGER)})
    change = only()
    assert change.before is not None
    assert change.before.input == 42
    assert causes(change) == [("input text", "+26 tokens")]


@pytest.mark.parametrize(
    ("old", "new", "name", "detail"),
    [
        ("gpt-4o-mini", "gpt-4o", "model", "gpt-4o-mini → gpt-4o"),
        (
            "max_output_tokens: 60",
            "max_output_tokens: 5000",
            "output",
            "60 (max_output_tokens) → 5,000 (max_output_tokens)",
        ),
        ("calls_per_month: 300000", "calls_per_month: 900000", "calls_per_month", "300,000 → 900,000"),
        ("---\n{%", "temperature: 0.5\n---\n{%", "parameters", "temperature not set → 0.5"),
    ],
)
def test_the_front_matter_is_a_cause(branch: Any, old: str, new: str, name: str, detail: str) -> None:
    branch.write({"prompts/triage/v1.j2": TEXT.replace(old, new)})
    change = only()
    assert causes(change) == [(name, detail)]
    assert adds_up(change)
    assert change.usd_month is not None
    assert (change.usd_month > 0) == (name != "parameters")


def test_what_a_setting_adds_is_unknown_without_answers_recorded_with_it(branch: Any) -> None:
    branch.write({"prompts/triage/v1.j2": TEXT.replace("gpt-4o-mini", "gpt-5\nreasoning_effort: low")})
    lock("another model")
    commit(branch)
    branch.git("branch", "-f", "main")
    branch.write({"prompts/triage/v1.j2": TEXT.replace("gpt-4o-mini", "gpt-5\nreasoning_effort: high")})
    assert causes(only()) == [("parameters", "reasoning_effort low → high")]
    assert (only().usd_month, impact().usd_month) == (None, None)
    record({"refund": "billing", "parcel": "delivery"})
    assert only().usd_month is not None


def test_prompts_with_one_text_that_are_renamed_together_are_each_renamed(branch: Any) -> None:
    branch.write({"prompts/desk/z.j2": TEXT, "prompts/desk/b.j2": TEXT.replace("You route", "You may route")})
    branch.write({"suites/desk/z.yaml": SUITE, "suites/desk/b.yaml": SUITE})
    lock()
    commit(branch)
    branch.git("branch", "-f", "main")
    branch.git("mv", "prompts/desk", "prompts/office")
    branch.git("mv", "suites/desk", "suites/office")
    assert impact().changes == ()


def test_a_base_that_cannot_be_read_is_named_by_its_commit(branch: Any) -> None:
    branch.write({"prompts/triage/v1.j2": TEXT.replace("gpt-4o-mini", "gpt-4o-mini\noutput_schema: gone.json")})
    commit(branch)
    branch.git("branch", "-f", "main")
    branch.write({"prompts/triage/v1.j2": TEXT})
    head = branch.git("rev-parse", "--short=10", "HEAD").strip()
    assert only().note.startswith(f"cannot be compared: {head}:prompts/triage/v1.j2:3: output_schema: the file")


def test_a_service_tier_is_a_cause_apart_from_the_price_table(branch: Any) -> None:
    plain = TEXT.replace("gpt-4o-mini", "o3")
    branch.write({"prompts/triage/v1.j2": plain})
    lock("another model")
    commit(branch)
    branch.git("checkout", "-qb", "tier")
    branch.git("branch", "-qf", "main")
    branch.write({"prompts/triage/v1.j2": plain.replace("model: o3", "model: o3\nservice_tier: priority")})
    expected = [("service tier", "standard → priority, $2, $8 → $3.5, $14 per million input, output")]
    for _ in range(2):
        change = only()
        assert causes(change) == expected
        assert adds_up(change)
        # The same after the branch has locked its rates.
        lock("answers must be fast")
    branch.git("commit", "-qam", "priority")
    branch.git("branch", "-qf", "main")
    branch.git("checkout", "-qb", "back")
    branch.write({"prompts/triage/v1.j2": plain})
    assert [name for name, _ in causes(only())] == ["service tier"]


def test_an_output_that_becomes_unknown_makes_dollars_unknown(branch: Any) -> None:
    branch.write({"prompts/triage/v1.j2": TEXT.replace("max_output_tokens: 60\n", "")})
    change = only()
    assert causes(change) == [("output", "60 (max_output_tokens) → unknown")]
    assert change.usd_month is None
    assert impact().usd_month is None
    assert "dollars a month unknown" in "\n".join(impact_lines(impact()))


def test_a_prompt_without_a_volume_has_no_dollars_a_month(branch: Any) -> None:
    branch.write({"prompts/triage/v1.j2": prompt_text(LONGER).replace("calls_per_month: 300000\n", "")})
    assert only().usd_month is None
    assert "no calls_per_month" in "\n".join(impact_lines(impact()))


def test_another_tokenizer_a_longer_text_and_another_price_are_three_causes(guarded: Any) -> None:
    text = prompt_text("Ответь вежливо, пожалуйста.\n")
    guarded.write({"prompts/triage/v1.j2": text})
    lock()
    guarded.git("init", "-qb", "main")
    commit(guarded)
    guarded.git("checkout", "-qb", "work")
    longer = text.replace("пожалуйста", "пожалуйста, кратко").replace("gpt-4o-mini", "gpt-3.5-turbo")
    guarded.write({"prompts/triage/v1.j2": longer})
    change = only()
    assert [name for name, _ in causes(change)] == ["input text", "tokenizer", "model"]
    assert adds_up(change)


SCHEMA = {
    "type": "object",
    "properties": {"team": {"type": "string"}},
    "required": ["team"],
    "additionalProperties": False,
}


def test_a_schema_file_is_a_cause_of_its_own(guarded: Any) -> None:
    guarded.write(
        {
            "prompts/answer.schema.json": json.dumps(SCHEMA),
            "prompts/triage/v1.j2": TEXT.replace("---\n{%", "output_schema: answer.schema.json\n---\n{%"),
        }
    )
    lock()
    guarded.git("init", "-qb", "main")
    commit(guarded)
    guarded.git("checkout", "-qb", "work")
    described = {**SCHEMA, "description": "The team that can help best with what the customer has written"}
    guarded.write({"prompts/answer.schema.json": json.dumps(described)})
    change = only()
    assert [name for name, _ in causes(change)] == ["schema"]
    assert adds_up(change)


def test_an_include_that_grew_changes_the_prompts_that_include_it(guarded: Any) -> None:
    other = TEXT.replace("RULES", "").replace(RULES, "Reply.\n")
    guarded.write(
        {
            "prompts/shared/rules.j2": RULES,
            "prompts/triage/v1.j2": TEXT.replace(RULES, "{% include 'shared/rules.j2' %}"),
            "prompts/reply/v1.j2": other,
            "suites/reply.yaml": SUITE,
        }
    )
    lock()
    guarded.git("init", "-qb", "main")
    commit(guarded)
    guarded.git("checkout", "-qb", "work")
    guarded.write({"prompts/shared/rules.j2": LONGER})
    change = only()
    assert (change.prompt, causes(change)) == ("triage", [("input text", "+16 tokens")])


def test_a_broken_prefix_is_a_cause_apart_from_the_text(guarded: Any) -> None:
    guarded.write({"prompts/triage/v1.j2": prompt_text(STATIC)})
    lock()
    guarded.git("init", "-qb", "main")
    commit(guarded)
    guarded.git("checkout", "-qb", "work")
    guarded.write({"prompts/triage/v1.j2": prompt_text("{{ ticket }}\n" + STATIC)})
    change = only()
    assert [name for name, _ in causes(change)] == ["input text", "cacheable prefix"]
    assert all(cause.usd_call is not None and cause.usd_call > 0 for cause in change.causes)
    assert adds_up(change)


def test_new_removed_and_renamed_prompts(branch: Any) -> None:
    branch.write({"prompts/reply/v1.j2": prompt_text(LONGER), "suites/reply.yaml": SUITE.replace("parcel", "letter")})
    branch.git("mv", "prompts/triage", "prompts/router")
    branch.git("mv", "suites/triage.yaml", "suites/router.yaml")
    branch.git("mv", "prompts/triage.lock.toml", "prompts/router.lock.toml")
    (branch.root / "prompts/router.lock.toml").unlink()
    # A new name alone costs nothing.
    assert [change.prompt for change in impact().changes] == ["reply"]
    branch.write({"prompts/router/v1.j2": prompt_text(LONGER)})
    found = {change.prompt: change.note for change in impact().changes}
    assert found == {"router": "renamed from triage", "reply": "new"}
    for path in ("prompts/router/v1.j2", "suites/router.yaml"):
        (branch.root / path).unlink()
    found = {change.prompt: change.note for change in impact().changes}
    assert found == {"triage": "removed, or not guarded any more", "reply": "new"}


def test_recorded_answers_are_not_compared_with_a_cap(locked: Any) -> None:
    record({"refund": "billing", "parcel": "delivery"})
    lock()
    locked.git("init", "-qb", "main")
    commit(locked)
    locked.git("checkout", "-qb", "work")
    locked.write({"prompts/triage/v2.j2": prompt_text()})
    assert impact().changes == ()
    locked.write({"prompts/triage/v2.j2": prompt_text().replace("max_output_tokens: 60", "max_output_tokens: 90")})
    assert causes(only()) == [("output", "60 (max_output_tokens) → 90 (max_output_tokens)")]


def test_a_price_that_the_branch_locked_is_its_change(branch: Any) -> None:
    own = '[tool.promptopt.prices."gpt-4o-mini"]\ninput_mtok = 99\noutput_mtok = 99\n'
    branch.write({"pyproject.toml": own})
    lock("our contract")
    change = only()
    assert [name for name, _ in causes(change)] == ["price table"]
    assert change.reasons == ("our contract",)
    assert adds_up(change)


def test_a_prompt_that_does_not_render_is_said_to_be_unknown(branch: Any) -> None:
    branch.write({"prompts/triage/v1.j2": prompt_text("{{ nobody }}\n")})
    change = only()
    assert change.note.startswith("cannot be compared: ")
    assert change.usd_month is None


def test_what_is_not_for_export_and_linked_files_are_on_the_base_too(guarded: Any) -> None:
    guarded.write({".gitattributes": "prompts export-ignore\n", "prompts/rules.j2": RULES})
    (guarded.root / "prompts/link.j2").symlink_to("rules.j2")
    guarded.write({"prompts/triage/v1.j2": TEXT.replace(RULES, "{% include 'link.j2' %}")})
    lock()
    guarded.git("init", "-qb", "main")
    commit(guarded)
    guarded.git("checkout", "-qb", "work")
    guarded.write({"prompts/rules.j2": LONGER})
    assert causes(only()) == [("input text", "+16 tokens")]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rules=st.sampled_from([RULES, LONGER, STATIC, "{{ ticket }}\n" + STATIC, "Hi.\n"]),
    model=st.sampled_from(["gpt-4o-mini", "gpt-4o", "gpt-4"]),
    cap=st.integers(1, 5000),
)
def test_causes_add_up_to_the_difference(branch: Any, rules: str, model: str, cap: int) -> None:
    text = prompt_text(rules).replace("gpt-4o-mini", model).replace("tokens: 60", f"tokens: {cap}")
    branch.write({"prompts/triage/v1.j2": text})
    assert all(adds_up(change) for change in impact().changes)


def test_names_and_reasons_are_data(branch: Any) -> None:
    branch.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    lock("x |\n::error::y\n`<img src=//evil>` @everyone")
    lines = list(impact_lines(impact()))
    assert [line for line in lines if not line.startswith(("against", " "))] == []
    table = impact_markdown(impact())
    row = table.splitlines()[-1]
    assert row.endswith("| `x \\| ::error::y '<img src=//evil>' @everyone` |")


@pytest.fixture
def actions(branch: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    files = {name: branch.root / f"{name}.txt" for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    for name, path in files.items():
        monkeypatch.setenv(name, str(path))
    return files


def outputs(actions: dict[str, Path]) -> dict[str, str]:
    return dict(line.split("=", 1) for line in actions["GITHUB_OUTPUT"].read_text().splitlines())


def report(kind: str, path: str) -> list[str]:
    gate = make_gate()
    return write_report(kind, Path(path), list(gate.check()), gate.impact())


def test_no_change_no_comment(branch: Any, actions: dict[str, Path]) -> None:
    (branch.root / "comment.md").write_text("of an earlier run")
    report("github", "comment.md")
    assert not (branch.root / "comment.md").exists()
    assert outputs(actions) == {"passed": "true", "delta_usd_month": "0.00", "comment": ""}
    assert "Prompt budget: passed" in actions["GITHUB_STEP_SUMMARY"].read_text()


def test_an_accepted_raise_is_commented_on(branch: Any, actions: dict[str, Path]) -> None:
    branch.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    lock("safer")
    report("github", "comment.md")
    assert "| `triage` | 26 → 42 (+16, +61.5%) |" in (branch.root / "comment.md").read_text()
    assert outputs(actions) == {"passed": "true", "delta_usd_month": "0.72", "comment": "comment.md"}


def test_the_json_has_the_impact(branch: Any) -> None:
    branch.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    report("json", "r.json")
    data = json.loads((branch.root / "r.json").read_text())["impact"]
    assert data == json.loads(json.dumps(impact_data(impact())))
    assert (data["against"], data["usd_month"], data["prompts"][0]["before"]["input"]) == ("main", "0.72", 26)


def test_sarif_and_code_quality_name_files_from_the_root_of_the_repository(locked: Any) -> None:
    root = locked.root
    (root / "packages").mkdir()
    for name in ("prompts", "suites", "pyproject.toml"):
        (root / name).rename(root / "packages" / name)
    locked.git("init", "-qb", "main")
    commit(locked)
    locked.write({"packages/prompts/triage/v1.j2": prompt_text(LONGER)})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root / "packages")
        report("sarif", str(root / "s.json"))
        report("gitlab", str(root / "g.json"))
    sarif = json.loads((root / "s.json").read_text())
    (run,) = sarif["runs"]
    assert sarif["version"] == "2.1.0"
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == {each["ruleId"] for each in run["results"]}
    places = [each["locations"][0]["physicalLocation"] for each in run["results"] if each["ruleId"] == "regressed"]
    assert {place["artifactLocation"]["uri"] for place in places} == {"packages/prompts/triage/v1.j2"}
    assert all(place["region"]["startLine"] == 9 for place in places)
    quality = json.loads((root / "g.json").read_text())
    assert {each["location"]["path"] for each in quality} == {"packages/prompts/triage/v1.j2"}
    assert {each["severity"] for each in quality} == {"major"}
    # The same finding keeps its fingerprint, whatever its numbers are.
    assert len({each["fingerprint"] for each in quality}) == len(quality)


def test_a_suite_with_other_cases_throughout_compares_the_texts(branch: Any) -> None:
    cases = (
        SUITE.replace("refund", "one").replace("parcel", "two").replace("Where is", "Who has").replace("back", "now")
    )
    branch.write({"suites/triage.yaml": cases})
    assert impact().changes == ()
    branch.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    assert causes(only()) == [("input text", "+16 tokens")]


def test_an_empty_base_has_no_prompt(project: Any) -> None:
    project.write({"readme.txt": "x"})
    (project.root / "pyproject.toml").unlink()
    project.git("init", "-qb", "main")
    commit(project)
    project.git("checkout", "-qb", "work")
    project.write({"pyproject.toml": "", "prompts/triage/v1.j2": prompt_text(), "suites/triage.yaml": SUITE})
    change = only()
    assert (change.note, change.usd_month) == ("new", change.after and change.after.usd_month)
    assert change.usd_month is not None
    assert change.usd_month > 0


def test_diff_takes_a_reference_and_prompts(branch: Any) -> None:
    branch.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    lock("safer")
    commit(branch)
    for arguments in (["main"], ["--against", "main"], ["main", "triage"], ["HEAD~1"]):
        done = branch.run("budget", "diff", *arguments)
        assert (done.returncode, "input 26 → 42" in done.stdout, "reason: safer" in done.stdout) == (0, True, True)
    assert branch.run("budget", "diff", "HEAD").stdout == "against HEAD: no prompt changed\n"
    assert branch.run("budget", "diff").stdout == "0 of 2 cases changed\n"
    wrong = branch.run("budget", "diff", "triagge")
    assert (wrong.returncode, "Did you mean 'triage'?" in wrong.stderr) == (2, True)


def test_a_prompt_that_a_program_builds_is_compared_by_its_locks(branch: Any) -> None:
    def write(text: str, reason: str = "", **options: Any) -> None:
        gate = make_gate()
        built = check_built(gate, "chat", "ann", text, options.get("model", "gpt-4o-mini"), 60, {})
        write_locks(draft_built(gate, [built], reason, trim=False), reason)

    write("Be kind to everybody.")
    change = only()
    assert (change.prompt, change.note, change.before) == ("chat", "new", None)
    branch.git("checkout", "-qB", "main")
    commit(branch)
    branch.git("checkout", "-qb", "more")
    write("Be kind to everybody, always.", "politer", model="gpt-4o")
    change = only()
    assert causes(change) == [("input text", "+2 tokens"), ("model", "gpt-4o-mini → gpt-4o")]
    assert (change.reasons, adds_up(change)) == (("politer",), True)
    (branch.root / "prompts/chat.lock.toml").unlink()
    assert only().note == "removed"


def test_an_image_is_a_cause_of_its_own(branch: Any) -> None:
    picture = branch.root / "prompts/triage/map.png"
    Image.new("RGB", (400, 400), "white").save(picture)
    with_picture = prompt_text().replace("{{ ticket }}", '{{ ticket }}{% image "map.png" %}')
    branch.git("checkout", "-q", "main")
    branch.write({"prompts/triage/v1.j2": with_picture})
    lock("a map")
    commit(branch)
    branch.git("checkout", "-qB", "work")
    branch.write({"prompts/triage/v1.j2": with_picture.replace("Never", "Never ever")})
    Image.new("RGB", (1600, 1200), "white").save(picture)
    change = only()
    assert [name for name, _ in causes(change)] == ["media", "input text"]
    assert causes(change)[1] == ("input text", "+1 tokens")
    assert adds_up(change)
    branch.write({"prompts/triage/v1.j2": prompt_text()})
    assert causes(only())[0] == ("media", "-8,500 tokens")
