"""A service account and the endpoint that gives it tokens, so that google-auth signs in as it always does."""

from __future__ import annotations

import base64
import json
import secrets
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.fakes.service import Refusal
from tests.fakes.wire import Call, Reply

EMAIL = "captionary@test-project.iam.gserviceaccount.com"


@cache
def _key() -> rsa.RSAPrivateKey:
    """One key for the whole process; making one takes a moment."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def write_credentials(path: Path, token_uri: str, project: str) -> Path:
    """Write the key file of the service account."""
    pem = _key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    told = {
        "type": "service_account",
        "project_id": project,
        "private_key_id": "k1",
        "private_key": pem.decode(),
        "client_email": EMAIL,
        "client_id": "1",
        "token_uri": token_uri,
    }
    path.write_text(json.dumps(told))
    return path


class Tokens:
    """The tokens in force."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def give(self, call: Call) -> Reply:
        """Give a token for a signed assertion."""
        form = dict(part.split("=", 1) for part in call.body.decode().split("&"))
        head, claims, signature = form.get("assertion", "..").split(".")
        signed = base64.urlsafe_b64decode(signature + "==")
        _key().public_key().verify(signed, f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
        told = json.loads(base64.urlsafe_b64decode(claims + "=="))
        if told["iss"] != EMAIL or "cloud-platform" not in told["scope"]:
            return Reply(400, {"error": "invalid_grant", "error_description": "Invalid JWT."})
        token = "ya29.test-" + secrets.token_hex(16)
        self._given.add(token)
        return Reply(200, {"access_token": token, "expires_in": 3600, "token_type": "Bearer"})

    def revoke(self) -> None:
        """Take all tokens out of force."""
        self._given.clear()

    def admit(self, call: Call) -> None:
        """Refuse a call without a token in force."""
        shown = call.headers.get("authorization", "").removeprefix("Bearer ")
        if shown not in self._given:
            raise Refusal(401, "Request had invalid authentication credentials.", "UNAUTHENTICATED")
