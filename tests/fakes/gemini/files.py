"""Uploaded and generated files."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from pathlib import Path
from typing import BinaryIO

from tests.fakes.gemini.clock import stamp
from tests.fakes.gemini.faults import Fault
from tests.fakes.gemini.service import Caller, Service, new_id
from tests.fakes.gemini.store import Row
from tests.fakes.gemini.wire import ApiError, Json, Reply, file_denied, json_reply, quota_exceeded

HOST = "https://generativelanguage.googleapis.com"
TOO_LONG = "File ID (name excluding 'files/') cannot be more than 40 characters"
_PIECE = 1 << 20
_ID = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


class Files:
    """Upload sessions and the file store of every project."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._uploads = service.home / "uploads"
        self._data = service.home / "files"
        self._uploads.mkdir(exist_ok=True)
        self._data.mkdir(exist_ok=True)

    def start(self, caller: Caller, meta: Json, headers: dict[str, str]) -> str:
        """Open an upload session and return its id."""
        file = meta.get("file", {})
        declared = int(headers.get("x-goog-upload-header-content-length") or file.get("size_bytes") or 0)
        self._room_for(caller, declared)
        name = str(file.get("name", "")).removeprefix("files/")
        if name and len(name) > 40:
            raise ApiError(3, TOO_LONG)
        if name and not _ID.fullmatch(name):
            raise ApiError(3, "File ID can only contain lowercase alphanumeric characters and dashes (-).")
        if name and self._service.store.row("SELECT 1 FROM files WHERE id = ?", name):
            raise ApiError(9, f"File files/{name} already exists.")
        session = new_id(24)
        self._service.store.insert(
            "uploads",
            id=session,
            project=caller.project,
            key=caller.key,
            file=name,
            display_name=file.get("display_name"),
            mime_type=file.get("mime_type") or headers.get("x-goog-upload-header-content-type", ""),
            declared=declared,
        )
        (self._uploads / session).touch()
        return session

    def _room_for(self, caller: Caller, size: int) -> None:
        settings = self._service.settings
        if size > settings.max_file_bytes:
            raise ApiError(3, f"File size is too large. Maximum file size is {settings.max_file_bytes} bytes.")
        now = self._service.clock.now()
        sql = "SELECT coalesce(sum(size), 0) FROM files WHERE project = ? AND expires > ? AND source = 'UPLOADED'"
        if self._service.store.value(sql, caller.project, now) + size > settings.max_storage_bytes:
            raise quota_exceeded("file_storage_bytes", settings.max_storage_bytes)

    def session(self, upload: str) -> Row:
        """Return an upload session; raises the 404 for one that is not known."""
        row = self._service.store.row("SELECT * FROM uploads WHERE id = ?", upload)
        if row is None:
            raise ApiError(5, "Upload session not found.")
        return row

    def receive(self, session: Row, offset: int, length: int, stream: BinaryIO) -> int:
        """Write one chunk to disk and return how many bytes the session holds; a torn chunk leaves no trace."""
        # A client that missed our answer sends the last chunk again: take it, do not append it.
        if offset not in (session["received"], session["last_offset"]):
            expected = session["received"]
            raise ApiError(3, f"Upload offset {offset} does not match the number of bytes received, {expected}.")
        if offset + length > session["declared"]:
            raise ApiError(3, f"Received more bytes than the declared length of {session['declared']}.")
        # After the end the bytes are read away only: the file stands already.
        with (Path(os.devnull) if session["done"] else self._uploads / session["id"]).open("r+b") as target:
            left = length
            if not session["done"]:
                target.truncate(offset)
                target.seek(offset)
            while left and (piece := stream.read(min(left, _PIECE))):
                target.write(piece)
                left -= len(piece)
            if left:
                if not session["done"]:
                    target.truncate(offset)
                raise ConnectionError("the client went away within a chunk")
        self._service.store.update("uploads", session["id"], received=offset + length, last_offset=offset)
        return offset + length

    def finish(self, session: Row, received: int, fault: Fault | None) -> Json:
        """Turn a complete session into a file, once; a repeated call answers with the same file."""
        if received != session["declared"]:
            raise ApiError(3, f"Upload is not complete: {received} of {session['declared']} bytes received.")
        if session["done"]:
            return resource(self.find(session["file"], session["project"]), self._service.clock.now())
        return self._store_file(session, received, fault)

    def _store_file(self, session: Row, size: int, fault: Fault | None) -> Json:
        source = self._uploads / session["id"]
        with source.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").digest()
        file_id = session["file"] or new_id(12)
        path = self._data / file_id
        source.rename(path)
        now = self._service.clock.now()
        with self._service.store.together():
            self._service.store.insert(
                "files",
                id=file_id,
                project=session["project"],
                display_name=session["display_name"],
                mime_type=session["mime_type"],
                size=size,
                created=now,
                expires=now + self._service.settings.file_life,
                sha256=base64.b64encode(digest).decode(),
                source="UPLOADED",
                path=str(path),
                **_fate(fault, now),
            )
            self._service.store.update("uploads", session["id"], done=1, file=file_id)
        return resource(self.find(file_id, session["project"]), now)

    def add_result(self, job: Row, path: Path, now: float) -> None:
        """Register a finished result file."""
        self._service.store.insert(
            "files",
            id="batch-" + job["id"],
            project=job["project"],
            mime_type="application/jsonl",
            size=path.stat().st_size,
            created=now,
            expires=now + self._service.settings.result_life,
            state="ACTIVE",
            source="GENERATED",
            path=str(path),
        )

    def find(self, name: str, project: str, moment: float | None = None) -> Row:
        """Return a file that exists at `moment` (default now) for this project; raises the 403 otherwise."""
        when = self._service.clock.now() if moment is None else moment
        row = self._service.store.row("SELECT * FROM files WHERE id = ?", name.removeprefix("files/"))
        if row is None or row["project"] != project or row["expires"] <= when:
            raise file_denied(name)
        return row

    def usable(self, name: str, project: str, moment: float | None = None) -> Row:
        """Return a file that a request may use: it exists and is ACTIVE."""
        row = self.find(name, project, moment)
        if state(row, self._service.clock.now()) != "ACTIVE":
            raise ApiError(9, f"The File {row['id']} is not in an ACTIVE state and usage is not allowed.")
        return row

    def read(self, uri: str, project: str, moment: float | None = None) -> tuple[bytes, str]:
        """Return bytes and mime type of the file that a uri names."""
        match = re.search(r"(?:^|/)files/([a-z0-9-]+)$", uri)
        if match is None:
            raise ApiError(3, f"Unsupported file uri: {uri}")
        row = self.usable(match[1], project, moment)
        return Path(row["path"]).read_bytes(), row["mime_type"]

    def get(self, caller: Caller, name: str) -> Reply:
        """Answer files.get."""
        if len(name) > 40:
            raise ApiError(3, TOO_LONG)
        return json_reply(resource(self.find(name, caller.project), self._service.clock.now()))

    def delete(self, caller: Caller, name: str) -> Reply:
        """Answer files.delete."""
        if len(name) > 40:
            raise ApiError(3, TOO_LONG)
        row = self.find(name, caller.project)
        self._service.store.rows("DELETE FROM files WHERE id = ?", row["id"])
        Path(row["path"]).unlink(missing_ok=True)
        return json_reply({})

    def list(self, caller: Caller, size: int, token: str) -> tuple[list[Json], str]:
        """Return one page of files, newest first, and the token of the next page."""
        now = self._service.clock.now()
        sql = "SELECT *, rowid FROM files WHERE project = ? AND expires > ? AND rowid < ? ORDER BY rowid DESC LIMIT ?"
        before = int(token) if token.isdigit() else 1 << 60
        rows = self._service.store.rows(sql, caller.project, now, before, size + 1)
        more = str(rows[size - 1]["rowid"]) if len(rows) > size else ""
        return [resource(row, now) for row in rows[:size]], more

    def download(self, caller: Caller, name: str) -> Reply:
        """Answer the download of a generated file."""
        row = self.find(name, caller.project)
        if row["source"] != "GENERATED":
            raise ApiError(3, "Only generated files can be downloaded.")
        return Reply(file=Path(row["path"]), content_type="application/octet-stream")


