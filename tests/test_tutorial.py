"""docs/tutorial.md, from an empty folder to a gate: its files are written, its commands run, its output is compared."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pages import STEP, as_pattern, commands

PAGE = (Path(__file__).parent.parent / "docs" / "tutorial.md").read_text(encoding="utf-8")


def test_the_page_leads_from_nothing_to_a_gate(project, tmp_path_factory: pytest.TempPathFactory) -> None:
    # The installation is the one of these tests; everything else is as a person has it.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    plain = tmp_path_factory.mktemp("plain")
    (plain / "sitecustomize.py").write_text("import sys\nsys.modules['spacy'] = None\n")

    def run(command: str) -> subprocess.CompletedProcess[str]:
        if re.fullmatch(r"promptopt (?!compress)[^|&<>;]+", command):
            return project.run(*shlex.split(command)[1:], CI="")
        # A plain installation has no parser of English, and fewer rules.
        environment = {**os.environ, "PATH": path, "CI": "", "PYTHONPATH": str(plain)}
        return subprocess.run(
            ["bash", "-c", command], cwd=project.root, env=environment, capture_output=True, text=True, check=False
        )

    assert run("git init").returncode == 0
    seen = []
    for step in STEP.finditer(PAGE):
        if step["file"]:
            project.write({step["file"]: step["text"]})
            continue
        for command, shown in commands(step["block"]):
            done = run(command)
            assert done.returncode == 0, (command, done.stderr)
            assert re.fullmatch(as_pattern(shown), done.stdout) or not shown, (command, done.stdout)
            seen.append(command)
    assert any("exit code" in command for command in seen)

    # What CI does then: the last step of the workflow, on what is committed.
    workflow = yaml.safe_load((project.root / ".github" / "workflows" / "prompts.yml").read_text())
    *_, install, check = (step["run"] for step in workflow["jobs"]["budget"]["steps"] if "run" in step)
    assert install in PAGE.split("## A prompt")[0]
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", "first")
    project.git("clone", "--quiet", ".", "clone")
    assert project.run(*check.split()[1:], "-C", "clone", CI="true").returncode == 0
