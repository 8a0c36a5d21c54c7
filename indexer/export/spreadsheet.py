"""Cells of CSV files, for spreadsheets: text of models and files is data there, neither a formula nor an escape."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from indexer.storage.paths import for_terminal

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def cell(value: object) -> str:
    """Return text on one line, with a quote before what a spreadsheet would compute; numbers stay numbers."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return str(value)
    text = for_terminal(" ".join(value.split()))
    return "'" + text if text.startswith(_FORMULA) else text


def line(cells: Iterable[str]) -> bytes:
    """Return one line of a CSV file, in UTF-8."""
    buffer = io.StringIO()
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue().encode("utf-8", "replace")
