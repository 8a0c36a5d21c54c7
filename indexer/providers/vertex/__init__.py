"""Gemini on Google Cloud (Vertex AI), by batch or by single call: what is known without credentials."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.domain.mode import Mode
from indexer.providers.google.models import tokens
from indexer.providers.spec import Rank, Spec


@dataclass(frozen=True, slots=True)
class VertexOptions:
    """The table `[vertex]`: the bucket through which batches go, "gs://NAME" or "gs://NAME/FOLDER"."""

    bucket: str = ""


SPEC = Spec(
    name="vertex",
    rank=Rank.REMOTE_MODEL,
    modes=(Mode.BATCH, Mode.INTERACTIVE),
    default_model="gemini-3.1-flash-lite",
    opens="indexer.providers.vertex.adapter:open_vertex",
    key_variables=("GOOGLE_CLOUD_PROJECT",),
    options=VertexOptions,
    tokens=tokens,
    trains="no",
    packages=("google-auth",),
    checks="indexer.providers.vertex.check:check_file",
    turnaround=(3_600.0, 86_400.0),
    requires=("bucket",),
)
