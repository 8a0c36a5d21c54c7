"""The house: twelve rooms and search, imports strictly down, and a first glance that loads nothing heavy."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# What each room may import at run time, lazily or not, besides itself. A room stands below all that may import it.
_BASE = "domain storage"
MAY_IMPORT = {
    "indexer.domain": "",
    "indexer.storage": "domain",
    "indexer.media": _BASE,
    "indexer.ledger": _BASE,
    "indexer.providers": f"{_BASE} media",
    "indexer.crawl": f"{_BASE} media ledger",
    "indexer.table": f"{_BASE} ledger providers",
    "indexer.export": f"{_BASE} media ledger",
    "indexer.pipeline": f"{_BASE} media ledger providers crawl table export",
    "indexer.library": f"{_BASE} media ledger providers crawl table export pipeline",
    "indexer.console": _BASE,
    "indexer.commands": f"{_BASE} library console search gallery",
    "search": f"{_BASE} media table export console",
    "search.gallery": f"{_BASE} media console library search",
}
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in ("indexer", "search")
    for path in sorted((ROOT / package).rglob("*.py"))
}
HEAVY = ["torch", "lancedb", "lance", "pyarrow", "sentence_transformers", "google.genai", "onnxruntime", "numpy"]
HEAVY += ["httpx", "httpx2", "starlette", "uvicorn", "jinja2", "obstore", "ray"]


def room(module: str) -> str:
    """Return the room that `module` lies in."""
    if module.startswith("search."):
        return "search.gallery" if module.startswith("search.gallery") else "search"
    return ".".join(module.split(".")[:2])


def imports(node: ast.AST) -> Iterator[str]:
    """Yield what is imported below `node` at run time, at the top of the module or inside a function."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.ImportFrom) and child.module and not child.level:
            names = [f"{child.module}.{alias.name}" for alias in child.names]
            yield from (name if name in MODULES else child.module for name in names)
        elif isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        yield from imports(child)


def test_nothing_stands_beside_the_rooms() -> None:
    """`indexer/` holds its twelve packages and its own face, nothing else."""
    beside = {path.name for path in (ROOT / "indexer").iterdir() if not path.name.startswith(("__", "."))}
    assert beside - {"py.typed"} == {
        name.removeprefix("indexer.") for name in MAY_IMPORT if name.startswith("indexer.")
    }


@pytest.mark.parametrize("module", [name for name in MODULES if name not in ("indexer", "indexer.__main__")])
def test_imports_go_strictly_down(module: str) -> None:
    """A module leans only on its own room and on what its room may import."""
    allowed = {room(module), "indexer", *(name for name in MAY_IMPORT if name.split(".")[-1] in _may(module))}
    leans = {room(other) for other in imports(ast.parse(MODULES[module].read_bytes())) if other in MODULES}
    assert leans <= allowed, f"{module} imports {sorted(leans - allowed)}"


def _may(module: str) -> set[str]:
    return set(MAY_IMPORT[room(module)].split())


def test_the_table_has_no_circle() -> None:
    """Rooms can be put in an order in which each leans only on rooms before it."""
    order = [name.split(".")[-1] for name in MAY_IMPORT]
    late = {"commands"}  # it shows what search measures, and stands above it
    for name, below in MAY_IMPORT.items():
        own = name.split(".")[-1]
        assert own in late or all(order.index(other) < order.index(own) for other in below.split()), name


def test_no_two_modules_lean_on_each_other() -> None:
    """Inside a room too, what a module needs at its import comes before it."""
    needs = {name: _at_import(name) for name in MODULES}
    while ready := [name for name, rest in needs.items() if not rest]:
        needs = {name: rest - set(ready) for name, rest in needs.items() if name not in ready}
    assert not needs


def _at_import(module: str) -> set[str]:
    tree = ast.parse(MODULES[module].read_bytes())
    top = ast.Module([node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)], [])
    return (set(imports(top)) & set(MODULES)) - {module, "indexer"}


def test_imports_name_their_module_in_full() -> None:
    """A relative import would slip through the table."""
    for path in MODULES.values():
        for node in ast.walk(ast.parse(path.read_bytes())):
            assert not (isinstance(node, ast.ImportFrom) and node.level), path


@pytest.mark.parametrize(
    "glance",
    [
        "import indexer",
        "import search",
        "from indexer.commands.index import main; main(['--help'])",
        "from search.cli import main; main(['--help'])",
    ],
)
def test_a_first_glance_is_light(glance: str) -> None:
    """Importing a package or asking for help loads no table, model or SDK, and numpy neither."""
    code = f"""
import atexit, sys
atexit.register(lambda: sys.stderr.write(" ".join(m for m in {HEAVY} if m in sys.modules)))
{glance}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (0, "")


FUNCTIONS = [
    (module, node)
    for module, path in MODULES.items()
    for node in ast.walk(ast.parse(path.read_bytes()))
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
]


def test_a_file_can_be_read_in_one_sitting() -> None:
    """No file is longer than 400 lines."""
    assert [name for name, path in MODULES.items() if path.read_bytes().count(b"\n") > 400] == []


def test_a_function_fits_on_a_screen() -> None:
    """No function is longer than 60 lines."""
    assert [(name, f.name) for name, f in FUNCTIONS if (f.end_lineno or 0) - f.lineno >= 60] == []


def test_nobody_passes_more_than_six_things() -> None:
    """A record is made of what belongs together; the public call `Index.search` may take more."""

    def passed(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
        names = [arg.arg for arg in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
        return len([name for name in names if name not in ("self", "cls")])

    public = {("search.query", "search")}
    assert [(name, f.name) for name, f in FUNCTIONS if passed(f) > 6 and (name, f.name) not in public] == []


def test_public_names_say_what_they_are() -> None:
    """At least 97 % of public classes, functions and methods have a docstring."""
    told = []
    for path in MODULES.values():
        for holder in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(holder, ast.Module | ast.ClassDef) and not getattr(holder, "name", "").startswith("_"):
                public = (node for node in holder.body if isinstance(node, ast.FunctionDef | ast.ClassDef))
                told += [bool(ast.get_docstring(node)) for node in public if not node.name.startswith("_")]
    assert sum(told) >= 0.97 * len(told)
