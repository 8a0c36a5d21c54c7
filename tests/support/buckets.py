"""An S3 server on this machine, and buckets in it: moto's, or the one at the address in `TEST_S3_ADDRESS`."""

from __future__ import annotations

import itertools
import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

ADDRESS = "TEST_S3_ADDRESS"
ACCESS, SECRET = "archive:reader", "a-secret-that-must-never-be-written"
_NUMBERS = itertools.count()


class Store:
    """An S3 server, and the environment in which it is Amazon's."""

    def __init__(self, address: str) -> None:
        self.environ: Mapping[str, str] = {
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": ACCESS,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
        }

    def bucket(self) -> Bucket:
        """Make a new, empty bucket."""
        return Bucket(self.client(), f"photos-of-test-{next(_NUMBERS)}-{self.environ['AWS_ENDPOINT_URL'][-5:]}")

    def client(self) -> Any:
        """Amazon's own client of the server."""
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.environ["AWS_ENDPOINT_URL"],
            aws_access_key_id=ACCESS,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
        )


class Bucket:
    """A bucket, filled and emptied through Amazon's own client."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self.name = name.replace(":", "-")
        self.address = f"s3://{self.name}"
        client.create_bucket(Bucket=self.name)

    def put(self, key: str, content: bytes | Path) -> None:
        """Put an object."""
        data = content.read_bytes() if isinstance(content, Path) else content
        self._client.put_object(Bucket=self.name, Key=key, Body=data)

    def delete(self, *keys: str) -> None:
        """Delete objects."""
        for key in keys:
            self._client.delete_object(Bucket=self.name, Key=key)

    def listed(self) -> list[str]:
        """Return all keys, sorted."""
        return [one["Key"] for one in self._client.list_objects_v2(Bucket=self.name).get("Contents", [])]

    def read(self, key: str) -> bytes:
        """Return an object."""
        return bytes(self._client.get_object(Bucket=self.name, Key=key)["Body"].read())

    def drop(self) -> None:
        """Delete the bucket with all in it."""
        self.delete(*self.listed())
        self._client.delete_bucket(Bucket=self.name)


@contextmanager
def careless() -> Iterator[str]:
    """Another door to the same buckets that makes an object anew whatever the request's conditions; gives its URL."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    moto = DomainDispatcherApplication(create_backend_app)

    def heedless(environ: dict[str, Any], start: Any) -> Any:
        environ.pop("HTTP_IF_NONE_MATCH", None)
        return moto(environ, start)

    server = make_server("127.0.0.1", 0, heedless, threaded=True, request_handler=MotoRequestHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def moto() -> Iterator[str]:
    """Run moto's server in a thread of this process; gives its address."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@contextmanager
def serving() -> Iterator[Store]:
    """An S3 server that this process and its children take for Amazon's."""
    running = nullcontext(os.environ[ADDRESS]) if ADDRESS in os.environ else moto()
    with running as address, pytest.MonkeyPatch.context() as patch:
        store = Store(address)
        for name, value in store.environ.items():
            patch.setenv(name, value)
        yield store
