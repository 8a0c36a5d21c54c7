"""An image model that a person names: pictures are found by what they show, and by pictures like them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from indexer import Library
from indexer.domain.errors import UsageError
from indexer.library.doctor import examine_library
from indexer.table.encoder.image import ImageEncoder
from indexer.table.encoder.onnx import Manifest
from search import Index
from tests.fakes.gemini import Emulator
from tests.support.commands import SAMPLES, index, search
from tests.support.virtual import opened

DIMENSION = 32
SIDE = 32


def clip(folder: Path, seed: int) -> Path:
    """Make a CLIP of two layers and random weights in `folder`, as sentence-transformers saves one."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import CLIPModel as Both
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, CLIPTokenizerFast

    torch.manual_seed(seed)
    letters = [chr(number) for number in range(33, 127)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizerFast(
        vocab_file=str(folder / "vocab.json"), merges_file=str(folder / "merges.txt"), model_max_length=77
    )
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    last = len(words) - 1
    text = {**small, "vocab_size": len(words), "bos_token_id": last - 1, "eos_token_id": last, "pad_token_id": last}
    config = CLIPConfig(
        projection_dim=DIMENSION, text_config=text, vision_config={**small, "image_size": SIDE, "patch_size": 8}
    )
    processor = CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    CLIPModel(config).eval().save_pretrained(folder)
    CLIPProcessor(processor, tokenizer).save_pretrained(folder)
    saved = folder / "model"
    SentenceTransformer(modules=[Both(str(folder))], device="cpu").save(str(saved), create_model_card=False)
    return saved


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image model of a library."""
    return clip(tmp_path_factory.mktemp("clip"), seed=3)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Path:
    """A keyless library of the sample pictures, with that model."""
    folder = tmp_path_factory.mktemp("seen") / "library"
    folder.mkdir()
    (folder / "captionary.toml").write_text(f"image_model = '{model}'\n")
    with Library.open(folder) as library:
        library.index([SAMPLES], provider="local", workers=0)
    return folder


@pytest.fixture
def library(tmp_path: Path, seen: Path) -> Path:
    """A copy of that library."""
    shutil.copytree(seen, tmp_path / "library")
    return tmp_path / "library"


def pixels(folder: Path) -> dict[str, list[float]]:
    """What was seen, by path; nothing where the table has no such column."""
    table = Index.open(folder).to_arrow()
    if "pixel_vector" not in table.schema.names:
        return {}
    return dict(zip(table["path"].to_pylist(), table["pixel_vector"].to_pylist(), strict=True))


def test_both_towers_say_what_the_model_says(seen: Path, model: Path) -> None:
    """The export agrees with the original on texts and pictures that it was not checked with, of any shape."""
    from sentence_transformers import SentenceTransformer

    original = SentenceTransformer(str(model), device="cpu")
    encoder = ImageEncoder.open(seen / "image_encoder")
    texts = ["two dogs", "", "ein Hund " * 60, "🐶"]
    pictures = [Image.open(path).convert("RGB") for path in sorted(SAMPLES.glob("*.jpg"))[:3]]
    for ours, given in ((encoder.texts(texts), texts), (np.array([*map(encoder.picture, pictures)]), pictures)):
        theirs = original.encode(given, normalize_embeddings=True, show_progress_bar=False, batch_size=1)
        assert ((ours * theirs).sum(axis=1) > 0.995).all()
    manifest = Manifest.read(seen / "image_encoder")
    assert manifest is not None
    assert (manifest.dimension, manifest.agreement > 0.98, Manifest.damaged(seen / "image_encoder")) == (
        DIMENSION,
        True,
        [],
    )


def test_every_photo_is_seen_and_found_by_its_looks(seen: Path) -> None:
    """The third leg proposes photos that no word names, and says how near they look."""
    assert {len(vector) for vector in pixels(seen).values()} == {DIMENSION}
    hits = Index.open(seen).search("zyxwv", min_score=0, limit=0)
    assert len(hits) == len({*pixels(seen)})
    encoder = ImageEncoder.open(seen / "image_encoder")
    (asked,) = encoder.texts(["zyxwv"])
    looks = [hit for hit in hits if hit.score > 0 and hit.why["meaning"] == hit.why["pixels"]]
    near = [float(np.dot(asked, pixels(seen)[hit.path])) for hit in looks]
    assert len(near) > 2
    assert near == sorted(near, reverse=True)
    assert Index.open(seen).hit(hits[0].path) is not None


def test_a_picture_from_anywhere_finds_pictures_like_it(seen: Path, tmp_path: Path) -> None:
    """`--like` takes a file that was never indexed; a known one is not its own hit, and what is no picture is told."""
    known = sorted(SAMPLES.glob("*.jpg"))[0]
    other = tmp_path / "other.png"
    picture = Image.open(known).convert("RGB")
    picture.resize((picture.width // 2, picture.height // 2)).save(other)
    found = Index.open(seen).search(like=other, min_score=0)
    assert Path(found[0].path).name == known.name
    assert known.name not in {Path(hit.path).name for hit in Index.open(seen).search(like=known, min_score=0)}
    (tmp_path / "text.txt").write_text("no picture")
    with pytest.raises(UsageError, match="not a picture"):
        Index.open(seen).search(like=tmp_path / "text.txt")


def test_the_setting_comes_and_goes(library: Path) -> None:
    """Without it the column and the encoder go, with it again they come, under a search that stays open."""
    before, setting = pixels(library), library / "captionary.toml"
    named = setting.read_text()
    with Library.open(library) as ours, Index.open(library) as searching:
        ours.rebuild()
        assert pixels(library) == before
        assert "pixels" in searching.search("astronaut", limit=1)[0].why
        setting.write_text("")
        ours.index([SAMPLES], provider="local", workers=0)
        assert (pixels(library), (library / "image_encoder").exists()) == ({}, False)
        assert "pixels" not in searching.search("astronaut", limit=1)[0].why
        setting.write_text(named)
        ours.index([SAMPLES], provider="local", workers=0)
        assert "pixels" in searching.search("astronaut", limit=1)[0].why
    assert pixels(library) == before
    assert {"image model"} <= {one.what for one in examine_library(library, {}) if one.good}


def test_a_search_that_stays_open_follows_another_model(library: Path, tmp_path: Path) -> None:
    """Words and pictures are compared in the space of the model that has looked, whichever that is now."""
    setting = library / "captionary.toml"
    with Library.open(library) as ours, Index.open(library) as searching:
        searching.search("astronaut", limit=1)
        setting.write_text(f"image_model = '{clip(tmp_path, seed=4)}'\n")
        ours.index([SAMPLES], provider="local", workers=0)
        after = [hit.why["pixels"] for hit in searching.search("astronaut", min_score=0)]
    assert after == [hit.why["pixels"] for hit in Index.open(library).search("astronaut", min_score=0)]


def test_a_later_description_keeps_what_was_seen(library: Path, emulator: Emulator) -> None:
    """A row that is written again is not looked at again: its picture may be out of reach by then."""
    before = pixels(library)
    with opened(library, emulator) as ours:
        ours.index([SAMPLES], provider="gemini", approve=True, workers=0)
    assert pixels(library) == before
    hit = Index.open(library).search("two dogs at a window", limit=1)[0]
    assert (Path(hit.path).name, "pixels" in hit.why) == ("dogs_window.jpg", True)


def test_a_model_that_is_none_is_a_setting_that_does_not_fit(tmp_path: Path) -> None:
    """One line, exit 2, and the photos are found as before."""
    library = tmp_path / "library"
    (tmp_path / "empty").mkdir()
    done = index("--library", library, SAMPLES, env={"CAPTIONARY_IMAGE_MODEL": str(tmp_path / "empty")})
    assert (done.code, "image_model" in done.err, "Traceback" in done.err) == (2, True, False)
    assert index("--library", library, SAMPLES).code == 0
    assert search("--library", library, "astronaut").code == 0
