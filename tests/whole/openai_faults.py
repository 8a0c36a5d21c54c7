"""Every fault that OpenAI is known for: its own pages, its SDK's issues, and what any service may do."""

from __future__ import annotations

from typing import Any

from tests.whole.fault_cases import GET, LIST, PHOTOS, Case, one, row

_QUOTA: dict[str, Any] = {"code": "insufficient_quota", "message": "You exceeded your current quota."}
CREATE = [
    *(one("create", kind) for kind in ("400", "404", "429", "500", "503", "html", "redirect")),
    *(one("create", kind) for kind in ("drop", "hang", "garbage", "empty", "error_in_200", "truncate")),
    *(one("create", kind, when="after") for kind in ("400", "429", "503", "html")),
    *(one("create", kind, when="before") for kind in ("drop", "hang")),
    one("create", "429", **_QUOTA),
    one("create", "503", times=3),
    one("create", "drop", times=2),
]
_SLOW: dict[str, Any] = {"running": 10 * 3600.0}
_SOON: dict[str, Any] = {"deadline": 3600.0}
JOB = [
    one("job", "fail", failed={"server_error": PHOTOS}),
    one("job", "token_limit"),
    one("job", "token_limit", times=3),
    one("job", "expire", failed={"expired": PHOTOS // 2}),
    one("job", "stuck_validating", options=_SOON),
    one("job", "stuck_in_progress", options=_SOON),
    one("job", "stuck_finalizing"),
    one("job", "stuck_finalizing", options=_SOON),
    one("job", "cancel_race", settings=_SLOW, options=_SOON),
    Case("cancelled half way", (), settings=_SLOW, options=_SOON),
    Case("cancel 503", (("cancel", "503", {"nth": 1}),), settings=_SLOW, options=_SOON),
    Case("cancel drop", (("cancel", "drop", {"nth": 1}),), settings=_SLOW, options=_SOON),
    one("job", "slow", pending=20 * 3600.0),
]
UPLOAD = [
    *(one("upload", kind) for kind in ("503", "429", "drop", "hang", "html", "garbage", "empty", "wrong_size")),
    one("upload", "503", times=5),
]
DOWNLOAD = [
    *(one("download", kind) for kind in ("503", "404", "429", "truncate", "empty", "redirect", "garbage", "hang")),
    *(one("download", kind) for kind in ("torn_last_line", "drop", "html", "error_in_200")),
    one("download", "404", times=10_000, failed={"expired": PHOTOS}, wasted=PHOTOS),
    one("file_delete", "503", times=10),
    one("file_delete", "404"),
]
_REFUSED: dict[str, Any] = {"code": 400, "message": "The image could not be read.", "error_code": "invalid_image"}
ROWS = [
    *(row("status", "server_error", code=code, paid=False) for code in (0, 429, 500, 503)),
    row("status", "rejected", paid=False, **_REFUSED),
    row("expired", "expired", paid=False),
    one("row", "status", every=1, nth=None, times=PHOTOS, failed={"server_error": PHOTOS}),
    row("refusal", "blocked"),
    row("content_filter", "blocked"),
    row("length", "truncated"),
    *(row(kind, "malformed") for kind in ("not_json", "wrong_schema", "all_null", "empty_content", "no_choices")),
    row("torn", "malformed"),
    row("missing", "missing"),
    *(row(kind) for kind in ("fenced", "prose", "control", "extra_fields", "split_text", "no_usage")),
    *(row(kind) for kind in ("duplicate", "foreign")),
]
_ORDINARY: dict[str, Any] = {"options": {"mode": "interactive"}}
_FLEX: dict[str, Any] = {"options": {"mode": "flex"}}
CALLS = [
    *(one("ask", kind, **_ORDINARY) for kind in ("401", "429", "500", "503", "529", "408", "html")),
    one("ask", "error_in_200", when="before", **_ORDINARY),
    one("ask", "429", **_QUOTA, **_ORDINARY),
    *(one("ask", kind, wasted=1, **_ORDINARY) for kind in ("drop", "hang", "garbage", "empty", "truncate")),
    *(one("ask", kind, when="before", **_ORDINARY) for kind in ("drop", "hang")),
    one("ask", "slow", seconds=0.3, **_ORDINARY),
    one("ask", "length", wasted=1, failed={"truncated": 1}, **_ORDINARY),
    one("ask", "not_json", wasted=1, failed={"malformed": 1}, **_ORDINARY),
    one("ask", "refusal", wasted=1, failed={"blocked": 1}, blocked=1, **_ORDINARY),
    one("ask", "content_filter", wasted=1, failed={"blocked": 1}, blocked=1, **_ORDINARY),
    one("ask", "fenced", **_ORDINARY),
    one("ask", "no_usage", **_ORDINARY),
    one("ask", "429", times=9, message="Resource unavailable", code="resource_unavailable", **_FLEX),
    one("ask", "408", **_FLEX),
    one("ask", "downgrade", **_FLEX),
    one("ask", "drop", wasted=1, **_FLEX),
]
TIME = [
    Case("the queue holds one photo", (), settings={"enqueued_tokens": 1500}),
    Case("a lost file is found out late", (("file_get", "404", {}),), settings={"late_file_check": True}),
]
CASES = [*CREATE, *LIST, *GET, *JOB, *UPLOAD, *DOWNLOAD, *ROWS, *CALLS, *TIME]
