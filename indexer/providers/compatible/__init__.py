"""A server of one's own that speaks OpenAI's chat: Ollama, vLLM, llama.cpp, LM Studio. It costs nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

from indexer.domain.mode import Mode
from indexer.providers.spec import Rank, Spec


@dataclass(frozen=True, slots=True)
class CompatibleOptions:
    """The table `[compatible]`: the server's address with /v1, and how long one answer may take, in seconds."""

    url: str = ""
    seconds: float = 600.0


SPEC = Spec(
    name="compatible",
    rank=Rank.LOCAL_MODEL,
    modes=(Mode.INTERACTIVE,),
    default_model="",
    opens="indexer.providers.compatible.adapter:open_compatible",
    free=True,
    options=CompatibleOptions,
    trains="no",
)
OLLAMA = replace(SPEC, name="ollama", opens="indexer.providers.compatible.adapter:open_ollama")
VLLM = replace(SPEC, name="vllm", opens="indexer.providers.compatible.adapter:open_vllm")
LLAMACPP = replace(SPEC, name="llamacpp", opens="indexer.providers.compatible.adapter:open_llamacpp")
LMSTUDIO = replace(SPEC, name="lmstudio", opens="indexer.providers.compatible.adapter:open_lmstudio")
