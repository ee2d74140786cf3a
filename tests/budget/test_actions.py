"""The actions, the hook and the workflows of the docs, run as their services run them."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from guarded_project import LONGER, commit, lock, prompt_text

from promptopt.budget.report import MARKER

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="the actions are scripts for bash")


@pytest.fixture
def actions(repository: Path) -> Path:
    return repository / ".github" / "actions"


def steps(action: Path) -> list[dict[str, Any]]:
    return yaml.safe_load((action / "action.yml").read_text())["runs"]["steps"]


class Runner:
    """Runs the check of the action prompt-budget in a project, as GitHub's runner does."""

    def __init__(self, action: Path, project: Any, temporary: Path) -> None:
        (self.step,) = (step for step in steps(action) if step.get("id") == "check")
        self.script = temporary / "step.sh"
        self.script.write_text(self.step["run"])
        self.project = project
        self.output = temporary / "output"
        self.output.touch()

    def run(self, folder: Path | None = None, path: str = "", **given: str) -> subprocess.CompletedProcess[str]:
        defaults = dict.fromkeys(self.step["env"], "") | {"COMMAND": "promptopt", "COMMENT": "comment.md"}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}
        environment = {
            **kept,
            "PATH": f"{path or Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "GITHUB_OUTPUT": str(self.output),
            "CI": "true",
            **defaults,
            **given,
        }
        # As https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idstepsshell says.
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(self.script)]
        where = folder or self.project.root
        return subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, check=False)

    @property
    def outputs(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.output.read_text().splitlines())


@pytest.fixture
def runner(actions: Path, locked: Any, tmp_path_factory: Any) -> Runner:
    locked.git("init", "-qb", "main")
    commit(locked)
    return Runner(actions / "prompt-budget", locked, tmp_path_factory.mktemp("runner"))


def pull_request(project: Any, folder: Path, *, commits: int = 30) -> Path:
    """A clone as actions/checkout makes it: one commit, the merge of a branch into main."""
    project.git("checkout", "-qb", "work")
    project.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    lock("safer")
    commit(project)
    project.git("checkout", "-q", "main")
    for number in range(commits):
        project.write({"unrelated.txt": str(number)})
        commit(project)
    project.git("checkout", "-q", "--detach")
    project.git("merge", "-q", "work", "-m", "merge")
    project.git("update-ref", "refs/pull/7/merge", "HEAD")
    project.git("checkout", "-q", "main")
    clone = folder / "checkout"
    clone.mkdir()
    address = f"file://{project.root}"
    for arguments in (
        ["init", "-q"],
        ["remote", "add", "origin", address],
        ["fetch", "-q", "--no-tags", "--depth=1", "origin", "+refs/pull/7/merge:refs/remotes/pull/7/merge"],
        ["checkout", "-q", "refs/remotes/pull/7/merge"],
    ):
        subprocess.run(["git", *arguments], cwd=clone, check=True, capture_output=True)
    return clone


def test_a_shallow_checkout_of_a_pull_request_is_enough(runner: Runner, tmp_path_factory: Any) -> None:
    clone = pull_request(runner.project, tmp_path_factory.mktemp("clone"))
    done = runner.run(clone, GITHUB_BASE_REF="main", GITHUB_WORKSPACE=str(clone))
    assert (done.returncode, done.stderr) == (0, "")
    assert "against origin/main: 1 prompt changed, +$0.720 a month" in done.stdout
    assert runner.outputs == {"passed": "true", "delta_usd_month": "0.72", "comment": f"{clone}/comment.md"}
    assert "| `safer` |" in (clone / "comment.md").read_text()
    count = subprocess.run(
        ["git", "rev-list", "--count", "--all"], cwd=clone, capture_output=True, text=True, check=True
    )
    # The merge and its two parents, not the thirty commits of main.
    assert int(count.stdout) < 10


@pytest.mark.parametrize("distance", [0, 3, 60])
def test_a_branch_is_fetched_until_it_meets_the_base(runner: Runner, tmp_path_factory: Any, distance: int) -> None:
    project = runner.project
    project.git("checkout", "-qb", "work")
    for number in range(distance):
        project.write({"work.txt": str(number)})
        commit(project)
    project.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    commit(project)
    clone = tmp_path_factory.mktemp("clone") / "checkout"
    command = ["git", "clone", "-q", "--depth=1", "--branch=work", f"file://{project.root}", str(clone)]
    subprocess.run(command, check=True)
    done = runner.run(clone, AGAINST="origin/main")
    assert done.returncode == 1
    assert "FAIL triage [refund]" in done.stdout
    assert "from this branch +16 · already on origin/main +0" in done.stdout
    assert runner.outputs["passed"] == "false"
    assert runner.outputs["delta_usd_month"] == "0.72"


