"""Fixtures for all tests."""

from tests.fakes.gemini.fixtures import *  # noqa: F403
