"""The levels of the house: data runs one way, imports go strictly down, and a first glance loads nothing heavy."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# One line a step, a level a block, from the bottom up. A name stands for a module or for a whole package folder,
# inside which imports are free. A module imports only from steps above its own line.
STEPS = """
    indexer.records indexer.names indexer.sniff indexer.tiff indexer.words indexer.phash indexer.colour
    indexer.pillow_settings indexer.imports indexer.quiet
    indexer.errors
    indexer.tags

    indexer.files indexer.prompts indexer.prices indexer.config indexer.lock indexer.paths indexer.ignore
    indexer.fields
    indexer.document indexer.metadata indexer.rawfile indexer.picture indexer.dataset indexer.providers.base
    indexer.rendition indexer.providers.answer indexer.estimate indexer.expect indexer.cells
    indexer.vocabulary

    indexer.bursts
    indexer.ledger indexer.batchfile indexer.spool indexer.listing indexer.embedding indexer.maintenance
    indexer.walk indexer.examination indexer.encoder_export indexer.named_encoder indexer.table
    indexer.encoders
    indexer.worker indexer.commandline indexer.sidecar
    indexer.workers
    indexer.crawl

    indexer.providers.gemini indexer.providers.local indexer.project indexer.plan indexer.sheet search.ranking
    indexer.gates
    search.conditions
    indexer.providers search.filters search.cutoff search.reader
    indexer.mirror search.likeness search.hits search.sieve
    indexer.export

    indexer.pipeline search.answering search.output
    search.query

    indexer.access
    indexer.library search search.evaluate indexer.doctor
    indexer

    indexer.terminal
    indexer.commands
    indexer.cli search.cli
    indexer.start
"""
ORDER = {name: step for step, line in enumerate(STEPS.splitlines()) for name in line.split()}
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in ("indexer", "search")
    for path in sorted((ROOT / package).rglob("*.py"))
}
HEAVY = ["torch", "lancedb", "lance", "pyarrow", "sentence_transformers", "google.genai", "onnxruntime", "numpy"]


def room(module: str) -> str:
    """Return the line of the table that `module` stands in: itself, or the package folder it lies in."""
    if module in ORDER:
        return module
    parent = module.rpartition(".")[0]
    split = any(name.startswith(f"{parent}.") for name in ORDER)  # its members have lines of their own
    return room(parent) if "." in parent and not split else ""


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


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_strictly_down(module: str) -> None:
    """A module has its place in the table, and leans only on what stands below it."""
    assert room(module), f"{module} has no place in STEPS"
    tree = ast.parse(MODULES[module].read_bytes())
    for other in set(imports(tree)) & set(MODULES):
        down = room(other) == room(module) or ORDER.get(room(other), -1) < ORDER[room(module)]
        assert down, f"{module} imports {other}"


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
        "from indexer.cli import main; main(['--help'])",
        "from search.cli import main; main(['--help'])",
    ],
)
def test_a_first_glance_is_light(glance: str) -> None:
    """Importing a package or asking for help loads no table, model or SDK, and numpy neither."""
    package = glance.split()[1]
    if package not in MODULES:
        pytest.skip(f"there is no {package} yet")
    code = f"""
import atexit, sys
atexit.register(lambda: sys.stderr.write(" ".join(m for m in {HEAVY} if m in sys.modules)))
{glance}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (0, "")
