"""Every fault that Mistral is known for, and what any service may do."""

from __future__ import annotations

from typing import Any

from tests.whole.fault_cases import GET, LIST, PHOTOS, Case, one, row

CREATE = [
    *(one("create", kind) for kind in ("400", "404", "422", "429", "500", "503", "html", "redirect")),
    *(one("create", kind) for kind in ("drop", "hang", "garbage", "empty", "error_in_200", "truncate")),
    *(one("create", kind, when="after") for kind in ("400", "429", "503", "html")),
    *(one("create", kind, when="before") for kind in ("drop", "hang")),
    one("create", "402"),
    one("create", "503", times=3),
    one("create", "drop", times=2),
]
_SLOW: dict[str, Any] = {"running": 10 * 3600.0}
_SOON: dict[str, Any] = {"deadline": 3600.0}
JOB = [
    one("job", "fail", failed={"server_error": PHOTOS}),
    one("job", "expire", failed={"expired": PHOTOS // 2}),
    one("job", "stuck", options=_SOON),
    one("job", "cancel_race", settings=_SLOW, options=_SOON),
    one("job", "slow", pending=20 * 3600.0),
    Case("cancelled half way", (), settings=_SLOW, options=_SOON),
    Case("cancelled before it began", (), settings={"pending": 10 * 3600.0}, options=_SOON),
    *(
        Case(f"cancel {kind}", (("cancel", kind, {"nth": 1}),), settings=_SLOW, options=_SOON)
        for kind in ("503", "drop")
    ),
]
UPLOAD = [
    *(one("upload", kind) for kind in ("503", "429", "drop", "hang", "html", "garbage", "empty")),
    one("upload", "503", times=5),
]
DOWNLOAD = [
    *(one("download", kind) for kind in ("503", "404", "429", "truncate", "empty", "redirect", "garbage", "hang")),
    *(one("download", kind) for kind in ("torn_last_line", "drop", "html", "error_in_200")),
    one("download", "404", times=10_000, failed={"expired": PHOTOS}, wasted=PHOTOS),
    one("file_delete", "503", times=10),
    one("file_delete", "404"),
]
ROWS = [
    *(row("status", "server_error", code=code, paid=False) for code in (429, 500, 503)),
    row("status", "rejected", code=400, message="Image could not be loaded.", paid=False),
    row("error_text", "server_error", paid=False),
    one("row", "status", every=1, nth=None, times=PHOTOS, failed={"server_error": PHOTOS}),
    row("length", "truncated"),
    *(row(kind, "malformed") for kind in ("not_json", "wrong_schema", "all_null", "empty_content", "no_choices")),
    row("torn", "malformed"),
    row("missing", "missing"),
    *(row(kind) for kind in ("fenced", "prose", "control", "extra_fields", "split_text", "no_usage")),
    *(row(kind) for kind in ("duplicate", "foreign")),
]
_ORDINARY: dict[str, Any] = {"options": {"mode": "interactive"}}
CALLS = [
    *(one("ask", kind, **_ORDINARY) for kind in ("429", "500", "503", "408", "html")),
    one("ask", "402", **_ORDINARY),
    *(one("ask", kind, wasted=1, **_ORDINARY) for kind in ("drop", "hang", "garbage", "empty", "truncate")),
    one("ask", "drop", when="before", **_ORDINARY),
    one("ask", "length", wasted=1, failed={"truncated": 1}, **_ORDINARY),
    one("ask", "not_json", wasted=1, failed={"malformed": 1}, **_ORDINARY),
    one("ask", "fenced", **_ORDINARY),
    one("ask", "no_usage", **_ORDINARY),
]
CASES = [*CREATE, *LIST, *GET, *JOB, *UPLOAD, *DOWNLOAD, *ROWS, *CALLS]
