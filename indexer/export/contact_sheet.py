"""The contact sheet: pictures with what is said about them, as one HTML file that needs nothing else.

Everything on it is data. Text is escaped, pictures are small JPEGs inside the file, and the page's own policy allows
neither scripts nor any request, so that even a caption that got through an escape could do nothing.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from indexer.domain.errors import UsageError
from indexer.storage.atomic import whole_file
from indexer.storage.paths import for_terminal, is_address, to_bytes
from indexer.storage.places import source

THUMBNAIL_SIDE = 320
_MARK = '<meta name="generator" content="Captionary contact sheet">'
_HEAD = 400  # bytes in which the mark stands
_QUALITY = 75
_STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 2rem; background: #fafafa; color: #222 }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(320px, 1fr)); gap: 1.5rem }
figure { margin: 0; background: #fff; border: 1px solid #ddd; border-radius: 6px; overflow: hidden }
img, .none { display: block; width: 100%; height: 240px; object-fit: contain; background: #eee }
.none { text-align: center; line-height: 240px; color: #777 }
figcaption { padding: .75rem; overflow-wrap: anywhere }
.tags, .facts { color: #666; font-size: 13px }
@media (prefers-color-scheme: dark) {
  body { background: #181818; color: #ddd } a { color: #8ab4f8 }
  figure { background: #222; border-color: #444 } img, .none { background: #111 } .tags, .facts { color: #aaa }
}
@media (max-width: 40rem) { body { margin: .75rem } main { grid-template-columns: 1fr } }
"""


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
    style = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'"
    yield (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n{_MARK}\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="light dark">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<title>{_text(title)}</title><style>{_STYLE}</style></head>\n<body><h1>{_text(title)}</h1>\n<main>\n"
    )
    for card in cards:
        yield _figure(card)
    yield "</main></body></html>\n"


def _figure(card: Card) -> str:
    picture = _thumbnail(card.path)
    shown = (
        f'<a href="{_address(card.path)}">'
        f'<img alt="{_text(card.description or card.path)}" src="data:image/jpeg;base64,{picture}"></a>'
        if picture
        else '<div class="none">no picture</div>'
    )
    lines = [f'<a href="{_address(card.path)}">{_text(card.path)}</a>']
    lines += [f"<p>{_text(card.description)}</p>"] if card.description else []
    lines += [f'<div class="tags">{_text(", ".join(card.tags))}</div>'] if card.tags else []
    lines += [f'<div class="facts">{_text(card.facts)}</div>'] if card.facts else []
    if card.copies:
        links = ", ".join(f'<a href="{_address(path)}">{_text(path)}</a>' for path in card.copies)
        lines.append(f'<div class="facts">also at {links}</div>')
    return f"<figure>{shown}<figcaption>{''.join(lines)}</figcaption></figure>\n"


def _thumbnail(path: str) -> str:
    """The picture as base64 of a small JPEG, "" when it cannot be read."""

    from indexer.media.rendition import PictureError, decode, render

    try:
        image = decode(render(source(to_bytes(path))).jpeg)
    except (PictureError, OSError):
        return ""
    image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY)
    return base64.b64encode(buffer.getvalue()).decode()


def _address(path: str) -> str:
    raw = to_bytes(path)
    return _text(path if is_address(raw) else "file://" + quote(raw))


def _text(text: str) -> str:
    return html.escape(for_terminal(text), quote=True)


def _refuse_other(target: Path) -> None:
    """A sheet replaces a sheet and nothing else: a photo or a ledger named by mistake is not to be lost."""
    if not os.path.lexists(target):
        return
    if target.is_file() and not target.is_symlink():
        with target.open("rb") as stream:
            if _MARK.encode() in stream.read(_HEAD):
                return
    raise UsageError(f"{target} exists and is not a page of ours", hint="choose another name")
