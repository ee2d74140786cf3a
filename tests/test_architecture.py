"""Imports only go up the list of rooms, and nowhere in a circle."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import promptopt

PACKAGE = Path(promptopt.__file__).parent
# Each line may import from the lines above it, and from itself where that makes no circle.
ROOMS = (
    ("errors",),
    ("files",),
    ("yaml",),
    ("values",),
    ("tokens", "config", "prices", "money"),
    ("schemas",),
    ("templates",),
    ("suites",),
    ("scorers",),
    ("providers",),
    ("experiment",),
    ("compress",),
    ("budget",),
    ("audit",),
    ("report",),
    ("api", "cli", "pytest_plugin"),
    ("__main__",),
)
LEVEL = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}
MODULES = {
    ".".join(["promptopt", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
# A comparison prints itself (`str(comparison)`, `comparison.to_dict()`), and the report is written from comparisons.
PRINTS_ITSELF = {
    ("promptopt.experiment.compare", "promptopt.report.data"),
    ("promptopt.experiment.compare", "promptopt.report.text"),
}


def _checked_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes, those in functions too; not what only a type checker runs."""
    for node in ast.iter_child_nodes(tree):
        if not _checked_only(node):
            yield node
            yield from _nodes(node)


def imported(source: str) -> set[str]:
    """The modules of promptopt that a source imports."""
    found = set()
    for node in _nodes(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in MODULES else str(node.module))
    # The package itself is no room: what is taken from it is its version.
    return {name for name in found if name.startswith("promptopt.")}


def _room(module: str) -> str:
    return module.split(".")[1]


EDGES = {
    (module, other)
    for module, path in MODULES.items()
    if module != "promptopt"
    for other in imported(path.read_text(encoding="utf-8"))
}


def test_every_file_has_a_room() -> None:
    assert {_room(module) for module in MODULES if module != "promptopt"} <= set(LEVEL)


@pytest.mark.parametrize("module", [module for module in MODULES if module != "promptopt"])
def test_imports_go_up_the_list(module: str) -> None:
    down = [
        other
        for importer, other in sorted(EDGES - PRINTS_ITSELF)
        if importer == module and LEVEL[_room(other)] > LEVEL[_room(module)]
    ]
    assert not down


def test_the_exceptions_are_needed() -> None:
    assert PRINTS_ITSELF <= EDGES


def test_no_module_imports_itself_by_a_detour() -> None:
    graph: dict[str, set[str]] = {}
    for importer, other in EDGES - PRINTS_ITSELF:
        # A package's own __init__ names what it offers; its files do not import it back.
        graph.setdefault(importer, set()).add(other)
    TopologicalSorter(graph).prepare()


def test_rooms_of_one_line_do_not_import_each_other_in_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for importer, other in EDGES - PRINTS_ITSELF:
        if _room(importer) != _room(other):
            graph.setdefault(_room(importer), set()).add(_room(other))
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import promptopt.errors", {"promptopt.errors"}),
        ("from promptopt.errors import UsageError", {"promptopt.errors"}),
        ("from promptopt import errors", {"promptopt.errors"}),
        ("from promptopt import __version__\nimport os", set()),
        ("def f():\n    from promptopt.templates import names", {"promptopt.templates.names"}),
        ("if TYPE_CHECKING:\n    from promptopt.errors import UsageError", set()),
        ("if x:\n    from promptopt.errors import UsageError", {"promptopt.errors"}),
    ],
)
def test_the_walk_sees_what_it_must(source: str, found: set[str]) -> None:
    assert imported(source) == found


def test_the_package_itself_imports_nothing_but_on_demand() -> None:
    assert not imported(MODULES["promptopt"].read_text(encoding="utf-8"))
