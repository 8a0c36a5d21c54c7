"""The door of the inbox: what is let in, and how its bytes come to lie on disk for good."""

from __future__ import annotations

import hashlib
import io
import os
import re
import warnings
from pathlib import Path

from indexer.domain.errors import UsageError
from indexer.media.limits import DEFAULT_LIMITS
from indexer.media.sniff import HEAD_BYTES, Kind, by_content
from indexer.storage.atomic import sync_file, sync_folder, whole_file
from indexer.storage.paths import AnyPath, for_terminal
from indexer.storage.regular import open_regular, read_regular

MOST_BYTES = 200 << 20
_ID = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,200}")


class OtherBytes(UsageError):
    """A name that is given already, with other bytes."""


class UnknownUpload(UsageError):
    """A name that no upload has."""


def refuse_name(upload: object) -> None:
    """Raise `UsageError` for what cannot name an upload."""
    if not isinstance(upload, str) or not _ID.fullmatch(upload):
        raise UsageError(f"{for_terminal(str(upload)[:80])!r} cannot name an upload", hint="use 1 to 200 characters")


def read_upload(picture: AnyPath) -> bytes:
    """Return the bytes of a file, one more than are let in at most; raises `UsageError` where it cannot be read."""
    path = Path(os.fsdecode(picture)).expanduser()
    try:
        if not path.is_file():
            raise UsageError(f"there is no file {for_terminal(str(path))}", hint="give a file or bytes")
        with open_regular(path) as stream:
            return stream.read(MOST_BYTES + 1)
    except OSError as fault:
        raise UsageError(f"{for_terminal(str(path))} cannot be read: {fault.strerror}", hint="check it") from fault


def refuse_bombs(raw: bytes, max_pixels: int | None) -> None:
    """Raise `UsageError` for what costs a decoder more than a photo does; a header is read, no pixel."""
    if not raw:
        raise UsageError("the upload is empty", hint="give the bytes of a picture")
    if len(raw) > MOST_BYTES:
        raise UsageError(f"the upload has more than {MOST_BYTES >> 20} MB", hint="send a smaller picture")
    kind = by_content(raw[:HEAD_BYTES])
    from PIL import Image

    from indexer.media.picture import DECODED, DECODER_FAULTS

    if kind not in DECODED:
        return  # what is not a picture, or none that is decoded here, is for a person
    most = max_pixels or (DEFAULT_LIMITS.max_jpeg_pixels if kind is Kind.JPEG else DEFAULT_LIMITS.max_pixels)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(raw), formats=DECODED[kind]) as picture:
                width, height = picture.size
    except Image.DecompressionBombError:
        raise UsageError("the upload has too many pixels", hint="send a smaller picture") from None
    except DECODER_FAULTS:
        return  # a broken one is for a person, too
    if width * height > most:
        raise UsageError(f"the upload has {width:,} x {height:,} pixels, too many", hint="send a smaller picture")


def place_of(folder: Path, raw: bytes) -> tuple[str, Path]:
    """Return the sha256 of `raw`, and where below `folder` these bytes lie, or will."""
    sha256 = hashlib.sha256(raw).hexdigest()
    return sha256, folder / sha256[:2] / sha256


def keep_bytes(target: Path, raw: bytes) -> None:
    """Write `raw` to its place, durably. Any number may do so at once."""
    try:
        descriptor = _create(target)
    except FileExistsError:
        if target.stat().st_size == len(raw) and read_regular(target, len(raw)) == raw:
            sync_file(target)  # whoever wrote it may not have come so far yet
        else:  # torn by a power loss, or being written
            with whole_file(target) as stream:
                stream.write(raw)
        return
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(raw)
        stream.flush()
        os.fsync(stream.fileno())


def _create(target: Path) -> int:
    how = os.O_CREAT | os.O_EXCL | os.O_WRONLY
    try:
        return os.open(target, how, 0o600)
    except FileNotFoundError:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync_folder(target.parent.parent)
        return os.open(target, how, 0o600)


def is_picture(path: bytes) -> bool:
    """Say whether the bytes at `path` begin as a picture does."""
    try:
        with open_regular(Path(os.fsdecode(path))) as stream:
            return by_content(stream.read(HEAD_BYTES)) is not None
    except OSError:
        return False
