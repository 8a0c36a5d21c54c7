"""Which faults there are, and on which calls; a fault that could never strike is refused when it is set."""

from __future__ import annotations

from tests.fakes.gemini.rowfaults import ANSWER_KINDS, ROW_KINDS

CALLS = (
    *("upload_start", "upload_chunk", "file_get", "file_list", "file_delete", "download"),
    *("create", "get", "list", "cancel", "delete"),
    *("generate", "count_tokens", "model_get", "model_list"),
)
GROUPS = {
    "*": CALLS,
    "upload": ("upload_start", "upload_chunk"),
    "batch": ("create", "get", "list", "cancel", "delete"),
}
ERRORS = {"400": 3, "401": 16, "403": 7, "404": 5, "429": 8, "499": 1, "500": 13, "503": 14, "504": 4}
"""Kinds that are an error of the service, with their google.rpc code."""

REFUSALS = frozenset({*ERRORS, "unknown_name", "html", "quota"})
"""Kinds that answer without processing the request, unless `when` says otherwise."""

LOSSES = frozenset({"kill", "drop", "hang"})
"""Kinds after which the client has no answer."""

DAMAGES = frozenset({"torn_last_line", "bit_flip", "invalid_utf8"})
"""Kinds that change the body of a good answer."""

ANY_CALL = REFUSALS | LOSSES | DAMAGES | {"garbage", "empty", "status", "headers", "slow", "truncate", "stall"}
DOOMS = frozenset({"stuck_pending", "stuck_running", "fail", "expire", "slow"})

_SPECIAL: dict[str, frozenset[str]] = {
    "upload_start": frozenset({"no_url"}),
    "upload_chunk": frozenset({"no_status", "stay_active", "no_file", "wrong_size", "processing", "processing_failed"}),
    "download": frozenset({"redirect"}),
    "get": frozenset({"state", "unknown_state", "missing_state", "no_output", "response_only", "flap"}),
    "list": frozenset({"lag", "empty_page", "dangling_token", "duplicates"}),
    "generate": ANSWER_KINDS,
}


def kinds(route: str) -> frozenset[str]:
    """Return the kinds of fault that a route can have; raises ValueError for an unknown route."""
    if route == "row":
        return ROW_KINDS
    if route == "job":
        return DOOMS
    calls = GROUPS.get(route, (route,) if route in CALLS else ())
    if not calls:
        raise ValueError(f"no such route: {route}; known are {', '.join([*CALLS, *GROUPS, 'row', 'job'])}")
    return ANY_CALL.union(*(_SPECIAL.get(call, frozenset()) for call in calls))


def check(route: str, kind: str, when: str) -> None:
    """Refuse a rule that could never strike; raises ValueError."""
    if kind not in kinds(route):
        raise ValueError(f"no such fault on {route}: {kind}; known are {', '.join(sorted(kinds(route)))}")
    if when not in ("", "before", "after"):
        raise ValueError(f'when is "before" or "after", not {when}')


def strikes_before(kind: str, when: str) -> bool:
    """Say whether the request is left unprocessed."""
    return when == "before" if when else kind in REFUSALS or kind == "kill"
