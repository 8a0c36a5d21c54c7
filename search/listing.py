"""Hits as a list for people on a terminal: short paths that can be clicked, colours, and nothing broken in mid-name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from indexer.console.cells import width, wrapped
from indexer.storage.paths import for_terminal, is_address, to_bytes, to_text
from search.hits import Hit

_INDENT = " " * 5
_NARROWEST = 40
_BOLD, _DIM, _GREEN, _CYAN = "1", "2", "32", "36"
_LINKING = ("KITTY_WINDOW_ID", "WT_SESSION", "KONSOLE_VERSION", "DOMTERM", "WEZTERM_PANE", "GHOSTTY_RESOURCES_DIR")
_LINKING_PROGRAMS = ("iTerm.app", "WezTerm", "vscode", "Hyper", "ghostty", "Tabby")
_LINKING_TERMS = ("xterm-kitty", "foot", "alacritty", "xterm-ghostty", "contour")
_FIRST_VTE = 5000  # earlier ones show the sequence


@dataclass(frozen=True, slots=True)
class Look:
    """How the terminal shows things: its `columns`, whether colours and links; `here` and `home` shorten paths."""

    columns: int
    colour: bool = False
    links: bool = False
    here: bytes = b""
    home: bytes = b""

    @classmethod
    def of(cls, environ: Mapping[str, str], columns: int) -> Look:
        """Read from the environment what a terminal can do; NO_COLOR is respected."""
        able = environ.get("TERM", "dumb") != "dumb"
        try:
            here = os.path.realpath(b".")
        except FileNotFoundError:
            here = b""
        home = os.fsencode(environ.get("HOME", ""))
        return cls(
            columns=max(_NARROWEST, columns),
            colour=able and not environ.get("NO_COLOR"),
            links=able and _links(environ),
            here=here,
            home=os.path.realpath(home) if home else b"",
        )

    def short(self, path: bytes) -> str:
        """Return `path` relative to the working directory where it lies in it, else with ~ for the home."""
        for root, sign in ((self.here, b""), (self.home, b"~/")):
            if len(root) > 1 and path.startswith(root + b"/"):
                return for_terminal(to_text(sign + path[len(root) + 1 :]))
        return for_terminal(to_text(path))

    def styled(self, text: str, style: str) -> str:
        """Return `text` in a colour or weight, as it is where the terminal has none."""
        return f"\x1b[{style}m{text}\x1b[0m" if self.colour and text else text

    def linked(self, text: str, path: bytes) -> str:
        """Return `text` as a link to the file at `path`, where the terminal knows links."""
        if not self.links or is_address(path):
            return text
        return f"\x1b]8;;file://{quote(os.uname().nodename)}{quote(path)}\x1b\\{text}\x1b]8;;\x1b\\"


def _links(environ: Mapping[str, str]) -> bool:
    """Whether the terminal shows hyperlinks; FORCE_HYPERLINK=1 or 0 knows better."""
    told = environ.get("FORCE_HYPERLINK")
    if told is not None:
        return told not in ("", "0")
    vte = environ.get("VTE_VERSION", "")
    return (
        any(environ.get(name) for name in _LINKING)
        or environ.get("TERM_PROGRAM") in _LINKING_PROGRAMS
        or environ.get("TERM", "").startswith(_LINKING_TERMS)
        or (vte.isdigit() and int(vte) >= _FIRST_VTE)
    )


def as_list(hits: Iterable[Hit], look: Look, *, first: int, explain: bool) -> Iterator[bytes]:
    """Yield each hit as lines for people, numbered from `first`."""
    for number, hit in enumerate(hits, first):
        yield "\n".join(_lines(hit, look, number, explain)).encode("utf-8", "replace") + b"\n"


def why(hit: Hit) -> str:
    """Return why a hit matched, in words."""
    found = reasons(hit)
    found += [f"meaning {hit.why['meaning']:.2f}"] if hit.why.get("meaning") is not None else []
    return "; ".join(found) or "filters"


def told(fields: Mapping[str, Any]) -> str:
    """Return fields in words: people: 2; shop: deli."""
    return "; ".join(f"{name}: {_value(value)}" for name, value in fields.items())


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def reasons(hit: Hit) -> list[str]:
    """Return the words and tags that matched, and the date."""
    found = [f"{kind} {', '.join(hit.why[kind])}" for kind in ("words", "tags") if hit.why.get(kind)]
    return [*found, *([f"date {hit.why['date']}"] if hit.why.get("date") else [])]


def _lines(hit: Hit, look: Look, number: int, explain: bool) -> Iterator[str]:
    day = (hit.taken_at or "")[:10] or "no date"
    plain = f"{number:>3}  {hit.score:.2f}  {day:<10}  "
    head = (
        f"{look.styled(f'{number:>3}', _DIM)}  {look.styled(f'{hit.score:.2f}', _GREEN)}  "
        f"{look.styled(f'{day:<10}', _CYAN)}  "
    )
    path = to_bytes(hit.path)
    pieces = _pieces(look.short(path), look.columns - len(plain), look.columns - len(_INDENT))
    for place, piece in enumerate(pieces):
        yield (_INDENT if place else head) + look.linked(look.styled(piece, _BOLD), path)
    if hit.offline:
        yield look.styled(f"{_INDENT}offline: its drive is not there", _DIM)
    if hit.description:
        yield from _paragraph(hit.description, look)
    if hit.fields:
        yield from (look.styled(line, _DIM) for line in _paragraph(told(hit.fields), look))
    if hit.tags:
        yield from (look.styled(line, _DIM) for line in _paragraph("tags: " + ", ".join(hit.tags), look))
    for other in hit.also_at:
        yield f"{_INDENT}also at {look.linked(look.short(to_bytes(other)), to_bytes(other))}"
    reason = why(hit) if explain else "; ".join(reasons(hit))
    if reason:
        yield from (look.styled(line, _DIM) for line in _paragraph(f"why: {reason}", look))


def _pieces(path: str, first: int, others: int) -> list[str]:
    """Cut a path that does not fit between its folders, never within a name."""
    if width(path) <= first:
        return [path]
    pieces = [""]
    for part in path.replace("/", "/\0").split("\0"):
        room = first if len(pieces) == 1 else others
        if pieces[-1] and width(pieces[-1] + part) > room:
            pieces.append(part)
        else:
            pieces[-1] += part
    return pieces


def _paragraph(text: str, look: Look) -> list[str]:
    flat = for_terminal(" ".join(text.split()))
    return [_INDENT + line for line in wrapped(flat, look.columns - len(_INDENT))]
