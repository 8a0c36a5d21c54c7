"""Objects of a store in a cloud: S3, Google Cloud Storage, Azure; the only module that knows obstore.

A path in a store is its address, `s3://bucket/key`. Credentials come from where each cloud's own tools look: variables
of the environment, the files of its command line, the machine that this runs on; never from the library. What goes
wrong is an `OSError` in our own words: those of a service may hold a signed address.
"""

from __future__ import annotations

import configparser
import errno
import hashlib
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from indexer.domain.errors import UsageError
from indexer.storage.paths import for_terminal, to_text

if TYPE_CHECKING:
    from obstore.store import ObjectStore

PAGE = 1000
"""How many objects are listed at once: what one request of S3 can tell."""
_RETRIES = {"max_retries": 4, "retry_timeout": timedelta(seconds=30)}
_PATIENCE = {"connect_timeout": "5s", "timeout": "60s"}
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_PLAIN = (*ENDPOINTS, "AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT", "GOOGLE_BASE_URL")
_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
_CREDENTIALS = (
    *("AWS_", "AZURE_STORAGE_", "AZURE_CLIENT_", "AZURE_TENANT_", "AZURE_FEDERATED_"),
    *("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_SERVICE_ACCOUNT"),
)
_EXTRA = "pip install '.[objects]' in the folder of Captionary"


class Object(NamedTuple):
    """An object as a listing tells it: its address, its bytes, and a number made of its ETag, which is never 0."""

    path: bytes
    size: int
    version: int


@dataclass(frozen=True, slots=True)
class Content:
    """What an object held when it was read, and the version that this was."""

    data: bytes
    version: int


class AddressKind(Enum):
    """What an address leads to."""

    TREE = "tree"
    OBJECT = "object"


def kind(root: bytes) -> AddressKind | None:
    """Return what lies at `root`, None for nothing; raises `OSError` where the store does not answer or refuses."""
    try:
        if next(pages(root), None):
            return AddressKind.TREE
    except OSError as fault:
        if fault.errno == errno.EINVAL:  # it answers, and holds something, if only what cannot be named
            return AddressKind.TREE
        raise
    try:
        return AddressKind.OBJECT if _split(root)[1] and head(root) else None
    except FileNotFoundError:
        return None


def pages(root: bytes) -> Iterator[list[Object]]:
    """Yield the objects below `root` by pages, in the order of their keys; raises `OSError`.

    One request a page, however many folders there are.
    """
    store, key = _opened(root)
    import obstore

    stem = os.fsencode(_split(root)[0]) + b"/"
    with _told(root):
        for page in obstore.list(store, prefix=key or None, chunk_size=PAGE):
            yield [Object(stem + one["path"].encode(), one["size"], _version(one)) for one in page]


def head(path: bytes) -> Object:
    """Return what the store says of one object; raises `OSError`."""
    store, key = _opened(path)
    import obstore

    with _told(path):
        found = obstore.head(store, key)
    return Object(path, found["size"], _version(found))


def read(path: bytes) -> Content:
    """Return the whole object; raises `OSError`."""
    store, key = _opened(path)
    import obstore

    with _told(path):
        got = obstore.get(store, key)
        return Content(bytes(got.bytes()), _version(got.meta))


def begin(path: bytes, length: int) -> bytes:
    """Return the first `length` bytes of an object, fewer of a shorter one; raises `OSError`."""
    store, key = _opened(path)
    import obstore

    with _told(path):
        return bytes(obstore.get_range(store, key, start=0, length=length)) if head(path).size else b""


def create(path: bytes, source: Path) -> None:
    """Put the file `source` to an address where nothing lies; raises `FileExistsError`, else `OSError`."""
    store, key = _opened(path)
    import obstore

    try:
        head(path)
    except FileNotFoundError:
        pass
    else:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), to_text(path))
    with _told(path), source.open("rb") as stream:
        obstore.put(store, key, stream)


def put(path: bytes, data: bytes) -> None:
    """Put an object, in the place of one that is there; raises `OSError`."""
    store, key = _opened(path)
    import obstore

    with _told(path):
        obstore.put(store, key, data)


def delete(paths: Sequence[bytes]) -> None:
    """Delete objects of one bucket, those that are there; raises `OSError`."""
    if not paths:
        return
    store, _ = _opened(paths[0])
    import obstore

    with _told(paths[0]), suppress(FileNotFoundError):
        obstore.delete(store, [_split(path)[1] for path in paths])


