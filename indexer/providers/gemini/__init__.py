"""Google's Gemini Developer API, by batch or by single call: what is known of it without a key or the SDK."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from indexer.domain.mode import Mode
from indexer.providers.google.models import DEFAULT_MODEL, tokens
from indexer.providers.spec import Rank, Spec

_KEPT = 47 * 3600.0  # uploaded files and results live 48 hours


@dataclass(frozen=True, slots=True)
class GeminiOptions:
    """The table `[gemini]`: the account's usage tier, which says how much may queue, and how schemas are sent."""

    tier: Literal[1, 2, 3] = 1
    schema_field: Literal["", "response_schema", "response_json_schema"] = ""


SPEC = Spec(
    name="gemini",
    rank=Rank.REMOTE_MODEL,
    modes=(Mode.BATCH, Mode.INTERACTIVE),
    default_model=DEFAULT_MODEL,
    opens="indexer.providers.gemini.adapter:open_gemini",
    key_variables=("GOOGLE_API_KEY", "GEMINI_API_KEY"),
    options=GeminiOptions,
    tokens=tokens,
    schema_advice=(
        "; the service seems to ignore the answer schema: set schema_field under [gemini] in captionary.toml to the "
        "other of response_schema and response_json_schema and run again"
    ),
    packages=("google-genai",),
    file_seconds=_KEPT,
    result_seconds=_KEPT,
    checks="indexer.providers.gemini.check:check_file",
    turnaround=(1_800.0, 21_600.0),
    automatic=1,
)
