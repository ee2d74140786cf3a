"""One command for each habit: ``nox -s lint``, ``types``, ``tests``, ``docs``, ``benchmarks``, ``mutation``.

``nox`` alone runs the first three; ``tests`` runs on every Python of the classifiers that is installed.
"""

import json
import shutil
from pathlib import Path

import nox

nox.options.default_venv_backend = "venv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "tests"]

PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)
EVERYTHING = "-e.[test,gateway,semantic]"
RUFF = next(each for each in PROJECT["project"]["optional-dependencies"]["test"] if each.startswith("ruff"))


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting; ``nox -s lint -- --fix`` repairs what can be repaired."""
    session.install("-q", RUFF)
    fix = "--fix" in session.posargs
    session.run("ruff", "check", *(["--fix"] if fix else []), ".")
    session.run("ruff", "format", *([] if fix else ["--check"]), ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types, strictly."""
    session.install("-q", EVERYTHING)
    session.run("mypy", *session.posargs)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests: ``nox -s tests-3.13 -- tests/templates``; without arguments all of them in two processes."""
    session.install("-q", EVERYTHING)
    session.run("pytest", *(session.posargs or ["-n", "2"]))


@nox.session
def docs(session: nox.Session) -> None:
    """Check that the pages show what the commands print, and build the site into docs/_build."""
    session.install("-q", EVERYTHING)
    session.run("pytest", "tests/test_docs.py", "tests/test_extending.py", *session.posargs)
    session.run("sphinx-build", "-W", "--keep-going", "-q", "docs", "docs/_build")


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Run one benchmark: ``nox -s benchmarks -- compress`` (by default ``compare``; see benchmarks/README.md)."""
    session.install("-q", EVERYTHING)
    name, *rest = session.posargs or ["compare", "--runs", "1"]
    session.run("python", f"benchmarks/{name}.py", *rest)


# What decides whether a bill grew, and the tests that give it values and compare all that it says.
MUTATED = [f"promptopt/budget/{name}.py" for name in ("limits", "check", "totals", "update")]
KILLERS = [
    f"tests/budget/test_{name}.py" for name in ("limits", "known_values", "lock_drafts", "totals", "budget_update")
]
# Of the plugins of the tests that take no part; those of pyproject.toml are not read in the copy.
UNUSED = ("xdist", "cacheprovider", "asyncio", "randomly", "rerunfailures", "syrupy", "pytest_cov", "timeout")
# A command in a process of its own does not find the settings of mutmut.
COMMANDS = "remedy or renamed_prompt or copy_of or another_price or leaves_the_lock"


@nox.session
def mutation(session: nox.Session) -> None:
    """Change the gate's arithmetic and see that tests fail (benchmarks/mutation.md has what may survive, and why)."""
    session.install("-q", EVERYTHING, "mutmut==3.8.1")
    folder = Path(session.create_tmp()) / "mutation"
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("promptopt", "tests"):
        shutil.copytree(name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    settings = {
        "source_paths": ["promptopt"],
        "only_mutate": MUTATED,
        "pytest_add_cli_args": [*(part for name in UNUSED for part in ("-p", f"no:{name}")), "-k", f"not ({COMMANDS})"],
        "pytest_add_cli_args_test_selection": KILLERS,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    (folder / "pyproject.toml").write_text("\n".join(["[tool.mutmut]", "use_git_change_detection = false", *lines, ""]))
    session.chdir(folder)
    # mutmut puts the changed copy first; a path that is not there yet would be remembered as empty.
    session.run("mutmut", "run", *session.posargs)
    session.run("mutmut", "results")
