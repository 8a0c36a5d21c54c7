"""Result lines as they go wrong: the shapes that reports show, one kind each."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tests.fakes.gemini.generate import CHARS_PER_TOKEN, Served
from tests.fakes.gemini.wire import ApiError, Json

if TYPE_CHECKING:
    from tests.fakes.gemini.faults import Fault

Alter = Callable[[Served, Json, Json], None]
"""Changes a served answer in place; gets the served row, its response and the parameters of the fault."""


def line_bytes(document: Json) -> bytes:
    """Return one line, UTF-8, without its end; a lone surrogate stays as the escape that carries it."""
    try:
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(document, separators=(",", ":")).encode()


def spoil(served: Served, echo: Json, faults: Sequence[Fault]) -> list[bytes]:
    """Return the lines that stand in the result for one row, after the faults that fired on it."""
    for fault in faults:
        alter(served, fault)
    if served.error is not None:
        error = served.error.row()
        document: Json = {"error": error if error["message"] else {"code": error["code"]}, **echo}
    else:
        document = {"response": served.response, **echo}
    lines = [line_bytes(document)]
    for fault in faults:
        if fault.kind in LINES:
            lines = LINES[fault.kind](document, lines, fault.params)
    return lines


def alter(served: Served, fault: Fault) -> None:
    """Apply one fault of the answer itself; kinds of the line are left to `spoil`."""
    if fault.kind == "error":
        served.error = ApiError(int(fault.params.get("code", 13)), str(fault.params.get("message", "")))
        served.response = None
        served.input_tokens = served.output_tokens = 0
    elif served.response is not None and fault.kind in ANSWERS:
        ANSWERS[fault.kind](served, served.response, fault.params)


def _text(response: Json) -> str:
    found = response["candidates"][0]["content"].get("parts", [{"text": ""}])
    return str(found[0].get("text", ""))


def _set_parts(response: Json, parts: list[Json]) -> None:
    response["candidates"][0]["content"]["parts"] = parts


def _set_text(response: Json, text: str) -> None:
    _set_parts(response, [{"text": text}])


def _document(response: Json) -> Json:
    try:
        value = json.loads(_text(response))
    except ValueError:
        return {"description": _text(response)}
    return value if isinstance(value, dict) else {"description": str(value)}


def _charge_output(served: Served, response: Json, tokens: int) -> None:
    served.output_tokens = tokens
    usage = response["usageMetadata"]
    usage["candidatesTokenCount"] = tokens
    usage["totalTokenCount"] = usage["promptTokenCount"] + tokens


def _block(served: Served, response: Json, params: Json) -> None:
    response.pop("candidates")
    response["promptFeedback"] = {"blockReason": params.get("reason", "PROHIBITED_CONTENT")}
    served.output_tokens = 0
    usage = response["usageMetadata"]
    usage.pop("candidatesTokenCount")
    usage["totalTokenCount"] = usage["promptTokenCount"]


def _finish(served: Served, response: Json, params: Json) -> None:
    response["candidates"] = [{"finishReason": params.get("reason", "SAFETY"), "index": 0}]


def _max_tokens(served: Served, response: Json, params: Json) -> None:
    text = _text(response)
    kept = text[: int(len(text) * params.get("part", 0.6))]
    _set_text(response, kept)
    response["candidates"][0]["finishReason"] = "MAX_TOKENS"
    _charge_output(served, response, math.ceil(len(kept) / CHARS_PER_TOKEN))


def _max_tokens_no_parts(served: Served, response: Json, params: Json) -> None:
    response["candidates"] = [{"content": {"role": "model"}, "finishReason": "MAX_TOKENS", "index": 0}]
    _charge_output(served, response, min(served.cap, 8192))


def _repetition(served: Served, response: Json, params: Json) -> None:
    cap = min(served.cap, int(params.get("cap", 8192)))
    loop = '{"description": "' + "the same the same " * cap
    _set_text(response, loop[: cap * CHARS_PER_TOKEN])
    response["candidates"][0]["finishReason"] = "MAX_TOKENS"
    _charge_output(served, response, cap)


def _edit(change: Callable[[Json, Json], Any]) -> Alter:
    """Make an alteration that edits the JSON document inside the answer's text."""

    def apply(served: Served, response: Json, params: Json) -> None:
        document = _document(response)
        result = change(document, params)
        _set_text(response, json.dumps(document if result is None else result, ensure_ascii=False))

    return apply


def _append(text: str) -> Alter:
    def change(document: Json, params: Json) -> None:
        name = next((name for name, value in document.items() if isinstance(value, str)), "description")
        document[name] = str(document.get(name, "")) + str(params.get("text", text))

    return _edit(change)


def _wrong_schema(document: Json, params: Json) -> Json:
    return {"image": {"labels": [str(value)[:20] for value in document.values()]}, "ok": True}


def _readable_types(document: Json, params: Json) -> Json:
    return {name: ", ".join(value) if isinstance(value, list) else value for name, value in document.items()}


def _split(served: Served, response: Json, params: Json) -> None:
    text = _text(response)
    third = len(text) // 3
    _set_parts(response, [{"text": text[:third]}, {"text": text[third : 2 * third]}, {"text": text[2 * third :]}])


