"""Every fault that Vertex and Cloud Storage are known for, and what any service may do."""

from __future__ import annotations

from typing import Any

from tests.whole.fault_cases import GET, LIST, PHOTOS, Case, one, row

_BILLING: dict[str, Any] = {"message": "This API method requires billing to be enabled."}
CREATE = [
    *(one("create", kind) for kind in ("400", "404", "429", "500", "503", "html", "redirect")),
    *(one("create", kind) for kind in ("drop", "hang", "garbage", "empty", "error_in_200", "truncate")),
    *(one("create", kind, when="after") for kind in ("400", "429", "503", "html")),
    *(one("create", kind, when="before") for kind in ("drop", "hang")),
    one("create", "403", **_BILLING),
    one("create", "401"),
    one("create", "503", times=3),
    one("create", "drop", times=2),
]
_SLOW: dict[str, Any] = {"running": 10 * 3600.0}
_SOON: dict[str, Any] = {"deadline": 3600.0}
JOB = [
    one("job", "fail", failed={"server_error": PHOTOS}),
    one("job", "queue_full"),
    one("job", "queue_full", times=3),
    one("job", "expire", failed={"expired": PHOTOS // 2}),
    one("job", "partial"),
    one("job", "no_output_info"),
    one("job", "stuck_pending", options=_SOON),
    one("job", "stuck_running", options=_SOON),
    one("job", "cancel_race", settings=_SLOW, options=_SOON),
    Case("cancelled half way", (), settings=_SLOW, options=_SOON),
    Case("cancel 503", (("cancel", "503", {"nth": 1}),), settings=_SLOW, options=_SOON),
    Case("cancel drop", (("cancel", "drop", {"nth": 1}),), settings=_SLOW, options=_SOON),
]
BUCKET = [
    *(one("permissions", kind) for kind in ("503", "429", "garbage", "drop")),
    *(one("upload", kind) for kind in ("503", "429", "drop", "html", "empty")),
    *(one("upload_piece", kind) for kind in ("503", "429", "410", "drop", "hang", "html", "garbage", "empty")),
    *(one("upload_piece", kind) for kind in ("gone", "short", "wrong_size")),
    one("upload_piece", "503", when="after"),
    one("upload_piece", "503", times=5),
    *(one("object_list", kind) for kind in ("503", "429", "garbage", "empty_page", "drop")),
    *(one("object_delete", kind) for kind in ("404", "drop")),
    one("object_delete", "503", times=10),
]
DOWNLOAD = [
    *(one("download", kind) for kind in ("503", "404", "429", "truncate", "empty", "redirect", "garbage", "hang")),
    *(one("download", kind) for kind in ("torn_last_line", "drop", "html", "error_in_200")),
    one("download", "404", times=10_000, failed={"expired": PHOTOS}, wasted=PHOTOS),
]
ROWS = [
    *(row("error", "server_error", code=code, paid=False) for code in (13, 14, 8)),
    row("error", "rejected", code=3, message="Provided image is not valid.", paid=False),
    row("block", "blocked"),
    *(row("finish", "blocked", reason=why) for why in ("SAFETY", "RECITATION")),
    *(row(kind, "truncated") for kind in ("max_tokens", "max_tokens_no_parts", "repetition")),
    *(row(kind, "malformed") for kind in ("not_json", "wrong_schema", "all_null", "empty_response")),
    *(row(kind, "missing") for kind in ("missing_row", "no_label")),
    row("status_words", "server_error", words="Internal error.", paid=False),
    row("status_words", "rejected", words="The image is not supported.", paid=False),
    *(row(kind) for kind in ("fenced", "prose", "split_text", "thought", "extra_fields", "control", "no_usage")),
    *(row(kind) for kind in ("duplicate_line", "foreign", "server_field", "lone_surrogate", "markup")),
    one("row", "error", code=13, every=1, nth=None, times=PHOTOS, failed={"server_error": PHOTOS}),
]
_ORDINARY: dict[str, Any] = {"options": {"mode": "interactive"}}
CALLS = [
    *(one("ask", kind, **_ORDINARY) for kind in ("429", "500", "503", "408", "html")),
    one("ask", "403", **_BILLING, **_ORDINARY),
    *(one("ask", kind, wasted=1, **_ORDINARY) for kind in ("drop", "hang", "garbage", "empty", "truncate")),
    one("ask", "drop", when="before", **_ORDINARY),
    one("ask", "max_tokens", wasted=1, failed={"truncated": 1}, **_ORDINARY),
    one("ask", "not_json", wasted=1, failed={"malformed": 1}, **_ORDINARY),
    one("ask", "block", wasted=1, failed={"blocked": 1}, blocked=1, **_ORDINARY),
    one("ask", "fenced", **_ORDINARY),
    one("ask", "no_usage", **_ORDINARY),
]
CASES = [*CREATE, *LIST, *GET, *JOB, *BUCKET, *DOWNLOAD, *ROWS, *CALLS]
