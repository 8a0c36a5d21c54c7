"""Check an OpenAI batch file before it is paid for: each line and field that the service would refuse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from indexer.providers.batch_lines import LineRules, check_lines, messages
from indexer.providers.openai.strictness import schema_faults
from indexer.providers.seam import LineFault

_URLS = ("/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/v1/completions", "/v1/moderations")
_FIELDS = frozenset({"custom_id", "method", "url", "body"})


def check_file(path: Path) -> Iterator[LineFault]:
    """Yield the faults of the batch file at `path`; `OSError` when it cannot be read."""
    models: set[str] = set()
    urls: set[str] = set()

    def look(line: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
        for name in sorted(line.keys() - _FIELDS):
            yield name[:80], "is not a field of a batch line", "take it out"
        if line.get("method") != "POST":
            yield "method", "is not POST", 'write "method": "POST"'
        url, body = line.get("url"), line.get("body")
        if url not in _URLS:
            yield "url", f"is not one of {', '.join(_URLS)}", "write the endpoint of the batch"
        else:
            urls.add(str(url))
            if len(urls) == 2:
                yield "url", "differs from the line before", "put one endpoint into a file"
                urls.discard(str(url))
        model = body.get("model") if isinstance(body, dict) else None
        if not isinstance(model, str) or not model:
            yield "body.model", "is missing", "name the model"
        else:
            models.add(model)
            if len(models) == 2:
                yield "body.model", "differs from the line before", "put one model into a file"
                models.discard(model)
        if url == "/v1/chat/completions":
            yield from messages(body, "body")
            yield from _schema(body)

    return check_lines(path, LineRules("OpenAI", 200_000_000, 50_000, look))


def _schema(body: Any) -> Iterator[tuple[str, str, str]]:
    form = body.get("response_format") if isinstance(body, dict) else None
    told = form.get("json_schema") if isinstance(form, dict) else None
    if not isinstance(told, dict) or not told.get("strict"):
        return
    yield from schema_faults(told.get("schema"), "body.response_format.json_schema.schema")
