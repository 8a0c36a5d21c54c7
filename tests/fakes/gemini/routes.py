"""The public API: which path is which call, and what each call answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

from tests.fakes.gemini import models, protojson
from tests.fakes.gemini.faults import Fault
from tests.fakes.gemini.files import Files
from tests.fakes.gemini.generate import token_details
from tests.fakes.gemini.jobs import Jobs, alter_operation
from tests.fakes.gemini.rowfaults import alter
from tests.fakes.gemini.service import Caller, Service
from tests.fakes.gemini.wire import (
    NO_CREDIT,
    ApiError,
    Json,
    Reply,
    json_reply,
    key_leaked,
    key_missing,
    key_not_valid,
    quota_exceeded,
)

_V = r"/(?P<version>v1|v1beta|v1alpha)"
_FILE = r"/files/(?P<name>[^/:]+)"
_ROUTES = [
    ("upload_chunk", "POST|PUT", rf"/upload{_V}/files\?upload"),
    ("upload_start", "POST", rf"/upload{_V}/files"),
    ("download", "GET", rf"(?:/download)?{_V}{_FILE}:download"),
    ("file_list", "GET", rf"{_V}/files"),
    ("file_get", "GET", rf"{_V}{_FILE}"),
    ("file_delete", "DELETE", rf"{_V}{_FILE}"),
    ("create", "POST", rf"{_V}/models/(?P<name>[^/:]+):batchGenerateContent"),
    ("generate", "POST", rf"{_V}/models/(?P<name>[^/:]+):generateContent"),
    ("count_tokens", "POST", rf"{_V}/models/(?P<name>[^/:]+):countTokens"),
    ("model_list", "GET", rf"{_V}/models"),
    ("model_get", "GET", rf"{_V}/models/(?P<name>[^/:]+)"),
    ("list", "GET", rf"{_V}/batches"),
    ("get", "GET", rf"{_V}/batches/(?P<name>[^/:]+)"),
    ("cancel", "POST", rf"{_V}/batches/(?P<name>[^/:]+):cancel"),
    ("delete", "DELETE", rf"{_V}/batches/(?P<name>[^/:]+)"),
]
_COMPILED = [(name, methods.split("|"), re.compile(pattern)) for name, methods, pattern in _ROUTES]


@dataclass(slots=True)
class Request:
    """One call as it came in; `body` holds small bodies, `stream` the chunks of uploads."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    stream: BinaryIO
    length: int
    body: bytes = b""
    route: str = ""
    version: str = ""
    name: str = ""
    faults: list[Fault] = field(default_factory=list)

    @property
    def key(self) -> str:
        """The raw API key, "" when none was sent."""
        return self.headers.get("x-goog-api-key") or self.query.get("key", "")

    def fault(self, *kinds: str) -> Fault | None:
        """Return the first fired fault of these kinds."""
        return next((fault for fault in self.faults if fault.kind in kinds), None)


def match(request: Request) -> bool:
    """Fill in route, version and name; False for a path that is none of ours."""
    path = request.path + ("?upload" if "upload_id" in request.query else "")
    for name, methods, pattern in _COMPILED:
        found = pattern.fullmatch(path)
        if found and request.method in methods:
            groups = found.groupdict()
            request.route, request.version, request.name = name, groups["version"], groups.get("name", "")
            return True
    return False


