"""What may have been meant where a filter found nothing: the tags, cameras and folders of the library nearest to it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from os import PathLike

from indexer.domain.nearest import did_you_mean
from indexer.domain.tags import distinct
from indexer.storage.paths import resolve_root, to_text
from search.filters import all_spellings, named
from search.language import Understood
from search.query import Index


def suggestions(index: Index, query: Understood) -> Iterator[tuple[str, str]]:
    """Yield a line and a hint for each filter of a search whose value the library does not have."""
    wanted = [*query.tags, *query.any_tags]
    if wanted:
        known = {tag for tags in index.to_arrow(["tags"]).column("tags").to_pylist() for tag in tags or ()}
        for tag in wanted:
            if known.isdisjoint(all_spellings(distinct([tag]))):
                yield (f"no photo has the tag {tag!r}", did_you_mean(tag.casefold(), known))
    if query.camera:
        cameras = [name for name in index.to_arrow(["camera"]).column("camera").unique().to_pylist() if name]
        meant = query.camera.casefold()
        if not any(meant in name.casefold() for name in cameras):
            words = [word for name in cameras for word in (name, *name.split())]
            yield (f"no photo is of a camera {query.camera!r}", did_you_mean(query.camera, words))
    if query.person:
        people = index.people()
        if not named(query.person, people):
            words = [word for name in people for word in (name, *name.split())]
            yield (f"no photo has a person named {query.person!r}", did_you_mean(query.person, words))
    if query.within is not None:
        yield from _folder(index, query.within)


def _folder(index: Index, within: str | PathLike[str]) -> Iterator[tuple[str, str]]:
    place = to_text(resolve_root(within))
    paths = index.to_arrow(["path"]).column("path").to_pylist()
    if any(path == place or path.startswith(f"{place}/") for path in paths):
        return
    folders: set[str] = set()
    for path in paths:
        while (path := os.path.dirname(path)) not in folders and len(path) > 1:  # noqa: PTH120
            folders.add(path)
    yield (f"no indexed photo lies in {place}", did_you_mean(place, folders))
