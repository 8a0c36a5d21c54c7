"""Where the console scripts begin: the least that can be imported before Ctrl-C is answered."""

from __future__ import annotations

import sys
from importlib import import_module


def index() -> None:
    """The `index` command."""
    _start("indexer.cli")


def search() -> None:
    """The `search` command."""
    _start("search.cli")


def _start(module: str) -> None:
    try:
        main = import_module(module).main
    except KeyboardInterrupt:
        sys.exit(130)
    main()
