"""Imports only go up the list of rooms, nowhere in a circle, and a public name is defined once. No exceptions."""

import ast
import re
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import promptopt

PACKAGE = Path(promptopt.__file__).parent
# Each room may import from the rooms above it, and from itself where that makes no circle.
ROOMS = (
    "errors",
    "registry",
    "files",
    "functions",
    "javascript",
    "yaml",
    "call_options",
    "messages",
    "media",
    "dialects",
    "values",
    "money",
    "tables",
    "webpage",
    "secrets",
    "config",
    "media_tokens",
    "vocabularies",
    "tokens",
    "prices",
    "schemas",
    "templates",
    "suites",
    "scorers",
    "providers",
    "promptfoo",
    "gateway",
    "judges",
    "experiment",
    "labelling",
    "compression",
    "structured",
    "minimization",
    "budget",
    "auditing",
    "onboarding",
    "api",
    "pytest_plugin",
    "testing",
    "cli",
    "__main__",
)
LEVEL = {room: level for level, room in enumerate(ROOMS)}
MODULES = {
    ".".join(["promptopt", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
TREES = {module: ast.parse(path.read_text(encoding="utf-8")) for module, path in MODULES.items()}


def imported(tree: ast.AST) -> set[str]:
    """The modules of promptopt that a module imports: in functions and behind TYPE_CHECKING too."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in MODULES else str(node.module))
    # What is taken from the package itself is its version.
    return {name for name in found if name.startswith("promptopt.")}


def _room(module: str) -> str:
    return module.split(".")[1]


# The package itself only names the public functions and classes; each is loaded when it is first used.
EDGES = {(module, other) for module, tree in TREES.items() if module != "promptopt" for other in imported(tree)}


def test_every_file_is_in_a_room() -> None:
    assert {_room(module) for module in MODULES if module != "promptopt"} <= set(LEVEL)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_from_the_rooms_above_it(room: str) -> None:
    down = sorted(
        (importer, other)
        for importer, other in EDGES
        if _room(importer) == room and LEVEL[_room(other)] > LEVEL[_room(importer)]
    )
    assert not down


def test_no_module_imports_itself_by_a_detour() -> None:
    graph: dict[str, set[str]] = {}
    for importer, other in EDGES:
        # A package's own __init__ names what it offers; its files do not import it back.
        graph.setdefault(importer, set()).add(other)
    TopologicalSorter(graph).prepare()


def test_a_public_type_name_means_one_type() -> None:
    """``Name = Literal[...]`` and other aliases in capitals are types as classes are."""
    homes = defaultdict(set)
    for module, tree in TREES.items():
        for node in ast.iter_child_nodes(tree):
            if isinstance(node, ast.ClassDef):
                names = [node.name]
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                names = [node.targets[0].id]
            else:
                continue
            for name in names:
                # CONSTANTS are a file's own, and so is a type variable.
                if name[0].isupper() and name != name.upper():
                    homes[name].add(module)
    assert not {name: sorted(modules) for name, modules in homes.items() if len(modules) > 1}


def test_no_room_is_named_like_a_public_function() -> None:
    assert not set(promptopt.__all__) & set(ROOMS)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import promptopt.errors", {"promptopt.errors"}),
        ("from promptopt.errors import UsageError", {"promptopt.errors"}),
        ("from promptopt import errors", {"promptopt.errors"}),
        ("from promptopt import __version__\nimport os", set()),
        ("def f():\n    from promptopt.templates import names", {"promptopt.templates.names"}),
        ("if TYPE_CHECKING:\n    from promptopt.errors import UsageError", {"promptopt.errors"}),
        ("if x:\n    from promptopt.errors import UsageError", {"promptopt.errors"}),
    ],
)
def test_the_walk_sees_what_it_must(source: str, found: set[str]) -> None:
    assert imported(ast.parse(source)) == found


def test_tests_and_benchmarks_name_no_path_outside_of_the_repository() -> None:
    """``PROMPTOPT_DATA`` says where real data are (``tests/corpora.py``)."""
    root = Path(__file__).parent.parent
    absolute = re.compile(r"""["'](?:/(?:work|home|root|tmp|mnt|opt|Users)\b|[A-Z]:\\)""")
    files = [*(root / "tests").rglob("*.py"), *(root / "benchmarks").glob("*.py")]
    found = {
        str(path.relative_to(root))
        for path in files
        if path != Path(__file__) and absolute.search(path.read_text(encoding="utf-8"))
    }
    assert not found


# Not beside the package, which may be installed elsewhere.
ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def _names(module: str) -> set[str]:
    """The classes and functions that a module defines at its top."""
    defined = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in TREES[module].body if isinstance(node, defined)}


def test_the_page_lists_the_rooms_in_their_order() -> None:
    cells = re.findall(r"^\| ((?:`\w+` ?)+)\|", PAGE, re.MULTILINE)
    assert tuple(re.findall(r"`(\w+)`", " ".join(cells))) == ROOMS


def _part(module: str) -> str:
    """The folder or file of ``compression/`` that a module is in, as the page writes it."""
    name = module.split(".")[2]
    return f"compression/{name}/" if (PACKAGE / "compression" / name).is_dir() else f"compression/{name}.py"


def test_the_parts_of_compression_import_only_from_those_above_them_on_the_page() -> None:
    """So no witness, guard or judge sees a rule, and the guard of rewrites sees no fact."""
    rows = re.findall(r"^\| ((?:`compression/\w+(?:/|\.py)` ?)+)\|", PAGE, re.MULTILINE)
    level = {part: row for row, cells in enumerate(rows) for part in re.findall(r"`([^`]+)`", cells)}
    inside = {module for module in MODULES if module.startswith("promptopt.compression.")}
    assert {_part(module) for module in inside} == set(level)
    down = {
        (importer, other)
        for importer, other in EDGES
        if importer in inside and other in inside and level[_part(other)] > level[_part(importer)]
    }
    assert not down


def test_the_page_names_what_there_is() -> None:
    named = re.findall(r"`((?:\w+\.)+\w+)`", PAGE)
    defined = {f"{module.removeprefix('promptopt.')}.{name}" for module in MODULES for name in _names(module)}
    known = defined | {module.removeprefix("promptopt.") for module in MODULES} | {"promptopt.wrap"}
    paths = set(re.findall(r"`((?:\w+/)+(?:\w+\.\w+)?)`", PAGE)) - {"promptopt/", "tests/"}
    missing = {path for path in paths if not ((PACKAGE / path).exists() or (ROOT / path).exists())}
    assert (set(named) - known, missing) == (set(), set())
    assert len(named) > 30
    assert len(paths) > 5
