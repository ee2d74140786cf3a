"""One command for each habit: ``nox -s lint``, ``types``, ``tests``, ``docs``, ``benchmarks``.

``nox`` alone runs the first three; ``tests`` runs on every Python of the classifiers that is installed.
"""

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