class Api:
    """Answers calls; refusals are raised as `ApiError`."""

    def __init__(self, service: Service, files: Files, jobs: Jobs) -> None:
        self._service = service
        self._files = files
        self._jobs = jobs
        self._handlers: dict[str, Callable[[Request, Caller], Reply]] = {
            "upload_start": self._upload_start,
            "file_list": self._file_list,
            "file_get": lambda request, caller: files.get(caller, request.name),
            "file_delete": lambda request, caller: files.delete(caller, request.name),
            "download": lambda request, caller: files.download(caller, request.name),
            "create": self._create,
            "get": self._get,
            "list": self._list,
            "cancel": self._cancel,
            "delete": self._delete,
            "generate": self._generate,
            "count_tokens": self._count_tokens,
            "model_list": self._model_list,
            "model_get": self._model_get,
        }

    def answer(self, request: Request) -> Reply:
        """Answer one matched request."""
        if request.route == "upload_chunk":
            return self._upload_chunk(request)
        return self._handlers[request.route](request, self._authenticate(request.key))

    def _authenticate(self, key: str) -> Caller:
        if not key:
            raise key_missing()
        if key in self._service.settings.refused_keys:
            raise key_not_valid()
        if key in self._service.settings.leaked_keys:
            raise key_leaked()
        return self._service.caller(key)

    def _upload_start(self, request: Request, caller: Caller) -> Reply:
        if request.headers.get("x-goog-upload-protocol") != "resumable":
            raise ApiError(3, "Only the resumable upload protocol is supported.")
        if request.headers.get("x-goog-upload-command") != "start":
            raise ApiError(3, "Invalid upload command.")
        meta = protojson.body(request.body, "CreateFileRequest")
        session = self._files.start(caller, meta, request.headers)
        # The address must lead back here by whatever name the client used for us.
        base = f"http://{request.headers.get('host', '')}{request.path}"
        headers = {
            "X-Goog-Upload-URL": f"{base}?upload_id={session}&upload_protocol=resumable",
            "X-Goog-Upload-Control-URL": f"{base}?upload_id={session}&upload_protocol=resumable",
            "X-Goog-Upload-Status": "active",
            "X-Goog-Upload-Chunk-Granularity": "8388608",
        }
        if request.fault("no_url"):
            headers = {"X-Goog-Upload-Status": "active"}
        return Reply(headers=headers, content_type="text/plain; charset=utf-8")

    def _upload_chunk(self, request: Request) -> Reply:
        session = self._files.session(request.query["upload_id"])
        commands = {word.strip() for word in request.headers.get("x-goog-upload-command", "").split(",")}
        if not commands or not commands <= {"upload", "finalize", "query"}:
            raise ApiError(3, "Invalid upload command.")
        received = int(session["received"])
        if "upload" in commands:
            offset = int(request.headers.get("x-goog-upload-offset", "0"))
            received = self._files.receive(session, offset, request.length, request.stream)
        if "finalize" not in commands:
            status = "final" if session["done"] else "active"
            headers = {"X-Goog-Upload-Status": status, "X-Goog-Upload-Size-Received": str(received)}
            return Reply(headers=headers, content_type="text/plain; charset=utf-8")
        fate = request.fault("processing", "processing_failed")
        return _finished(request, self._files.finish(session, received, fate))

    def _file_list(self, request: Request, caller: Caller) -> Reply:
        size, token = _page(request, 10)
        files, more = self._files.list(caller, size, token)
        return json_reply(_listing("files", files, more, request))

    def _create(self, request: Request, caller: Caller) -> Reply:
        model = models.find(request.name, "batchGenerateContent", request.version)
        batch = protojson.body(request.body, "BatchGenerateContentRequest").get("batch")
        if not batch:
            raise ApiError(3, "* BatchGenerateContentRequest.batch: batch is required\n")
        return json_reply(self._jobs.create(caller, model, batch))

    def _get(self, request: Request, caller: Caller) -> Reply:
        operation = self._jobs.operation(self._jobs.find(caller, request.name))
        for fault in request.faults:
            operation = alter_operation(operation, fault)
        return json_reply(operation)

    def _list(self, request: Request, caller: Caller) -> Reply:
        size, token = _page(request, 50)
        lag = request.fault("lag")
        operations, more = self._jobs.list(caller, size, token, lag.params.get("seconds", 5.0) if lag else 0.0)
        if request.fault("duplicates") and token.isdigit():
            previous, _ = self._jobs.list(caller, 1, str(int(token) + 1))
            operations = previous + operations
        return json_reply(_listing("operations", operations, more, request))

    def _cancel(self, request: Request, caller: Caller) -> Reply:
        self._jobs.cancel(caller, request.name)
        return json_reply({})

    def _delete(self, request: Request, caller: Caller) -> Reply:
        self._jobs.delete(caller, request.name)
        return json_reply({})

    def _generate(self, request: Request, caller: Caller) -> Reply:
        model = models.find(request.name, "generateContent", request.version)
        if caller.broke:
            raise ApiError(8, NO_CREDIT)
        self._free_allowance(caller, model.name)
        ask = protojson.body(request.body, "GenerateContentRequest")
        served = self._service.brain.answer(ask, model, lambda uri: self._files.read(uri, caller.project))
        for fault in request.faults:
            alter(served, fault)
        self._service.book(caller, model.name, served)
        if served.error is not None:
            raise served.error
        return json_reply(served.response or {})

    def _free_allowance(self, caller: Caller, model: str) -> None:
        allowed = self._service.settings.free_requests
        if not caller.free or not allowed:
            return
        now = self._service.clock.now()
        sql = "SELECT count(*), min(at) FROM served WHERE key = ? AND lane = 'interactive' AND at > ?"
        count, oldest = self._service.store.rows(sql, caller.key, now - 60)[0]
        if count >= allowed:
            raise quota_exceeded("generate_content_free_tier_requests", allowed, model, round(oldest + 60 - now, 1))

    def _count_tokens(self, request: Request, caller: Caller) -> Reply:
        model = models.find(request.name, "countTokens", request.version)
        ask = protojson.body(request.body, "CountTokensRequest")
        inner = ask.get("generate_content_request") or ask
        tokens = self._service.brain.count(inner, model, lambda uri: self._files.read(uri, caller.project))
        return json_reply({"totalTokens": sum(tokens), "promptTokensDetails": token_details(tokens)})

    def _model_get(self, request: Request, caller: Caller) -> Reply:
        return json_reply(models.describe(models.find(request.name, "GetModel", request.version)))

    def _model_list(self, request: Request, caller: Caller) -> Reply:
        return json_reply({"models": [models.describe(model) for model in models.MODELS.values()]})


def _finished(request: Request, file: Json) -> Reply:
    if fault := request.fault("wrong_size"):
        file["sizeBytes"] = str(fault.params.get("size", int(file["sizeBytes"]) + 1))
    reply = json_reply({"file": file}, headers={"X-Goog-Upload-Status": "final"})
    if request.fault("no_file"):
        reply = json_reply({}, headers=reply.headers)
    if request.fault("stay_active"):
        reply.headers["X-Goog-Upload-Status"] = "active"
    if request.fault("no_status"):
        reply.headers.clear()
    return reply


def _page(request: Request, default: int) -> tuple[int, str]:
    size = request.query.get("pageSize") or request.query.get("page_size") or str(default)
    if not size.isdigit():
        raise ApiError(3, f"Invalid value at 'page_size' (TYPE_INT32), \"{size}\"")
    return min(int(size) or default, 1000), request.query.get("pageToken") or request.query.get("page_token", "")


def _listing(name: str, items: list[Json], more: str, request: Request) -> Json:
    first = not (request.query.get("pageToken") or request.query.get("page_token"))
    if request.fault("empty_page") and first:
        # Nothing on this page, everything on the next one.
        return {"nextPageToken": str(1 << 59)}
    if request.fault("dangling_token") and items and not more:
        more = "1"
    document: Json = {name: items} if items else {}
    if more:
        document["nextPageToken"] = more
    return document