def _thought(served: Served, response: Json, params: Json) -> None:
    thought = {"text": 'The user wants JSON {"description": "draft"}', "thought": True}
    _set_parts(response, [thought, {"text": _text(response)}])


def _signature(served: Served, response: Json, params: Json) -> None:
    _set_parts(response, [{"text": _text(response)}, {"thoughtSignature": "El4KXAEMOdbH9yZm"}])


def _put(path: str, value: Any) -> Alter:
    """Make an alteration that sets one member: of the response, its first candidate or its content."""

    def apply(served: Served, response: Json, params: Json) -> None:
        level, _, name = path.rpartition("/")
        target = response
        if level:
            target = response["candidates"][0]
        if level == "content":
            target = target["content"]
        target[name] = value() if callable(value) else value

    return apply


def _gone(*names: str) -> Alter:
    def apply(served: Served, response: Json, params: Json) -> None:
        for name in names or tuple(response):
            response.pop(name, None)

    return apply


def _retext(change: Callable[[str], str]) -> Alter:
    return lambda served, response, params: _set_text(response, change(_text(response)))


def _server_field(served: Served, response: Json, params: Json) -> None:
    response["usageMetadata"]["serviceTier"] = "standard"
    response["candidates"][0]["avgLogprobs"] = -0.31
    response["brandNewField"] = {"x": [1]}


ANSWERS: dict[str, Alter] = {
    "block": _block,
    "finish": _finish,
    "max_tokens": _max_tokens,
    "max_tokens_no_parts": _max_tokens_no_parts,
    "repetition": _repetition,
    "empty_response": _gone(),
    "empty_candidates": _put("candidates", list),
    "no_candidates": _gone("candidates"),
    "empty_content": _put("candidate/content", dict),
    "empty_text": _retext(lambda text: ""),
    "no_usage": _gone("usageMetadata"),
    "thought": _thought,
    "thought_signature": _signature,
    "split_text": _split,
    "fenced": _retext(lambda text: f"```json\n{text}\n```"),
    "prose": _retext(lambda text: "Here is the description you asked for:\n" + text + "\nLet me know!"),
    "not_json": _retext(lambda text: "I see a picture."),
    "half_json": _retext(lambda text: text[: len(text) // 2]),
    "wrong_schema": _edit(_wrong_schema),
    "readable_types": _edit(_readable_types),
    "extra_fields": _edit(lambda document, params: {**document, "confidence": 0.9, "notes": ["extra"]}),
    "all_null": _edit(lambda document, params: dict.fromkeys(document)),
    "lone_surrogate": _append(" \ud83d"),
    "nul": _append(" \x00"),
    "u2028": _append(" \u2028 \u2029 \x85 "),
    "control": _append(" \x1b[31mred\x1b[0m \x07"),
    "markup": _append(" <script>alert(1)</script> ' OR 1=1 --"),
    "long_line": lambda served, response, params: _append("x" * int(params.get("length", 3_000_000)))(
        served, response, {}
    ),
    "server_field": _server_field,
}


def _other_answer(document: Json) -> Json:
    copy: Json = json.loads(json.dumps(document))
    if "response" in copy and copy["response"].get("candidates"):
        response = copy["response"]
        _set_text(response, json.dumps({**_document(response), "description": "A different answer."}))
        response["responseId"] = "duplicate"
    return copy


def _flip(raw: bytes, params: Json) -> bytes:
    middle = int(params.get("at", len(raw) // 2))
    return raw[:middle] + bytes([raw[middle] ^ 0x80]) + raw[middle + 1 :]


_Lines = Callable[[Json, list[bytes], Json], list[bytes]]
LINES: dict[str, _Lines] = {
    "missing_row": lambda document, lines, params: [],
    "duplicate_key": lambda document, lines, params: [*lines, line_bytes(_other_answer(document))],
    "duplicate_line": lambda document, lines, params: lines * 2,
    "unknown_key": lambda document, lines, params: [
        *([] if params.get("replace") else lines),
        line_bytes({**document, "key": params.get("key", "nobody-asked-for-this")}),
    ],
    "no_key": lambda document, lines, params: [
        line_bytes({name: value for name, value in document.items() if name != "key"})
    ],
    "key_not_text": lambda document, lines, params: [line_bytes({**document, "key": 7})],
    "torn_line": lambda document, lines, params: [line[: len(line) // 2] for line in lines],
    "bit_flip": lambda document, lines, params: [_flip(line, params) for line in lines],
    "invalid_utf8": lambda document, lines, params: [
        line.replace(b'"text":"', b'"text":"\xff\xfe', 1) for line in lines
    ],
    "not_object": lambda document, lines, params: [b"[1, 2]"],
    "blank_line": lambda document, lines, params: [b"", *lines, b""],
    "crlf": lambda document, lines, params: [line + b"\r" for line in lines],
}
ANSWER_KINDS = frozenset({"error", *ANSWERS})
ROW_KINDS = ANSWER_KINDS | frozenset(LINES)