def test_without_a_base_no_history_is_needed(runner: Runner, tmp_path_factory: Any) -> None:
    clone = tmp_path_factory.mktemp("clone") / "checkout"
    subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{runner.project.root}", str(clone)], check=True)
    shutil.rmtree(runner.project.root / ".git")
    done = runner.run(clone)
    assert (done.returncode, runner.outputs["passed"], runner.outputs["comment"]) == (0, "true", "")
    assert not (clone / "comment.md").exists()


def test_a_base_that_cannot_be_fetched_is_said_and_the_gate_still_runs(runner: Runner) -> None:
    runner.project.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    done = runner.run(GITHUB_BASE_REF="gone")
    assert done.returncode == 1
    assert "::warning title=prompt budget::the base of the pull request cannot be fetched" in done.stdout
    asked = runner.run(AGAINST="origin/gone")
    assert asked.returncode == 2
    assert "::error title=prompt budget::the input against cannot be fetched" in asked.stdout


def test_a_fetch_touches_no_branch_of_the_user(runner: Runner, tmp_path_factory: Any) -> None:
    project = runner.project
    clone = tmp_path_factory.mktemp("clone") / "checkout"
    subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{project.root}", str(clone)], check=True)
    project.write({"unrelated.txt": "x"})
    commit(project)
    before = subprocess.run(["git", "rev-parse", "main"], cwd=clone, capture_output=True, check=True).stdout
    done = subprocess.run(
        [sys.executable, "-m", "promptopt", "budget", "fetch", "main"],
        cwd=clone,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "main: nothing to fetch\n")
    assert subprocess.run(["git", "rev-parse", "main"], cwd=clone, capture_output=True, check=True).stdout == before


