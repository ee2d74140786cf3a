"""Completion in real shells."""

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
    try promptopt check re
    echo "$(COMP_WORDS='promptopt check prompts/re' COMP_CWORD=2 _PROMPTOPT_COMPLETE=bash_complete promptopt)"
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "reviews",
        "reviews@v1 reviews@v2",
        "reviews",
        "history",
        "reviews",
        "file,prompts/re",
    ]


@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish")
def test_fish_completes_prompts_versions_suites_and_files(project) -> None:
    files = ("prompts/reviews/v1.j2", "prompts/reviews/v2.j2", "prompts/tickets/v1.j2")
    project.write({**dict.fromkeys(files, "x\n"), "suites/reviews.yaml": "tests: [{}]\n"})
    script = f"""
    set -x PATH {Path(sys.executable).parent} $PATH
    _PROMPTOPT_COMPLETE=fish_source promptopt | source
    for line in "count re" "diff reviews@" "compare reviews --suite r" "budget check t" "check prompts/re"
        echo (complete -C "promptopt $line")
    end
    """
    done = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "reviews",
        "reviews@v1 reviews@v2",
        "reviews",
        "tickets",
        "prompts/reviews/",
    ]
