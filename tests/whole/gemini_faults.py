"""Every fault that Gemini is known for."""

from __future__ import annotations

from tests.whole.fault_cases import PHOTOS, Case, lost_create, one, row

CREATE = [
    *(one("create", kind) for kind in ("400", "unknown_name", "404", "429", "500", "503", "html", "quota")),
    *(one("create", kind) for kind in ("drop", "hang", "garbage", "empty")),
    *(one("create", kind, when="after") for kind in ("400", "429", "503", "html")),
    *(one("create", kind, when="before") for kind in ("drop", "hang")),
    one("create", "503", times=3),
    one("create", "drop", times=2),
]
LIST = [
    lost_create("lag", seconds=40),
    lost_create("empty_page"),
    lost_create("dangling_token"),
    lost_create("duplicates"),
    lost_create("503", nth=1),
    lost_create("429", nth=1),
]
GET = [
    *(one("get", kind) for kind in ("503", "429", "404", "500", "html", "garbage", "empty", "drop", "hang")),
    *(one("get", kind) for kind in ("unknown_state", "missing_state", "flap", "slow")),
    *(one("get", kind, times=20, nth=1) for kind in ("503", "429")),
    one("get", "no_output", times=2),
    one("get", "response_only", times=100),
]
JOB = [
    one("job", "fail", failed={"server_error": PHOTOS}),
    one("job", "expire", failed={"expired": PHOTOS}),
    one("job", "stuck_pending", options={"deadline": 3600.0}),
    one("job", "stuck_running", options={"deadline": 3600.0}),
]
UPLOAD = [
    *(one("upload_start", kind) for kind in ("503", "429", "no_url", "drop", "html")),
    *(one("upload_chunk", kind) for kind in ("503", "no_status", "stay_active", "no_file", "wrong_size")),
    *(one("upload_chunk", kind) for kind in ("processing", "processing_failed", "drop")),
    one("upload", "503", times=5),
]
DOWNLOAD = [
    *(one("download", kind) for kind in ("503", "404", "429", "truncate", "stall", "empty", "redirect", "garbage")),
    *(one("download", kind) for kind in ("torn_last_line", "drop", "html", "hang")),
    one("download", "404", times=10_000, failed={"expired": PHOTOS}, wasted=PHOTOS),
    one("file_delete", "503", times=10),
    one("file_delete", "404"),
]
ROWS = [
    *(row("error", "server_error", code=code, paid=False) for code in (13, 14, 4)),
    row("error", "rejected", code=3, message="bad image", paid=False),
    row("error", code=1),
    row("block", "blocked"),
    *(row("finish", "blocked", reason=why) for why in ("SAFETY", "RECITATION", "PROHIBITED_CONTENT")),
    *(row(kind, "truncated") for kind in ("max_tokens", "max_tokens_no_parts", "repetition")),
    *(row(kind, "malformed") for kind in ("not_json", "wrong_schema", "all_null")),
    *(row(kind, "missing") for kind in ("missing_row", "no_key", "key_not_text")),
    *(row(kind) for kind in ("fenced", "prose", "split_text", "thought", "thought_signature", "extra_fields")),
    *(row(kind) for kind in ("readable_types", "no_usage", "lone_surrogate", "nul", "u2028", "control", "markup")),
    *(row(kind) for kind in ("server_field", "duplicate_key", "duplicate_line", "unknown_key", "long_line")),
    one("row", "error", code=13, every=1, nth=None, times=PHOTOS, failed={"server_error": PHOTOS}),
]
_ORDINARY = {"mode": "interactive"}
CALLS = [
    *(one("generate", kind, options=_ORDINARY) for kind in ("429", "500", "503", "html", "quota")),
    *(one("generate", kind, options=_ORDINARY, wasted=1) for kind in ("drop", "hang", "garbage", "empty", "truncate")),
    one("generate", "drop", when="before", options=_ORDINARY),
    one("generate", "max_tokens", options=_ORDINARY, wasted=1, failed={"truncated": 1}),
    one("generate", "not_json", options=_ORDINARY, wasted=1, failed={"malformed": 1}),
    one("generate", "block", options=_ORDINARY, wasted=1, failed={"blocked": 1}, blocked=1),
    one("generate", "fenced", options=_ORDINARY),
    one("generate", "no_usage", options=_ORDINARY),
]
_LONG_QUEUE = {"job_life": 200 * 3600.0}
TIME = [
    Case("file expires while queued", (("job", "slow", {"times": 1, "pending": 49 * 3600.0}),), settings=_LONG_QUEUE),
    Case("the queue holds one photo", (), settings={"enqueued_tokens": {"gemini-3.5-flash-lite": 2500}}),
]
CASES = [*CREATE, *LIST, *GET, *JOB, *UPLOAD, *DOWNLOAD, *ROWS, *CALLS, *TIME]
