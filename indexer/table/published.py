"""The table on object storage: a copy that other machines search, kept level with the one in the library.

It is written through LanceDB's own client, so that `s3://`, `gs://` and `az://` go by one door. The library's own table
stays where it is: composing and searching here cost nothing more, and the copy can be made again from it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer.domain.answer_fields import Field
from indexer.domain.errors import BadSetting, LibraryLocked, LibraryUnwritable
from indexer.storage import objects
from indexer.table.dataset import TABLE, connect_to, index_words, open_table
from indexer.table.maintenance import index_columns
from indexer.table.photo_table import PhotoRow, PhotoTable

if TYPE_CHECKING:
    from lancedb.db import DBConnection

_OWNER = "captionary_owner"
_KEPT = timedelta(hours=1)


class Published:
    """The copy at `uri`, for the one library that may write it."""

    def __init__(self, uri: str, library: str) -> None:
        self.uri = uri
        self._library = library
        self._table: PhotoTable | None = None
        self._database: DBConnection | None = None

    def upsert(self, rows: Iterable[PhotoRow], own: Sequence[Field]) -> None:
        """Write `rows`, replacing those of the same paths."""
        with _told(self.uri):
            table = self._opened()
            table.widen(own)
            table.upsert(rows)

    def delete(self, paths: Sequence[str]) -> None:
        """Remove the rows of `paths`."""
        with _told(self.uri):
            self._opened().delete(paths)

    def replace(self, local: Path) -> None:
        """Let the copy become what the table in the database `local` is, in one version."""
        with _told(self.uri):
            self._own()
            data = open_table(local).to_lance()
            table = self._connected().create_table(
                TABLE, data=data.scanner().to_reader(), schema=data.schema, mode="overwrite", on_bad_vectors="null"
            )
            index_words(table)
            self._table = PhotoTable(local, table)

    def count(self) -> int:
        """Return the number of rows, -1 where there is no table yet."""
        with _told(self.uri):
            return self._opened().count() if TABLE in self._connected().table_names() else -1

    def maintain(self) -> None:
        """Compact and index what was written, so that the copy is searched as quickly as the table here."""
        with _told(self.uri), suppress(NotImplementedError):
            table = self._connected().open_table(TABLE)
            index_columns(table)
            table.optimize(cleanup_older_than=_KEPT)

    def _opened(self) -> PhotoTable:
        if self._table is None:
            self._own()
            self._table = PhotoTable(Path(), self._connected().open_table(TABLE))
        return self._table

    def _connected(self) -> DBConnection:
        if self._database is None:
            self._database = connect_to(self.uri, storage(self.uri))
        return self._database

    def _own(self) -> None:
        """Make this library the one that writes here; raises `LibraryLocked` where another one does."""
        import pyarrow as pa

        database = self._connected()
        if _OWNER not in database.table_names():
            _refuse_unconditional(self.uri)
            with suppress(ValueError, OSError, RuntimeError):  # another one was quicker: it is read below
                database.create_table(_OWNER, data=pa.table({"library": [self._library]}), mode="create")
        held = database.open_table(_OWNER).to_arrow().column("library").to_pylist()
        if held != [self._library]:
            raise LibraryLocked(
                f"the table at {self.uri} is written by another library",
                hint="name another place in [table] uri, or delete what lies there",
            )


def address_in(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the `uri` of the table [table], "" for nowhere; raises `BadSetting` for one that cannot hold a copy."""
    uri = str(tables.get("table", {}).get("uri", ""))
    if uri.startswith("db:"):
        hint = "name a bucket; LanceDB Cloud and Enterprise import from object storage themselves"
        raise BadSetting(f"[table] uri = {uri!r}: tables of LanceDB Cloud and Enterprise are not supported", hint=hint)
    if uri and not uri.startswith(("s3://", "gs://", "az://")):
        raise BadSetting(f"[table] uri = {uri!r} is not an address", hint="s3://BUCKET/PREFIX, gs://... or az://...")
    return uri


def storage(uri: str) -> dict[str, str]:
    """What LanceDB must be told of a store beside what it finds in the environment."""
    plain = any(os.environ.get(name, "").startswith("http://") for name in objects.ENDPOINTS)
    told = objects.keys_of(uri) if uri.startswith("s3:") else {}
    return {**told, "allow_http": "true"} if plain else told


def _refuse_unconditional(uri: str) -> None:
    """Raise `LibraryUnwritable` for a store that lets two writers make the same object."""
    if not objects.has_conditional_writes(uri.encode()):
        raise LibraryUnwritable(
            f"the store of {uri} lacks conditional writes, without which two writers destroy a table",
            hint="choose another store, or keep the table in the library",
        )


class _told:
    """Say in a library's words what LanceDB could not do."""

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, fault: BaseException | None, trace: object) -> None:
        if isinstance(fault, OSError | ValueError | RuntimeError):
            raise LibraryUnwritable(
                f"the table at {self._uri} cannot be written; the one in the library is whole",
                hint="check the network and the credentials, then run the same command again",
            ) from fault
