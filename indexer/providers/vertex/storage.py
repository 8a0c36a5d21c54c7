"""Objects in a bucket of Google Cloud Storage: sent resumably, listed, read and deleted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from indexer.domain.errors import BadSetting, KeyRefused, NotFound, Refused, Unreachable
from indexer.providers.http import Http

BASE_URL = "https://storage.googleapis.com"
_ADDRESS = re.compile(r"gs://([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])(?:/(.*?))?/*")
_PIECE = 8 << 20  # a multiple of 256 KiB, as the service wants it
_MOST_PAGES = 1000
_NEEDED = tuple(f"storage.objects.{verb}" for verb in ("create", "delete", "get", "list"))
_GOES_ON = 308


@dataclass(frozen=True, slots=True)
class BucketPlace:
    """A bucket and a name, or the beginning of names, in it."""

    bucket: str
    name: str

    @property
    def address(self) -> str:
        """The place as gs://BUCKET/NAME."""
        return f"gs://{self.bucket}/{self.name}" if self.name else f"gs://{self.bucket}"

    def within(self, *names: str) -> BucketPlace:
        """Return a place below this one."""
        return BucketPlace(self.bucket, "/".join((*filter(None, (self.name,)), *names)))


def place(address: str) -> BucketPlace:
    """Read gs://BUCKET/NAME; raises `BadSetting` for anything else."""
    match = _ADDRESS.fullmatch(address.strip())
    if match is None:
        raise BadSetting(f"{address!r} is not the address of a bucket", hint='write it as: bucket = "gs://NAME"')
    return BucketPlace(match[1], match[2] or "")


class Storage:
    """Cloud Storage over its JSON API."""

    def __init__(self, http: Http) -> None:
        self.http = http

    def require(self, where: BucketPlace) -> None:
        """Raise `BadSetting` unless the bucket is there and these credentials may do in it what batches need."""
        query = urlencode([("permissions", name) for name in _NEEDED])
        try:
            told = self.http.get("look at the bucket", f"storage/v1/b/{where.bucket}/iam/testPermissions?{query}")
        except NotFound:
            raise BadSetting(
                f"the bucket gs://{where.bucket} does not exist",
                hint=f"create it with: gcloud storage buckets create gs://{where.bucket}, "
                "or name another under [vertex] in captionary.toml",
            ) from None
        except KeyRefused as fault:
            raise BadSetting(f"the bucket gs://{where.bucket} is closed to you: {fault}", hint=fault.hint) from None
        held = told.get("permissions")
        missing = [name for name in _NEEDED if name not in (held if isinstance(held, list) else ())]
        if missing:
            raise BadSetting(
                f"you lack permissions on the bucket gs://{where.bucket}: {', '.join(missing)}",
                hint=f"ask its owner for: gcloud storage buckets add-iam-policy-binding gs://{where.bucket} "
                "--role=roles/storage.objectUser --member=user:YOU",
            )

    def put(self, path: Path, where: BucketPlace) -> None:
        """Send a file; what a fault interrupts goes on where the service stands."""
        upload = _Upload(self.http, path, where)
        self.http.patiently(upload.attempt)

    def names(self, where: BucketPlace) -> list[tuple[str, int]]:
        """Return the name and the bytes of every object whose name begins as `where` says, in their order."""
        return list(self._listed(where))

    def _listed(self, where: BucketPlace) -> Iterator[tuple[str, int]]:
        token = ""
        for _ in range(_MOST_PAGES):
            query = urlencode({"prefix": where.name} | ({"pageToken": token} if token else {}))
            page = self.http.get("list the bucket", f"storage/v1/b/{where.bucket}/o?{query}")
            items = page.get("items")
            for item in items if isinstance(items, list) else ():
                name, size = (item.get("name"), item.get("size")) if isinstance(item, dict) else (None, None)
                if isinstance(name, str):
                    yield name, int(str(size)) if str(size).isdecimal() else 0
            token = str(page.get("nextPageToken") or "")
            if not token:
                return

    def address_of(self, where: BucketPlace) -> str:
        """Return the path from which an object's bytes come."""
        return f"{_object(where)}?alt=media"

    def delete(self, where: BucketPlace) -> None:
        """Delete every object whose name begins as `where` says; what is gone already is fine."""
        try:
            found = self.names(where)
        except NotFound:
            return
        for name, _ in found:
            path = _object(BucketPlace(where.bucket, name))
            try:
                self.http.patiently(lambda path=path: self.http.send("delete from the bucket", "DELETE", path))  # type: ignore[misc]
            except NotFound:
                continue


class _Upload:
    """One resumable upload; each attempt goes on where the last one was broken off."""

    def __init__(self, http: Http, path: Path, where: BucketPlace) -> None:
        self._http = http
        self._path = path
        self._where = where
        self._size = path.stat().st_size
        self._session = ""

    def attempt(self) -> None:
        """Send what the service does not have yet."""
        at = self._stands() if self._session else self._begin()
        with self._path.open("rb") as stream:
            while at is not None:
                stream.seek(at)
                piece = stream.read(_PIECE)
                at = self._send(piece, f"bytes {at}-{at + len(piece) - 1}/{self._size}")

    def _begin(self) -> int:
        query = urlencode({"uploadType": "resumable", "name": self._where.name})
        said = self._http.send(
            "upload the batch file",
            "POST",
            f"upload/storage/v1/b/{self._where.bucket}/o?{query}",
            content=b"{}",
            headers={"X-Upload-Content-Type": "application/jsonl", "X-Upload-Content-Length": str(self._size)},
        )
        self._session = said.headers.get("location", "")
        if not self._session:
            raise Unreachable("could not upload the batch file: the answer names no upload", hint="try again later")
        return 0

    def _stands(self) -> int | None:
        return self._send(b"", f"bytes */{self._size}")

    def _send(self, piece: bytes, span: str) -> int | None:
        """Return from which byte to go on, None when all is there."""
        what = "upload the batch file"
        try:
            said = self._http.send(
                what,
                "PUT",
                self._session,
                content=piece,
                headers={"Content-Range": span, "Content-Type": "application/jsonl"},
                timeout=self._http.timeouts.upload,
                accept=(_GOES_ON,),
            )
        except (NotFound, Refused) as fault:
            self._session = ""
            raise Unreachable(f"{fault}; the upload begins anew", hint=fault.hint) from None
        if said.status == _GOES_ON:
            held = re.fullmatch(r"bytes=0-(\d{1,15})", said.headers.get("range", ""))
            return int(held[1]) + 1 if held else 0
        size = said.json(what).get("size")
        if str(size) != str(self._size):
            self._session = ""
            raise Unreachable(
                f"the bucket holds {size} of the {self._size} bytes of the batch file", hint="try again later"
            )
        return None


def _object(where: BucketPlace) -> str:
    return f"storage/v1/b/{where.bucket}/o/{quote(where.name, safe='')}"
