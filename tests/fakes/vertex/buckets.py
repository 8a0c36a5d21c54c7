"""Cloud Storage: buckets with permissions, resumable uploads, lists, downloads."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

import google_crc32c

from tests.fakes.service import Json, Refusal, Route
from tests.fakes.wire import Call, Reply

if TYPE_CHECKING:
    from tests.fakes.vertex.service import FakeVertex

PERMISSIONS = tuple(f"storage.objects.{verb}" for verb in ("create", "delete", "get", "list", "update"))
_GRAIN = 256 << 10
_SPAN = re.compile(r"bytes (?:(\d+)-(\d+|\*)|\*)/(\d+|\*)")


class Buckets:
    """The buckets of a service: permissions by name; their objects lie in its memory."""

    def __init__(self, service: FakeVertex, held: dict[str, tuple[str, ...]]) -> None:
        self._service = service
        self._held = held

    def routes(self) -> tuple[Route, ...]:
        """Every call."""
        home = "/storage/v1/b/{id}"
        return (
            Route("bucket", "GET", home, self._bucket),
            Route("permissions", "GET", home + "/iam/testPermissions", self._permissions),
            Route("upload", "POST", "/upload" + home + "/o", self._begin),
            Route("upload_piece", "PUT", "/upload" + home + "/o", self._piece),
            Route("object_list", "GET", home + "/o", self._list),
            Route("download", "GET", home + "/o/{id}", self._object),
            Route("download", "GET", "/download" + home + "/o/{id}", self._object),
            Route("object_delete", "DELETE", home + "/o/{id}", self._delete),
        )

    def put(self, bucket: str, name: str, content: bytes) -> Json:
        """Keep an object."""
        key = f"{bucket}/{name}"
        blob = hashlib.sha256(key.encode()).hexdigest()
        self._service.blob(blob).write_bytes(content)
        told = {
            "kind": "storage#object",
            "name": name,
            "bucket": bucket,
            "size": str(len(content)),
            "contentType": "application/jsonl",
            "md5Hash": base64.b64encode(hashlib.md5(content).digest()).decode(),
            "crc32c": base64.b64encode(google_crc32c.value(content).to_bytes(4, "big")).decode(),
            "generation": "1",
            "metageneration": "1",
            "_blob": blob,
        }
        self._service.put("object", {"id": key, **told})
        return _shown(told)

    def read(self, address: str) -> bytes | None:
        """Return the bytes of gs://BUCKET/NAME, None where there are none."""
        found = self._service.get("object", address.removeprefix("gs://"))
        return self._service.blob(found["_blob"]).read_bytes() if found else None

    def names(self, bucket: str = "") -> list[str]:
        """Return what lies in a bucket, in the order of names."""
        found = self._service.all("object")
        return sorted(each["name"] for each in found if not bucket or each["bucket"] == bucket)

    def _open(self, call: Call, need: str) -> str:
        bucket = call.names[0]
        if bucket not in self._held:
            raise Refusal(404, "The specified bucket does not exist.", "notFound")
        if need and f"storage.objects.{need}" not in self._held[bucket]:
            words = f"does not have storage.objects.{need} access to the Google Cloud Storage object."
            raise Refusal(403, f"captionary@test {words} Permission denied on resource (or it may not exist).")
        return bucket

    def _bucket(self, call: Call) -> Reply:
        bucket = self._open(call, "")
        return Reply(200, {"kind": "storage#bucket", "id": bucket, "name": bucket, "location": "US"})

    def _permissions(self, call: Call) -> Reply:
        bucket = self._open(call, "")
        asked = call.many("permissions")
        if not asked or any(name not in PERMISSIONS for name in asked):
            raise Refusal(400, "Invalid permission.", "invalid")
        held = [name for name in asked if name in self._held[bucket]]
        return Reply(200, {"kind": "storage#testIamPermissionsResponse", **({"permissions": held} if held else {})})

    def _begin(self, call: Call) -> Reply:
        bucket = self._open(call, "create")
        told = call.json()
        name = call.query.get("name") or (told or {}).get("name")
        if call.query.get("uploadType") != "resumable" or not name:
            raise Refusal(400, "Only resumable uploads with a name are taken here.", "invalid")
        made = self._service.new_id("up")
        self._service.put("upload", {"id": made, "bucket": bucket, "name": name})
        self._service.blob(made).write_bytes(b"")
        where = f"{self._service.url}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&upload_id={made}"
        return Reply(200, b"", {"Location": where})

    def _piece(self, call: Call) -> Reply:
        upload = self._service.get("upload", call.query.get("upload_id", ""))
        span = _SPAN.fullmatch(call.headers.get("content-range", ""))
        if upload is None or call.struck("gone"):
            raise Refusal(410, "The upload session is gone.", "gone")
        if span is None:
            raise Refusal(400, "Invalid Content-Range.", "badRequest")
        blob = self._service.blob(upload["id"])
        held = blob.stat().st_size
        if span[1] is not None:
            last = span[3] != "*" and int(span[1]) + len(call.body) == int(span[3])
            if not last and len(call.body) % _GRAIN:
                raise Refusal(400, "Chunks are multiples of 256 KiB.", "badRequest")
            if int(span[1]) == held:
                taken = call.body[:_GRAIN] if call.struck("short") and len(call.body) > _GRAIN else call.body
                with blob.open("ab") as stream:
                    stream.write(taken)
                held += len(taken)
        if span[3] == "*" or held < int(span[3]):
            return Reply(308, b"", {"Range": f"bytes=0-{held - 1}"} if held else {})
        made = self.put(upload["bucket"], upload["name"], blob.read_bytes())
        return Reply(200, {**made, "size": "1"} if call.struck("wrong_size") else made)

    def _list(self, call: Call) -> Reply:
        bucket, prefix = self._open(call, "list"), call.query.get("prefix", "")
        names = [name for name in self.names(bucket) if name.startswith(prefix)]
        names = [name for name in names if name > call.query.get("pageToken", "")]
        size = int(self._service.settings.get("page", 1000))
        items = [_shown(self._service.get("object", f"{bucket}/{name}") or {}) for name in names[:size]]
        if call.struck("empty_page"):
            return Reply(200, {"kind": "storage#objects", "nextPageToken": call.query.get("pageToken") or "!"})
        more = {"nextPageToken": names[size - 1]} if len(names) > size else {}
        return Reply(200, {"kind": "storage#objects", **({"items": items} if items else {}), **more})

    def _object(self, call: Call) -> Reply:
        bucket, name = self._open(call, "get"), unquote(call.names[1])
        found = self._service.get("object", f"{bucket}/{name}")
        if found is None:
            raise Refusal(404, f"No such object: {bucket}/{name}", "notFound")
        if call.query.get("alt") != "media":
            return Reply(200, _shown(found))
        return Reply(200, self._service.blob(found["_blob"]), {"Content-Type": "application/octet-stream"})

    def _delete(self, call: Call) -> Reply:
        bucket, name = self._open(call, "delete"), unquote(call.names[1])
        if self._service.get("object", f"{bucket}/{name}") is None:
            raise Refusal(404, f"No such object: {bucket}/{name}", "notFound")
        self._service.drop("object", f"{bucket}/{name}")
        return Reply(204, b"")


def _shown(told: Json) -> Json:
    return {name: value for name, value in told.items() if name != "_blob"}
