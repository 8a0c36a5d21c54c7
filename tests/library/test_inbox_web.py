"""The inbox for other programs: over HTTP behind a token, by a signed webhook, and the worked example of its page."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from indexer.domain.errors import UsageError
from indexer.library.api import Library, Seams
from indexer.library.inbox_web import app
from indexer.library.webhook import SIGNATURE, NotTaken, Webhook
from tests.fakes.services.base import Answer, Call, Service
from tests.support.commands import environment
from tests.support.services import SHOPS, Saturday, environ
from tests.support.uploads import CHECKS, CODED, Hand, Judge

TOKEN = "a-token-of-the-tests-0123456789"
PAGE = (Path(__file__).parents[2] / "docs" / "inbox.md").read_text("utf-8")


@pytest.fixture(scope="module")
def service() -> Iterator[Judge]:
    """The service that looks."""
    with Judge() as running:
        yield running


class Receiver(Service):
    """Takes what a webhook posts, unless it is told to fail."""

    def allowed(self, call: Call) -> bool:
        """Anybody may post."""
        return True

    def answer(self, call: Call) -> Answer:
        """It is taken."""
        return Answer(204, b"")


def opened(folder: Path, service: Judge, clock: Any, checks: str = CHECKS) -> Any:
    """An inbox before the service."""
    (folder / "checks.toml").write_text(checks)
    library = Library.open(folder / "library", seams=Seams(environ=environ(SHOPS["openai"], service), clock=clock))
    return library.inbox(folder / "checks.toml", provider="openai", within="10m")


def test_uploads_go_in_and_verdicts_come_out_over_http(service: Judge, tmp_path: Path) -> None:
    """With the token; in pages, each with its cursor; errors say what to do."""
    inbox = opened(tmp_path, service, Saturday())
    client = TestClient(app(inbox, TOKEN), headers={"Authorization": f"Bearer {TOKEN}"})
    for name, (raw, _) in CODED.items():
        assert client.post(f"/uploads/shop/{name}", content=raw).status_code == 201
        assert client.post(f"/uploads/shop/{name}", content=raw).json() == {"id": f"shop/{name}"}
    assert client.post("/uploads/shop/red", content=CODED["fine"][0]).status_code == 409
    assert client.post("/uploads/nothing", content=b"").status_code == 422
    inbox.advance()
    first = client.get("/verdicts", params={"limit": 2}).json()
    rest = client.get("/verdicts", params={"after": first["cursor"]}).json()
    found = {verdict["id"]: verdict["decision"] for verdict in first["verdicts"] + rest["verdicts"]}
    assert (len(first["verdicts"]), found) == (2, {f"shop/{name}": said for name, (_, said) in CODED.items()})
    assert client.get("/verdicts", params={"after": rest["cursor"]}).json() == {
        "verdicts": [],
        "cursor": rest["cursor"],
    }
    assert client.get("/verdicts", params={"after": "x"}).status_code == 422
    assert client.delete("/uploads/shop/red").json() == {"id": "shop/red", "gone": True}
    assert client.delete("/uploads/shop/red").status_code == 404


@pytest.mark.parametrize("told", [None, "Bearer wrong", "Basic abc", f"Bearer {TOKEN}x", "Bearer \u00e9"])
def test_nothing_is_answered_without_the_token(service: Judge, tmp_path: Path, told: str | None) -> None:
    """Neither reading nor writing, and a refused upload leaves nothing."""
    inbox = opened(tmp_path, service, Saturday())
    client = TestClient(app(inbox, TOKEN))
    headers = {"Authorization": told.encode()} if told else {}
    answers = [
        client.post("/uploads/one", content=CODED["fine"][0], headers=headers),
        client.get("/verdicts", headers=headers),
        client.delete("/uploads/one", headers=headers),
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert not (tmp_path / "library" / "inbox").exists()


def test_a_token_that_could_be_guessed_is_refused(service: Judge, tmp_path: Path) -> None:
    """Before anything listens."""
    with pytest.raises(UsageError, match="shorter"):
        app(opened(tmp_path, service, Saturday()), "")


def test_a_webhook_is_signed_and_repeats_until_it_is_taken(service: Judge, tmp_path: Path) -> None:
    """In order, at least once, later and later; the secret proves who posted."""
    clock = Hand(service)
    with Receiver() as receiver:
        checks = f'{CHECKS}\n[inbox]\nwebhook = "{receiver.url}/hook"\n'
        inbox = opened(tmp_path, service, clock, checks)
        for name, (raw, _) in CODED.items():
            inbox.add(name, raw)
        inbox.advance()
        hook = Webhook(inbox, "secret")
        receiver.fail_once("POST", Answer(500, {}), times=2)
        for _ in range(2):
            with pytest.raises(NotTaken):
                hook.deliver()
            assert hook.deliver() == 0, "not before its time"
            clock.sleep(5)
        assert hook.deliver() == len(CODED)
        assert hook.deliver() == 0
        assert Webhook(inbox, "secret").deliver() == 0, "what was taken is remembered"
    taken = receiver.log[-1]
    assert [v["id"] for v in json.loads(taken.body)["verdicts"]] == [v.id for v in inbox.verdicts()]
    moment, _, told = taken.headers[SIGNATURE.lower()].removeprefix("t=").partition(",v1=")
    assert told == hmac.new(b"secret", f"{moment}.".encode() + taken.body, hashlib.sha256).hexdigest()
    assert len(receiver.log) == 3


def test_a_webhook_over_plain_http_to_elsewhere_is_refused(service: Judge, tmp_path: Path) -> None:
    """Verdicts are nobody else's business; and without a secret nothing is posted."""
    for address, words in (("http://example.com/x", "https"), ("https://example.com/x", "secret")):
        (tmp_path / words).mkdir()
        checks = f'{CHECKS}\n[inbox]\nwebhook = "{address}"\n'
        with pytest.raises(UsageError, match=words):
            Webhook(opened(tmp_path / words, service, Saturday(), checks), "")


