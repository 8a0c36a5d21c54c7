"""Fixtures for all tests."""

from tests.emulator.fixtures import *  # noqa: F403
