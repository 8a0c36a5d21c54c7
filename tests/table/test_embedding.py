"""One encoder for documents and queries: faithful, deterministic, made once."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.domain.errors import LibraryError
from indexer.table.encoder.load import ensure_encoder
from indexer.table.encoder.onnx import MANIFEST, MODEL, WEIGHTS_SHA256, Encoder, Manifest
from tests.support.libraries import encoder, encoder_home

TEXTS = ["two dogs at a window", "", "ein Hund", "🐶", "long " * 2000, "a\ud800b", "a cup of coffee"]


def test_vectors_have_the_stated_shape_and_length() -> None:
    """Every text, also none at all, has a float32 vector of length 1."""
    vectors = encoder().encode(TEXTS)
    assert vectors.shape == (len(TEXTS), encoder().dimension)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_nothing_to_encode_is_no_vectors() -> None:
    """An empty batch is an empty matrix."""
    assert encoder().encode([]).shape == (0, 384)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=80), min_size=1, max_size=5))
def test_a_vector_is_a_function_of_its_text_alone(texts: list[str]) -> None:
    """Alone, in any company, in threads or in another session: the same bits."""
    together = encoder().encode(texts, threads=2)
    alone = np.concatenate([encoder().encode([text]) for text in texts])
    assert together.tobytes() == alone.tobytes()


def test_query_and_document_vectors_are_bit_equal_in_another_process() -> None:
    """What the index stored and what a search computes later are the same bits."""
    code = (
        "import sys; from pathlib import Path; from indexer.table.encoder.onnx import Encoder;"
        "sys.stdout.buffer.write(Encoder.open(Path(sys.argv[1])).encode([sys.argv[2]]).tobytes())"
    )
    command = [sys.executable, "-c", code, str(encoder_home()), TEXTS[0]]
    other = subprocess.run(command, capture_output=True, check=True).stdout
    assert other == encoder().encode([TEXTS[0]]).tobytes()


def test_threads_may_share_an_encoder() -> None:
    """Many threads at once get what one would get."""
    expected = encoder().encode(["red boat"]).tobytes()
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: encoder().encode(["red boat"]).tobytes(), range(64))) == {expected}


def test_the_manifest_names_the_weights_and_the_agreement() -> None:
    """The export was verified against the original, and the directory says so."""
    manifest = Manifest.read(encoder_home())
    assert manifest is not None
    assert manifest.weights_sha256 == WEIGHTS_SHA256
    assert manifest.agreement >= 0.98


def test_meaning_is_kept() -> None:
    """Things of one kind are near each other, others are far."""
    guitar, instrument, cat = encoder().encode(["guitar", "instrument", "cat"])
    assert guitar @ instrument > 0.5
    assert guitar @ cat < 0.3


def test_a_further_library_copies_the_encoder(tmp_path: Path) -> None:
    """The export is shared by a machine; a library has its own copy, whole."""
    cache = tmp_path / "cache" / "encoders" / f"{WEIGHTS_SHA256[:16]}-1"
    shutil.copytree(encoder_home(), cache)
    made = ensure_encoder(tmp_path / "library" / "encoder", cache=tmp_path / "cache")
    assert made.name == encoder().name
    assert sorted(path.name for path in (tmp_path / "library").iterdir()) == ["encoder"]
    shutil.rmtree(tmp_path / "cache")
    assert ensure_encoder(tmp_path / "library" / "encoder", cache=None).dimension == 384


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"name": 1}', None])
def test_a_spoilt_manifest_is_no_encoder(tmp_path: Path, content: str | None) -> None:
    """Whatever stands in the manifest, the answer is a sentence and not a traceback."""
    if content is not None:
        (tmp_path / MANIFEST).write_text(content)
    with pytest.raises(LibraryError, match="no usable text encoder"):
        Encoder.open(tmp_path)


def test_an_older_export_is_made_anew(tmp_path: Path) -> None:
    """An encoder of another export version is not used, because its vectors cannot be compared."""
    home = tmp_path / "encoder"
    shutil.copytree(encoder_home(), home)
    older = json.loads((home / MANIFEST).read_text()) | {"export_version": 0}
    (home / MANIFEST).write_text(json.dumps(older))
    assert Manifest.read(home) is None
    shutil.copytree(encoder_home(), tmp_path / "cache" / "encoders" / f"{WEIGHTS_SHA256[:16]}-1")
    ensure_encoder(home, cache=tmp_path / "cache")
    assert Manifest.read(home) is not None


def test_a_broken_model_is_told_in_words(tmp_path: Path) -> None:
    """A damaged file names its directory and the way out."""
    home = tmp_path / "encoder"
    shutil.copytree(encoder_home(), home)
    (home / MODEL).write_bytes(b"not a model")
    with pytest.raises(LibraryError, match="is broken") as caught:
        Encoder.open(home)
    assert "delete that directory" in caught.value.hint
    assert "\n" not in str(caught.value)


def test_the_export_is_quiet_and_opens_no_socket(tmp_path: Path) -> None:
    """Made from the wheel alone: no network, no bars, no warnings, and the same vectors as every other export."""
    code = """
import sys
from pathlib import Path
def guard(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        raise SystemExit(f"{event} {arguments}")
sys.addaudithook(guard)
from indexer.table.encoder.load import ensure_encoder
sys.stdout.buffer.write(ensure_encoder(Path(sys.argv[1]), cache=None).encode([sys.argv[2]]).tobytes())
"""
    made = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "encoder"), TEXTS[0]], capture_output=True, check=False
    )
    assert (made.returncode, made.stderr) == (0, b"")
    assert made.stdout == encoder().encode([TEXTS[0]]).tobytes()
