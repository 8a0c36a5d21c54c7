"""What may become of a single call: whatever a service, a proxy or a model does between the question and the answer."""

from __future__ import annotations

from typing import Any

from tests.whole.fault_cases import PHOTOS, Case, one

_MALFORMED = ("not_json", "wrong_schema", "all_null", "empty_content", "no_choices")
_SMALL = "the request (1302 tokens) exceeds the available context size (1024 tokens), try increasing it"
_FLAGGED = "openai/moderated requires moderation. Your input was flagged for violence."


def lane(*, repairs: bool, **more: Any) -> list[Case]:
    """Faults that any service may have; one that `repairs` asks once more for an answer that is not the JSON asked for.

    `more` are parameters of every fault, such as the number of the call that it strikes.
    """
    unserved = (
        *(one("ask", kind, **more) for kind in ("401", "402", "408", "429", "500", "503", "529", "html")),
        one("ask", "429", headers={"Retry-After": "40"}, **more),
        one("ask", "429", message="Insufficient Balance", **more),
        *(one("ask", kind, **{**more, "times": PHOTOS}) for kind in ("429", "503")),
        *(one("ask", kind, when="before", **more) for kind in ("drop", "hang", "error_in_200")),
    )
    lost = (one("ask", kind, wasted=1, **more) for kind in ("drop", "hang", "garbage", "empty", "truncate", "redirect"))
    fine = ("fenced", "prose", "extra_fields", "control", "split_text", "no_usage")
    failed: dict[str, Any] = {} if repairs else {"failed": {"malformed": 1}}
    return [
        *unserved,
        *lost,
        one("ask", "drop", wasted=PHOTOS, **{**more, "times": PHOTOS}),
        one("ask", "slow", seconds=0.3, **more),
        *(one("ask", kind, **more) for kind in fine),
        *(one("ask", kind, wasted=1, **failed, **more) for kind in _MALFORMED),
        one("ask", "length", wasted=1, failed={"truncated": 1}, **more),
        *(
            one("ask", kind, wasted=1, failed={"blocked": 1}, blocked=1, **more)
            for kind in ("refusal", "content_filter")
        ),
    ]


def unrepaired(kind: str, wasted: int, **more: Any) -> Case:
    """An answer that is not JSON, and a fault of the call that asks for it again: the second, where no other flies."""
    faults = (("ask", "not_json", {"nth": 1}), ("ask", kind, {"nth": 2}))
    return Case(f"ask not_json, then {kind}", faults, wasted=wasted, failed={"malformed": 1}, photos=1, **more)


_OWN = [
    *(one("ask", kind, nth=1) for kind in ("429", "500", "drop", "hang", "garbage", "length", "not_json")),
    one("ask", "400", nth=2, message=_SMALL),
    one("model_list", "503", nth=1, options={"model": "qwen-vision"}),
    *(
        Case(f"schemas {schemas}, objects {objects}", (), settings={"schemas": schemas, "objects": objects})
        for schemas in ("ignored", "refused")
        for objects in ("kept", "ignored", "refused")
    ),
]
_BY_DAY: dict[str, Any] = {"options": {"mode": "interactive"}}
CASES: dict[str, list[Case]] = {
    "deepseek": [
        *lane(repairs=True, **_BY_DAY),
        *(unrepaired(kind, 1, **_BY_DAY) for kind in ("429", "402", "503")),
        *(unrepaired(kind, 2, **_BY_DAY) for kind in ("drop", "garbage")),
        one("ask", "429"),
    ],
    "openrouter": [
        *lane(repairs=False),
        one("ask", "403", message=_FLAGGED, failed={"blocked": 1}, blocked=1),
        one("ask", "error_in_200", wasted=1),
    ],
    "compatible": [*_OWN, *lane(repairs=True, nth=2)],
}
