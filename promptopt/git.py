"""One way to run git."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def run_git(folder: Path, *arguments: str) -> bytes | None:
    """What ``git -C folder ...`` prints; ``None`` if it fails.

    Raises:
        FileNotFoundError: git is not installed.
    """
    # git asks for no password, takes no lock that a parallel command may need, and speaks English in its errors.
    environment = os.environ | {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, check=False, env=environment)  # noqa: S603 - no shell, fixed program
    return done.stdout if done.returncode == 0 else None
