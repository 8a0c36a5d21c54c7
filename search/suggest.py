"""What may have been meant where a filter found nothing: the tags, cameras and folders of the library nearest to it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from indexer.domain.nearest import did_you_mean
from indexer.domain.tags import distinct
from indexer.storage.paths import resolve_root, to_text
from search.filters import all_spellings, named
from search.query import Index


def suggestions(index: Index, options: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield a line and a hint for each filter whose value the library does not have."""
    wanted = [tag for name in ("tags", "any_tags") for tag in options[name]]
    if wanted:
        known = {tag for tags in index.to_arrow(["tags"]).column("tags").to_pylist() for tag in tags or ()}
        for tag in wanted:
            if known.isdisjoint(all_spellings(distinct([tag]))):
                yield (f"no photo has the tag {tag!r}", did_you_mean(tag.casefold(), known))
    if options["camera"]:
        cameras = [name for name in index.to_arrow(["camera"]).column("camera").unique().to_pylist() if name]
        meant = options["camera"].casefold()
        if not any(meant in name.casefold() for name in cameras):
            words = [word for name in cameras for word in (name, *name.split())]
            yield (f"no photo is of a camera {options['camera']!r}", did_you_mean(options["camera"], words))
    if options["person"]:
        people = index.people()
        if not named(options["person"], people):
            words = [word for name in people for word in (name, *name.split())]
            yield (f"no photo names a person {options['person']!r}", did_you_mean(options["person"], words))
    if options["within"] is not None:
        yield from _folder(index, options["within"])


def _folder(index: Index, within: str) -> Iterator[tuple[str, str]]:
    place = to_text(resolve_root(within))
    paths = index.to_arrow(["path"]).column("path").to_pylist()
    if any(path == place or path.startswith(f"{place}/") for path in paths):
        return
    folders: set[str] = set()
    for path in paths:
        while (path := os.path.dirname(path)) not in folders and len(path) > 1:  # noqa: PTH120
            folders.add(path)
    yield (f"no indexed photo lies in {place}", did_you_mean(place, folders))
