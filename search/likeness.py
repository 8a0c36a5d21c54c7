"""A picture file to the photo that the library knows it as: by its path, or by its content wherever it lies."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from contextlib import closing
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from indexer.domain.errors import MissingPath, UsageError
from indexer.storage.layout import LEDGER_FILE
from indexer.storage.paths import resolve_root, to_text
from indexer.storage.regular import open_regular
from indexer.table.dataset import PIXELS, among, quoted
from search.reader import View

if TYPE_CHECKING:
    import numpy as np

    from indexer.table.encoder.image import ImageEncoder


def example(view: View, library: Path, image: str | PathLike[str]) -> tuple[str, np.ndarray]:
    """Return photo id and vector of `image`; raises `UsageError` when the library does not know it."""
    name = os.fspath(image)
    found = view.vector(among("path", _texts(name)))
    if found is None:
        photo = _photo(library, Path(name))
        found = view.vector(f"photo = {quoted(photo)}") if photo else None
    if found is None:
        raise UsageError(f"{name}: the library does not know this picture", hint=f"index it first: index {name}")
    photo, vector = found
    if vector is None:
        raise UsageError(
            f"{name}: this picture has no description yet, so nothing can be like it",
            hint="index with a provider that describes pictures, or set image_model in captionary.toml",
        )
    return photo, vector


def pictured(view: View, library: Path, image: str | PathLike[str], encoder: ImageEncoder) -> tuple[str, np.ndarray]:
    """Return photo id ("" for one that is not here) and the vector of what `encoder` sees in `image`, any picture file.

    Raises `UsageError` for a file that is none.
    """
    name = os.fspath(image)
    known = view.vector(among("path", _texts(name)), PIXELS)
    photo = known[0] if known is not None else _photo(library, Path(name)) or ""
    if photo and (known is None or known[1] is None):
        known = view.vector(f"photo = {quoted(photo)}", PIXELS)
    if known is not None and known[1] is not None:
        return photo, known[1]
    from indexer.media.refusal import PictureError
    from indexer.media.rendition import render

    try:
        jpeg = render(Path(name).expanduser()).jpeg
    except PictureError as fault:
        raise UsageError(f"{name}: {fault.detail}", hint="--like takes a picture") from fault
    return photo, encoder.jpegs([jpeg])[0]


def _texts(name: str) -> list[str]:
    """The text forms under which the crawl may have written the path: its folder resolved, or all of it."""
    folder, base = os.path.split(os.path.abspath(os.path.expanduser(name)))  # noqa: PTH100, PTH111
    inside = os.path.join(os.fsencode(os.path.realpath(folder)), os.fsencode(base))  # noqa: PTH118
    return list(dict.fromkeys((to_text(inside), to_text(resolve_root(name)))))


def _photo(library: Path, image: Path) -> str | None:
    """The photo of a file with the same bytes, as the ledger knows it."""
    try:
        with open_regular(image.expanduser()) as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        raise MissingPath(f"{image}: there is no such file", hint="--like takes a picture") from None
    except OSError as error:
        raise UsageError(f"{image}: {error.strerror or error}", hint="--like takes a picture") from error
    ledger = library / LEDGER_FILE
    if not ledger.is_file():
        return None
    with closing(sqlite3.connect(f"{ledger.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
        row = connection.execute("SELECT photo FROM contents WHERE sha256 = ?", (content,)).fetchone()
    return str(row[0]) if row else None
