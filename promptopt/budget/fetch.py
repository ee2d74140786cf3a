"""Fetching into a shallow clone what a comparison needs, and no more."""

from __future__ import annotations

from datetime import timedelta

from promptopt.budget.history import LockLog
from promptopt.budget.settings import BudgetSettings
from promptopt.config import Config
from promptopt.errors import UsageError
from promptopt.files import run_git

# How many commits are fetched at a time, until the two branches meet.
_STEPS = (1, 20, 200, 2000)


def fetch_base(config: Config, against: str) -> str:
    """Fetch the commit that this branch and a reference have in common.

    Args:
        against: ``origin/main``, a branch, a tag or a commit of the remote ``origin``.

    Returns:
        A line that says what was done.

    Raises:
        UsageError: It cannot be fetched, or the two have no commit in common.
    """
    git = _Git(config)
    if git("rev-parse", "--verify", "--quiet", "HEAD^{commit}") is None:
        raise UsageError(f"cannot fetch {against!r}: {config.root} is not in a git repository with a commit")
    if git.meet(against):
        return f"{against}: nothing to fetch"
    remote, sources = git.fetched(against)
    if sources is None:
        raise UsageError(
            f"cannot fetch {against!r}: the remote {remote!r} has no such thing, or refuses. "
            f"A branch is {remote}/NAME. "
            "In GitHub Actions, leave persist-credentials of actions/checkout as it is, or give it `fetch-depth: 0`"
        )
    for step in _STEPS:
        if git.meet(against) or not git.is_shallow:
            break
        git("fetch", "--quiet", "--no-tags", f"--deepen={step}", remote, *sources, git.head)
    if not git.meet(against) and git.is_shallow:
        git("fetch", "--quiet", "--no-tags", "--unshallow", remote, *sources, git.head)
    if not git.meet(against):
        raise UsageError(f"{against!r} was fetched, and has no commit in common with HEAD")
    return f"{against}: fetched from {remote}"


def fetch_days(config: Config, settings: BudgetSettings) -> str | None:
    """Fetch the commits that the longest ``drift`` looks back to; ``None`` if there is nothing to do."""
    limits = [settings.drift, *(table.drift for table in (*settings.groups.values(), *settings.prompts.values()))]
    days = max((limit.days for limit in limits if limit is not None), default=0)
    git, log = _Git(config), LockLog(config)
    if not days or log.now is None or not git.is_shallow:
        return None
    start = (log.now - timedelta(days=days)).isoformat()
    done = git("fetch", "--quiet", "--no-tags", f"--shallow-since={start}", "origin", git.head)
    # One commit more: the first one after the moment does not say what was locked at it.
    if done is None or git("fetch", "--quiet", "--no-tags", "--deepen=1", "origin", git.head) is None:
        git("fetch", "--quiet", "--no-tags", "--unshallow", "origin")
    return f"fetched the commits of the last {days} days"


class _Git:
    def __init__(self, config: Config) -> None:
        self._config = config
        self.head = self("rev-parse", "HEAD") or ""

    def __call__(self, *arguments: str) -> str | None:
        try:
            printed = run_git(self._config.root, *arguments)
        except FileNotFoundError:
            raise UsageError("git is not installed, so that nothing can be fetched") from None
        return None if printed is None else printed.decode("utf-8", "replace").strip()

    @property
    def is_shallow(self) -> bool:
        return self("rev-parse", "--is-shallow-repository") == "true"

    def meet(self, against: str) -> bool:
        """Whether the commit is here that both have in common."""
        return self("merge-base", "--end-of-options", against, "HEAD") is not None

    def fetched(self, against: str) -> tuple[str, list[str] | None]:
        """Fetch a branch, tag or commit that is not here yet. No branch of the user's own is touched.

        Returns:
            The remote, and what to deepen together with HEAD; ``None`` if it cannot be fetched.
        """
        first, slash, rest = against.partition("/")
        if slash and first in (self("remote") or "").splitlines():
            remote, choices = first, [f"+refs/heads/{rest}:refs/remotes/{against}"]
        else:
            remote, choices = "origin", [f"refs/tags/{against}:refs/tags/{against}", against]
        if self("rev-parse", "--verify", "--quiet", "--end-of-options", f"{against}^{{commit}}") is not None:
            return remote, choices if slash and remote == first else []
        depth = ["--depth=1"] if self.is_shallow else []
        for source in choices:
            if not source.startswith("-") and self("fetch", "--quiet", "--no-tags", *depth, remote, source) is not None:
                return remote, [source]
        return remote, None
