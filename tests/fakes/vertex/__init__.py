"""Vertex AI and Cloud Storage on this machine, as strict as the services and as forgetful."""

from tests.fakes.vertex.service import BUCKET, PROJECT, FakeVertex

__all__ = ["BUCKET", "PROJECT", "FakeVertex"]