def credentials(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables in which the clouds' own tools keep credentials, for a process that reads objects."""
    return {name: value for name, value in environ.items() if name.startswith(_CREDENTIALS)}


def keys_of(uri: str) -> dict[str, str]:
    """Return what of Amazon's own files another client of the store at `uri` must be told."""
    return _of_amazon() if uri.startswith("s3:") else {}


def has_conditional_writes(root: bytes) -> bool:
    """Say whether the store refuses to make an object that is there; leaves nothing behind. Raises `OSError`."""
    store, key = _opened(root.rstrip(b"/") + f"/.captionary-{secrets.token_hex(8)}".encode())
    import obstore
    from obstore.exceptions import AlreadyExistsError

    with _told(root):
        try:
            obstore.put(store, key, b"1", mode="create")
            obstore.put(store, key, b"2", mode="create")
        except AlreadyExistsError:
            return True
        finally:
            obstore.delete(store, key)
    return False


def _split(path: bytes) -> tuple[str, str]:
    """Return the address of the bucket, and the key."""
    scheme, _, rest = path.partition(b"://")
    bucket, _, key = rest.partition(b"/")
    return f"{scheme.decode()}://{os.fsdecode(bucket)}", key.decode("utf-8", "surrogateescape")


def _opened(path: bytes) -> tuple[ObjectStore, str]:
    address, key = _split(path)
    return _store(address), key


@lru_cache(64)
def _store(address: str) -> ObjectStore:
    """Open a bucket; nothing is sent yet."""
    try:
        from obstore.exceptions import BaseError
        from obstore.store import from_url as opened
    except ImportError:
        raise UsageError(f"{for_terminal(address)} lies in object storage, which needs an extra", hint=_EXTRA) from None
    plain = any(os.environ.get(name, "").startswith("http://") for name in _PLAIN)
    client: Any = {**_PATIENCE, **({"allow_http": True} if plain else {})}
    told: dict[str, Any] = _of_amazon() if address.startswith("s3:") else {}
    from_url: Any = opened  # its overloads name every option of every cloud
    try:
        store: ObjectStore = from_url(address, client_options=client, retry_config=_RETRIES, **told)
        return store
    except (BaseError, ValueError) as fault:
        raise UsageError(
            f"{for_terminal(address)} cannot be opened: its credentials or its name are not complete",
            hint="docs/scale.md says where each cloud's credentials are looked for",
        ) from fault


def _of_amazon() -> dict[str, str]:
    """What obstore does not look for itself: the files of Amazon's tools."""
    told: dict[str, str] = {}
    if os.environ.get("AWS_ACCESS_KEY_ID"):
        return told
    profile = os.environ.get("AWS_PROFILE", "default")
    home = Path.home() / ".aws"
    keys = _section(Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE", home / "credentials")), profile)
    named = profile if profile == "default" else f"profile {profile}"
    settings = _section(Path(os.environ.get("AWS_CONFIG_FILE", home / "config")), named)
    told |= {name: found for name in _KEYS if (found := keys.get(name) or settings.get(name))}
    if "region" in settings and not (os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")):
        told["region"] = settings["region"]
    return told


def _section(file: Path, name: str) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read(file, "utf-8")
        return dict(parser[name]) if name in parser else {}
    except (configparser.Error, OSError, UnicodeDecodeError):
        return {}


def _version(meta: Any) -> int:
    """A number made of the ETag, else of the time of the last change; it fits where a file's mtime stands."""
    told = meta.get("e_tag") or meta.get("version")
    changed: datetime | None = meta.get("last_modified")
    text = told or (changed.isoformat() if changed else "")
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest()) | 1


@contextmanager
def _told(path: bytes) -> Iterator[None]:
    """Say in our words what a store could not do."""
    from obstore import exceptions as faults

    try:
        yield
    except FileNotFoundError:  # what obstore raises for an object that is not there
        raise FileNotFoundError(errno.ENOENT, "there is no such object", to_text(path)) from None
    except (faults.PermissionDeniedError, faults.UnauthenticatedError):
        raise PermissionError(errno.EACCES, "the store refuses the credentials", to_text(path)) from None
    except faults.InvalidPathError:
        words = "it holds a key with an empty part or dots for a part, which cannot be listed"
        raise OSError(errno.EINVAL, words, to_text(path)) from None
    except faults.BaseError as fault:
        raise OSError(errno.EHOSTUNREACH, _why(str(fault)), to_text(path)) from None


def _why(said: str) -> str:
    if "NoSuchBucket" in said or "404" in said:
        return "there is no such bucket"
    if " 403 " in said or " 401 " in said:
        return "the store refuses the credentials"
    if " 301 " in said or "region" in said:
        return "the bucket lies in another region; set AWS_REGION"
    return "the store does not answer"