def _fate(fault: Fault | None, now: float) -> dict[str, object]:
    if fault is None or fault.kind not in ("processing", "processing_failed"):
        return {"state": "ACTIVE"}
    end = "FAILED" if fault.kind == "processing_failed" else "ACTIVE"
    return {"state": "PROCESSING", "turns": now + fault.params.get("seconds", 1.0), "turns_to": end}


def state(row: Row, now: float) -> str:
    """Return the state of a file at this moment."""
    return str(row["turns_to"] if row["turns"] is not None and now >= row["turns"] else row["state"])


def resource(row: Row, now: float) -> Json:
    """Return the File resource."""
    name = f"files/{row['id']}"
    document: Json = {"name": name}
    if row["display_name"]:
        document["displayName"] = row["display_name"]
    document |= {
        "mimeType": row["mime_type"],
        "sizeBytes": str(row["size"]),
        "createTime": stamp(row["created"]),
        "updateTime": stamp(row["created"]),
        "expirationTime": stamp(row["expires"]),
        "uri": f"{HOST}/v1beta/{name}",
        "state": state(row, now),
        "source": row["source"],
    }
    if row["sha256"]:
        document["sha256Hash"] = row["sha256"]
    if row["source"] == "GENERATED":
        document["downloadUri"] = f"{HOST}/v1beta/{name}:download?alt=media"
    if document["state"] == "FAILED":
        document["error"] = {"code": 13, "message": "File processing failed."}
    return document