def test_a_drift_fetches_the_days_that_it_looks_back_to(
    runner: Runner, tmp_path_factory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = runner.project
    project.write({"pyproject.toml": '[tool.promptopt.budget]\ndrift = "20% / 90d"\n'})
    for month, words in ((5, 0), (7, 1), (9, 2), (10, 3)):
        for name in ("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"):
            monkeypatch.setenv(name, f"2027-{month:02}-01T12:00:00+00:00")
        project.write({"prompts/triage/v1.j2": prompt_text("Be kind. " * (words + 1) + "\n")})
        lock("kinder")
        commit(project)
    clone = tmp_path_factory.mktemp("clone") / "checkout"
    subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{project.root}", str(clone)], check=True)
    run = lambda *arguments: subprocess.run(  # noqa: E731 - three lines less
        [sys.executable, "-m", "promptopt", "budget", *arguments],
        cwd=clone,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "drift: not assessable" in run("check").stdout
    assert "fetched the commits of the last 90 days" in run("fetch").stdout
    done = run("check")
    assert done.returncode == 1
    assert "FAIL triage  drift: input" in done.stdout
    assert "since 2027-07-01, in 2 changes of the lock" in done.stdout


def test_pytest_as_the_command(runner: Runner) -> None:
    runner.project.write({"prompts/triage/v1.j2": prompt_text(LONGER)})
    done = runner.run(COMMAND="pytest")
    assert done.returncode == 1
    assert runner.outputs == {
        "passed": "false",
        "delta_usd_month": "0.72",
        "comment": str(runner.project.root / "comment.md"),
    }


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("pytest", "pytest, which is not installed here"),
        ("promptopt", "promptopt is not installed here"),
        ("ruff", "neither"),
    ],
)
def test_what_is_missing_is_not_a_regression(runner: Runner, tmp_path: Path, command: str, said: str) -> None:
    bare = tmp_path / "bin"
    bare.mkdir()
    # A Python without any package.
    (bare / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" -S -E "$@"\n')
    (bare / "python").chmod(0o755)
    done = runner.run(COMMAND=command, path=str(bare))
    assert done.returncode == 2
    assert "::error title=prompt budget::" in done.stdout
    assert said in done.stdout
    assert runner.outputs == {"passed": "false", "delta_usd_month": "unknown", "comment": ""}


def test_input_that_cannot_be_used_has_not_passed(runner: Runner) -> None:
    path = runner.project.root / "prompts/triage.lock.toml"
    path.write_text(path.read_text().replace("input = 26", "input = 9"))
    done = runner.run()
    assert done.returncode == 2
    assert runner.outputs["passed"] == "false"


def test_a_project_in_a_folder_writes_its_comment_at_the_root(actions: Path, runner: Runner) -> None:
    root = runner.project.root
    (root / "packages").mkdir()
    for name in ("prompts", "suites", "pyproject.toml"):
        runner.project.git("mv", name, f"packages/{name}")
    runner.project.write({"packages/prompts/triage/v1.j2": prompt_text(LONGER)})
    assert runner.step["working-directory"] == "${{ inputs.working-directory }}"
    done = runner.run(root / "packages", GITHUB_WORKSPACE=str(root), SARIF="out/budget.sarif")
    assert done.returncode == 1
    assert (root / "comment.md").is_file()
    sarif = json.loads((root / "out/budget.sarif").read_text())
    places = {
        each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for each in sarif["runs"][0]["results"]
    }
    assert places == {"packages/prompts/triage/v1.j2"}
    direct = runner.project.run("budget", "check", "-C", "packages")
    assert (direct.returncode, "FAIL triage [refund]" in direct.stdout) == (1, True)


def test_inputs_are_only_environment(actions: Path) -> None:
    for action in actions.iterdir():
        read = yaml.safe_load((action / "action.yml").read_text())
        for step in read["runs"]["steps"]:
            # An expression in a script would be run as code, whatever the branch of a fork is called.
            assert "${{" not in step.get("run", "")
        used = set(re.findall(r"inputs\.([\w-]+)", (action / "action.yml").read_text()))
        assert used == set(read["inputs"])


class GitHub:
    """What of GitHub's API the comment needs, over HTTP."""

    def __init__(self) -> None:
        self.pulls: list[dict[str, Any]] = []
        self.comments: list[dict[str, Any]] = []
        self.status = 200

    def answer(self, method: str, path: str, data: Any) -> Any:
        url = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if method == "GET" and url.path == "/repos/o/r/pulls":
            return [pull for pull in self.pulls if pull["head"]["label"] == query["head"]]
        if method == "GET" and url.path == "/repos/o/r/issues/7/comments":
            start = (int(query["page"]) - 1) * int(query["per_page"])
            return self.comments[start : start + int(query["per_page"])]
        if method == "POST" and url.path == "/repos/o/r/issues/7/comments":
            self.comments.append({"id": len(self.comments), "user": {"type": "Bot"}, **data})
            return self.comments[-1]
        if method == "PATCH" and url.path.startswith("/repos/o/r/issues/comments/"):
            self.comments[int(url.path.rpartition("/")[2])].update(data)
            return data
        raise AssertionError(f"{method} {path}")


@pytest.fixture
def github() -> Iterator[tuple[GitHub, str]]:
    served = GitHub()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            data = json.loads(self.rfile.read(int(self.headers["content-length"] or 0)) or "null")
            body = json.dumps(served.answer(self.command, self.path, data)).encode()
            self.send_response(served.status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def do_PATCH(self) -> None:
            self._serve()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield served, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


class Commenter:
    def __init__(self, script: Path, github: tuple[GitHub, str], folder: Path) -> None:
        self.github, self.url = github
        self.script, self.folder = script, folder
        self.bodies = folder / "bodies"
        self.bodies.mkdir()
        self.github.pulls = [{"number": 7, "head": {"label": "fork:work", "sha": "abc"}}]

    def run(self, body: str | None, sha: str = "abc", conclusion: str = "success") -> subprocess.CompletedProcess[str]:
        file = self.bodies / "prompt-budget.md"
        file.unlink(missing_ok=True)
        if body is not None:
            file.write_text(body)
        run = {
            "head_sha": sha,
            "head_branch": "work",
            "head_repository": {"owner": {"login": "fork"}},
            "conclusion": conclusion,
        }
        event = self.folder / "event.json"
        event.write_text(json.dumps({"workflow_run": run}))
        environment = {
            **os.environ,
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_API_URL": self.url,
            "GITHUB_REPOSITORY": "o/r",
            "GITHUB_TOKEN": "t",
            "BODIES": str(self.bodies),
        }
        command = [sys.executable, "-I", str(self.script)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    @property
    def texts(self) -> list[str]:
        return [comment["body"] for comment in self.github.comments]


@pytest.fixture
def commenter(actions: Path, github: tuple[GitHub, str], tmp_path: Path) -> Commenter:
    return Commenter(actions / "prompt-budget-comment" / "comment.py", github, tmp_path)


def test_the_comment_is_found_by_what_the_report_begins_with(actions: Path) -> None:
    assert f"MARKER = {json.dumps(MARKER)}" in (actions / "prompt-budget-comment" / "comment.py").read_text()


def test_one_comment_is_written_updated_and_taken_back(commenter: Commenter) -> None:
    commenter.github.comments = [
        {"id": number, "user": {"type": "User"}, "body": f"{MARKER} of a person"} for number in range(120)
    ]
    assert commenter.run(f"{MARKER}\nfirst").returncode == 0
    assert commenter.run(f"{MARKER}\nsecond").returncode == 0
    assert commenter.texts[120:] == [f"{MARKER}\nsecond"]
    # A run that crashed says nothing about the prompts.
    commenter.run(None, conclusion="failure")
    assert commenter.texts[120:] == [f"{MARKER}\nsecond"]
    commenter.run(None)
    assert "no longer changes what a prompt costs" in commenter.texts[120]
    assert all(text.endswith("of a person") for text in commenter.texts[:120])


def test_without_a_change_nothing_is_commented(commenter: Commenter) -> None:
    assert commenter.run(None).returncode == 0
    assert commenter.texts == []


def test_a_run_of_an_older_commit_comments_nothing(commenter: Commenter) -> None:
    done = commenter.run(f"{MARKER}\nold", sha="older")
    assert (done.returncode, commenter.texts) == (0, [])
    assert "no open pull request" in done.stdout


def test_the_body_of_a_fork_is_only_text(commenter: Commenter) -> None:
    done = commenter.run(f"{MARKER}\n@maintainers $(touch /x) " + "y" * 80_000)
    assert done.returncode == 0
    (text,) = commenter.texts
    assert "@maintainers" not in text
    assert "$(touch /x)" in text
    assert len(text) < 65_536
    assert commenter.run("Buy now").returncode == 1
    assert commenter.texts == [text]


def test_a_token_without_rights_is_explained(commenter: Commenter) -> None:
    commenter.github.status = 403
    done = commenter.run(f"{MARKER}\nfirst")
    assert done.returncode == 1
    assert "pull-requests: write" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def hooked(locked: Any, repository: Path) -> Any:
    """A project whose commits run the hook, by the real pre-commit, with the promptopt of this environment."""
    if find_spec("pre_commit") is None:
        pytest.skip("pre-commit is not installed")
    (hook,) = yaml.safe_load((repository / ".pre-commit-hooks.yaml").read_text())
    # Its own environment would have to be installed; `system` takes the command from the path.
    local = {"repo": "local", "hooks": [{**hook, "language": "system"}]}
    locked.write({".pre-commit-config.yaml": yaml.safe_dump({"repos": [local]})})
    locked.git("init", "-qb", "main")
    commit(locked)
    return locked


def run_hook(project: Any) -> subprocess.CompletedProcess[str]:
    """What `git commit` runs."""
    project.git("add", "-A")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PRE_COMMIT_HOME": str(project.root / ".cache"),
    }
    command = [sys.executable, "-m", "pre_commit", "run", "--color=never"]
    return subprocess.run(command, cwd=project.root, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("change", ["schema", "suite", "lock", "settings", "configured folder"])
def test_the_hook_runs_whatever_is_committed(hooked: Any, change: str) -> None:
    if change == "schema":
        schema = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
        text = prompt_text().replace("---\n{%", "output_schema: answer.json\n---\n{%")
        hooked.write({"prompts/answer.json": json.dumps(schema), "prompts/triage/v1.j2": text})
        lock("schema")
        commit(hooked)
        hooked.write({"prompts/answer.json": json.dumps({**schema, "description": "a long description of it"})})
    elif change == "suite":
        (hooked.root / "suites/triage.yaml").unlink()
    elif change == "lock":
        (hooked.root / "prompts/triage.lock.toml").unlink()
    elif change == "settings":
        hooked.write({"pyproject.toml": '[tool.promptopt.budget]\ninput = "| 5"\n'})
    else:
        hooked.write({"pyproject.toml": '[tool.promptopt]\nsuites = "evals"\n'})
        (hooked.root / "suites").rename(hooked.root / "evals")
        suite = (hooked.root / "evals/triage.yaml").read_text()
        hooked.write({"evals/triage.yaml": suite.replace("parcel", "letter")})
    done = run_hook(hooked)
    assert done.returncode == 1, done.stdout
    assert "Failed" in done.stdout


def test_the_hook_shows_warnings_and_passes(hooked: Any) -> None:
    hooked.write(
        {"pyproject.toml": '[tool.promptopt.budget]\ninput = "warn"\n', "prompts/triage/v1.j2": prompt_text(LONGER)}
    )
    done = run_hook(hooked)
    assert done.returncode == 0, done.stdout
    assert "Passed" in done.stdout
    assert "WARN triage [refund]  input 26 → 42" in done.stdout
