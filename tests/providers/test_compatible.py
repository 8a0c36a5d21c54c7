"""A server of one's own whose context is too small: said in words, and no prompt is cut in silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from indexer.domain.errors import Refused
from tests.fakes.services import Answer
from tests.support.services import SHOPS, FakeOwnServer, environ, library, photos

TOLD: dict[str, tuple[str, Any]] = {
    "vllm": ("/v1/models", lambda size: {"data": [{"id": "qwen-vision", "max_model_len": size}]}),
    "llamacpp": ("/props", lambda size: {"default_generation_settings": {"n_ctx": size}, "total_slots": 1}),
    "ollama": ("/api/ps", lambda size: {"models": [{"name": "qwen-vision", "context_length": size}]}),
    "lmstudio": ("/api/v0/models", lambda size: {"data": [{"id": "qwen-vision", "loaded_context_length": size}]}),
}


class LargePictures(FakeOwnServer):
    """A model for which every picture is two thousand tokens."""

    def picture_tokens(self, width: int, height: int) -> int:
        """What a picture counts for."""
        return 2_000


@pytest.mark.parametrize("kind", list(TOLD))
@pytest.mark.parametrize(("size", "calls"), [(512, 0), (900, 1), (8192, 2)])
def test_a_context_that_is_too_small_is_told(kind: str, size: int, calls: int, tmp_path: Path) -> None:
    """Too small for prompt and answer: nothing is asked; for the picture as well: the first answer tells; else fine."""
    shop, (path, told) = SHOPS["compatible"], TOLD[kind]
    with LargePictures() as service:
        service.fail_once(f"GET {path}", Answer(body=told(size)), times=99)
        with library(tmp_path / "library", {**environ(shop, service), "CAPTIONARY_CONCURRENCY": "1"}) as opened:
            pictures = photos(tmp_path / "photos", 2)
            if size > 1000:
                opened.index([pictures], provider="compatible", pilot=0, approve=True)
            else:
                with pytest.raises(Refused, match=f"context of {size} tokens") as fault:
                    opened.index([pictures], provider="compatible", pilot=0, approve=True)
                assert "OLLAMA_CONTEXT_LENGTH" in fault.value.hint
            report = opened.status()
        asked = service.calls["POST /v1/chat/completions"] - 1  # the probe
        assert (asked, report.files.failed) == (calls, 0)
        assert report.files.described == (2 if size > 1000 else 0)
