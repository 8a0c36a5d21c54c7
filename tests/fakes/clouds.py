"""What of Google Cloud Storage and Azure Blob Storage a reader of objects needs: one bucket, listed by pages, read."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

_PAGE = 2
_DATE = "Thu, 26 Nov 2026 10:00:00 GMT"


def _etag(content: bytes) -> str:
    return f'"{md5(content).hexdigest()}"'


def _google(entries: list[tuple[str, bytes]], after: str) -> str:
    items = "".join(
        f"<Contents><Key>{escape(key)}</Key><LastModified>2026-11-26T10:00:00.000Z</LastModified>"
        f"<ETag>{escape(_etag(content))}</ETag><Size>{len(content)}</Size></Contents>"
        for key, content in entries
    )
    mark = f"<NextContinuationToken>{escape(after)}</NextContinuationToken>" if after else ""
    return f"<ListBucketResult>{items}<IsTruncated>{str(bool(after)).lower()}</IsTruncated>{mark}</ListBucketResult>"


def _azure(entries: list[tuple[str, bytes]], after: str) -> str:
    items = "".join(
        f"<Blob><Name>{escape(key)}</Name><Properties><Last-Modified>{_DATE}</Last-Modified>"
        f"<Etag>{escape(_etag(content))}</Etag><Content-Length>{len(content)}</Content-Length>"
        "<Content-Type>image/jpeg</Content-Type><BlobType>BlockBlob</BlobType></Properties></Blob>"
        for key, content in entries
    )
    return f"<EnumerationResults><Blobs>{items}</Blobs><NextMarker>{escape(after)}</NextMarker></EnumerationResults>"


class _Handler(BaseHTTPRequestHandler):
    objects: Mapping[str, bytes] = {}
    bucket = ""

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        place, asked = urlsplit(self.path), parse_qs(urlsplit(self.path).query)
        _, _, key = unquote(place.path).partition(f"/{self.bucket}")
        key = key.strip("/")
        if not unquote(place.path).count(f"/{self.bucket}") or (key and key not in self.objects):
            self._send(404, b"<Error><Code>NoSuchKey</Code></Error>", "", with_body=with_body)
        elif key:
            content = self.objects[key]
            told = self.headers.get("Range") or self.headers.get("x-ms-range") or ""
            first, _, last = told.removeprefix("bytes=").partition("-")
            part = content[int(first) : int(last) + 1] if told else content
            reach = f"bytes {first}-{int(first) + len(part) - 1}/{len(content)}" if told else ""
            self._send(206 if told else 200, part, _etag(content), reach=reach, with_body=with_body)
        else:
            listed = _azure if asked.get("comp") == ["list"] else _google
            begins = asked.get("prefix", [""])[0]
            after = (asked.get("marker") or asked.get("continuation-token") or [""])[0]
            left = [one for one in sorted(self.objects.items()) if one[0].startswith(begins) and one[0] > after]
            mark = left[_PAGE - 1][0] if len(left) > _PAGE else ""
            self._send(200, listed(left[:_PAGE], mark).encode(), "", with_body=with_body)

    def _send(self, status: int, body: bytes, etag: str, *, reach: str = "", with_body: bool) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", _DATE)
        for name, value in (("ETag", etag), ("Content-Range", reach)):
            if value:
                self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def cloud(bucket: str, objects: Mapping[str, bytes]) -> Iterator[str]:
    """Serve `objects` as the bucket of that name, to clients of either cloud; yields the address of the server."""
    handler = type("Handler", (_Handler,), {"bucket": bucket, "objects": objects})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
