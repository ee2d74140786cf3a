"""What is registered under promptopt's groups of entry points: its own parts, and those of other packages.

One loader serves all groups, so that whatever is wrong with a package is said in the same way, with its name. The
metadata of everything that is installed is read once for each group; a part is imported when it is first used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from promptopt.errors import PromptoptError, UsageError, did_you_mean

PartKind = Literal["layer", "provider", "reader", "rule", "scorer", "store"]
"""What can be registered; the group of ``layer`` is ``promptopt.layers``, and so on."""


@lru_cache(maxsize=6)
def registered(kind: PartKind) -> Mapping[str, tuple[EntryPoint, ...]]:
    """The entry points of a kind by name, in the order of their names; several if packages want the same name."""
    found: dict[str, tuple[EntryPoint, ...]] = {}
    for point in sorted(entry_points(group=f"promptopt.{kind}s"), key=lambda point: point.name):
        others = found.get(point.name, ())
        # A package that has changed its name may be installed under both; its code is the same.
        if all(other.value != point.value for other in others):
            found[point.name] = (*others, point)
    return found


def is_built_in(kind: PartKind, name: str) -> bool:
    """Whether promptopt itself registers a part under this name."""
    return any(point.value.startswith("promptopt.") for point in registered(kind).get(name, ()))


def load(kind: PartKind, name: str) -> Any:
    """What is registered under a name.

    Raises:
        UsageError: Nothing is, several packages register it, or it cannot be loaded.
    """
    known = registered(kind)
    if not known:
        raise UsageError(f"nothing is registered under promptopt.{kind}s: install promptopt again (pip install -e .)")
    if name not in known:
        raise UsageError(f"unknown {kind} {name!r}.{did_you_mean(name, known)} Known: {', '.join(known)}")
    if len(known[name]) > 1:
        packages = " and ".join(f"{_package(point)} ({point.value})" for point in known[name])
        raise UsageError(
            f"the {kind} {name} is registered more than once, by {packages}\n"
            "  one does not replace the other: uninstall one of them, or give its entry point another name"
        )
    with blaming(kind, name, "cannot be loaded"):
        return known[name][0].load()


@contextmanager
def blaming(kind: PartKind, name: str, problem: str) -> Iterator[None]:
    """Code of another package runs inside: an error of it that is not promptopt's becomes one that names the package.

    Args:
        problem: What the error means, such as ``cannot be loaded``.

    Raises:
        UsageError: The code raised something, or called ``sys.exit``.
    """
    try:
        yield
    except PromptoptError:
        raise
    except (Exception, SystemExit) as error:
        if name not in registered(kind) or is_built_in(kind, name):
            raise
        raise broken(kind, name, f"{problem}: {type(error).__name__}: {error}") from error


def broken(kind: PartKind, name: str, problem: str) -> UsageError:
    """The error that says what is wrong with a part, with its entry point and its package."""
    return UsageError(
        f"{described(kind, name)} {problem}\n"
        f"  repair or uninstall that package; the entry point is in its group 'promptopt.{kind}s'"
    )


def described(kind: PartKind, name: str) -> str:
    """A part with its entry point and its package, for messages."""
    point = registered(kind)[name][0]
    return f"the {kind} {name} ({point.value}) of {_package(point)}"


def _package(point: EntryPoint) -> str:
    return "an unknown distribution" if point.dist is None else f"{point.dist.name} {point.dist.version}"
