"""Mistral, by batch or by single call: what is known without a key."""

from __future__ import annotations

from indexer.domain.mode import Mode
from indexer.providers.spec import Rank, Spec

SPEC = Spec(
    name="mistral",
    rank=Rank.REMOTE_MODEL,
    modes=(Mode.BATCH, Mode.INTERACTIVE),
    default_model="mistral-small-2603",
    opens="indexer.providers.mistral.adapter:open_mistral",
    key_variables=("MISTRAL_API_KEY",),
    checks="indexer.providers.mistral.check:check_file",
    turnaround=(1_800.0, 21_600.0),
    automatic=4,
)
