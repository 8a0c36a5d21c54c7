"""Single calls: one photo, answered now, with the very request that a batch line would carry."""

from __future__ import annotations

import json
from urllib.parse import quote

from indexer.domain.answer import Failure, Reason, Row
from indexer.domain.errors import NotFound, Refused
from indexer.domain.question import Request
from indexer.providers.gemini.service import GeminiService
from indexer.providers.google.faults import is_every_photos
from indexer.providers.google.models import bare
from indexer.providers.google.schema import SchemaField
from indexer.providers.google.wire import decode_line, encode_request


def ask(service: GeminiService, request: Request, field: SchemaField) -> Row:
    """Ask once. A refusal of this photo is a `Failure`; what every other photo would meet as well is raised."""
    path = f"models/{quote(bare(request.question.model), safe='')}:generateContent"
    try:
        answer = service.post("describe the photo", path, encode_request(request, field))
    except NotFound:
        raise
    except Refused as refusal:
        if is_every_photos(str(refusal)):
            raise
        return Row(request.key, Failure(Reason.REJECTED, str(refusal)))
    key = json.dumps(request.key).encode("ascii")
    return decode_line(b"".join((b'{"response":', answer, b',"key":', key, b"}")))
