"""A model without a server: `vllm run-batch` reads OpenAI's batch lines from one file and answers in another."""

from __future__ import annotations

import json

from indexer.domain.question import Request
from indexer.providers import chat
from indexer.providers.chat_calls import decode

_URL = b"/v1/chat/completions"


def encode(request: Request) -> bytes:
    """Return the request as one line, without the newline."""
    key, body = json.dumps(request.key).encode("ascii"), chat.body(request, chat.Dialect())
    return b'{"custom_id":%b,"method":"POST","url":"%b","body":%b}' % (key, _URL, body)


__all__ = ["decode", "encode"]
