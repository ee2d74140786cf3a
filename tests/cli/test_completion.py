"""Completion in a real bash."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_prompts_versions_and_suites(project) -> None:
    files = ("prompts/reviews/v1.j2", "prompts/reviews/v2.j2", "prompts/tickets/v1.j2")
    project.write({**dict.fromkeys(files, "x\n"), "suites/reviews.yaml": "tests: [{}]\n"})
    program = Path(sys.executable).parent / "promptopt"
    script = f"""
    PATH={program.parent}:$PATH
    eval "$(_PROMPTOPT_COMPLETE=bash_source promptopt)"
    try() {{ COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
      _promptopt_completion promptopt; echo "${{COMPREPLY[@]}}"; }}
    try promptopt count re
    try promptopt compare reviews@v1 reviews@
    try promptopt compare reviews --suite r
    try promptopt hist
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["reviews", "reviews@v1 reviews@v2", "reviews", "history"]
