"""Fixtures for tests that need the service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulator import Emulator, EmulatorProcess

__all__ = ["emulator", "emulator_process"]


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    """Give a fresh emulator in this process."""
    with Emulator(tmp_path / "emulator") as running:
        yield running


@pytest.fixture
def emulator_process(tmp_path: Path) -> Iterator[EmulatorProcess]:
    """Give a fresh emulator in a process of its own, so that it survives a client that is killed."""
    with EmulatorProcess(tmp_path / "emulator-process") as running:
        yield running
