"""The contact sheet: pictures with what is said about them, as one HTML file that needs nothing else.

Everything on it is data. Text is escaped, pictures are small JPEGs inside the file, and the page's own policy allows
neither scripts nor any request, so that even a caption that got through an escape could do nothing.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from indexer.domain.errors import UsageError
from indexer.storage.atomic import whole_file
from indexer.storage.paths import for_terminal, to_bytes
from indexer.storage.places import source

THUMBNAIL_SIDE = 320
_MARK = '<meta name="generator" content="Captionary contact sheet">'
_HEAD = 400  # bytes in which the mark stands
_QUALITY = 75


@dataclass(frozen=True, slots=True)
class Card:
    """One picture on the sheet: its path in text form, what is said about it, a line of facts, and its copies."""

    path: str
    description: str = ""
    tags: tuple[str, ...] = ()
    facts: str = ""
    copies: tuple[str, ...] = ()


def write_sheet(target: Path, title: str, cards: Iterable[Card]) -> None:
    """Write the sheet to `target`, whole or not at all; a picture that cannot be read leaves its place empty."""
    _refuse_other(target)
    with whole_file(target, fresh=not os.path.lexists(target)) as stream:
        for part in _document(title, cards):
            stream.write(part.encode("utf-8", "replace"))


def _document(title: str, cards: Iterable[Card]) -> Iterator[str]:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    made = Environment(
        loader=PackageLoader("indexer.export"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: value if isinstance(value, Markup) else for_terminal(str(value)),
        trim_blocks=True,
    )
    made.filters |= {"picture": lambda card: _thumbnail(card.path), "address": _address}
    style = files("indexer.export").joinpath("templates", "contact_sheet.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    sheet = made.get_template("contact_sheet.html")
    yield from sheet.generate(title=title, cards=cards, style=Markup(style), mark=Markup(_MARK), policy=Markup(policy))


def _thumbnail(path: str) -> str:
    """The picture as base64 of a small JPEG, "" when it cannot be read."""
    from indexer.media.rendition import PictureError, shrink

    try:
        return base64.b64encode(shrink(source(to_bytes(path)), THUMBNAIL_SIDE, quality=_QUALITY)).decode()
    except (PictureError, OSError):
        return ""


def _address(path: str) -> str:
    return "file://" + quote(to_bytes(path))


def _refuse_other(target: Path) -> None:
    """A sheet replaces a sheet and nothing else: a photo or a ledger named by mistake is not to be lost."""
    if not os.path.lexists(target):
        return
    if target.is_file() and not target.is_symlink():
        with target.open("rb") as stream:
            if _MARK.encode() in stream.read(_HEAD):
                return
    raise UsageError(f"{target} exists and is not a page of ours", hint="choose another name")