def test_the_command_serves_and_advances_by_itself(service: Judge, tmp_path: Path) -> None:
    """It prints its address, and ends quietly."""
    (tmp_path / "checks.toml").write_text(CHECKS)
    command = [sys.executable, "-m", "indexer", "inbox", "serve", "--port", "0", "--every", "0.2s"]
    command += ["--provider", "openai", "--within", "10m"]
    env = environment(
        CAPTIONARY_LIBRARY=str(tmp_path / "library"),
        CAPTIONARY_INBOX_TOKEN=TOKEN,
        **environ(SHOPS["openai"], service),
    )
    with subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        address = running.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        headers = {"Authorization": f"Bearer {TOKEN}"}
        httpx.post(f"{address}/uploads/one", content=CODED["red"][0], headers=headers).raise_for_status()
        verdicts: list[Any] = []
        for _ in range(300):
            verdicts = httpx.get(f"{address}/verdicts", headers=headers).json()["verdicts"]
            if verdicts:
                break
            time.sleep(0.1)
        running.terminate()
        running.wait(30)
    assert [(verdict["id"], verdict["decision"]) for verdict in verdicts] == [("one", "reject")]


_TRY = """
import time
from fastapi.testclient import TestClient

client = TestClient(app)
image = {"Content-Type": "image/png"}
sent = client.post("/posts/post-123", content=open("photo.png", "rb").read(), headers=image)
assert sent.json() == {"id": "post-123", "decision": "waiting"}, sent.text
assert client.post("/posts/post-124", content=b"", headers=image).status_code == 422
for _ in range(300):
    if client.get("/posts/post-123").json()["decision"] != "waiting":
        break
    time.sleep(0.1)
print(client.get("/posts/post-123").json()["decision"])
ended.set()
"""


def test_the_worked_example_runs_as_it_stands(service: Judge, tmp_path: Path) -> None:
    """Pasted into a file: an upload is taken in, looked at, and decided."""
    if find_spec("fastapi") is None:
        pytest.skip("fastapi is not installed")
    code = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)[0]
    (tmp_path / "photo.png").write_bytes(CODED["red"][0])
    env = environment(**environ(SHOPS["openai"], service), PYTHONPATH=os.pathsep.join(filter(None, sys.path)))
    done = subprocess.run(
        [sys.executable, "-c", code + _TRY], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "reject"


def test_the_page_shows_a_checks_file_that_is_one() -> None:
    """What it shows can be read."""
    from indexer.domain.checks import read_checks

    (shown,) = re.findall(r"^```toml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    checks = read_checks(shown)
    assert checks.handling.keep == 30 * 86_400
    assert checks.checks[0].reject_if is False
