"""Fixtures for tests that need the service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes.gemini import Emulator, EmulatorProcess
from tests.fakes.gemini.material import sdk

if TYPE_CHECKING:
    from google import genai

__all__ = ["emulator", "emulator_process", "quick_client", "quick_emulator", "quick_service"]


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


@pytest.fixture(scope="module")
def quick_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Give all tests of a module one emulator, whose jobs end at once."""
    with Emulator(tmp_path_factory.mktemp("emulator"), pending_seconds=0.0, running_seconds=0.0) as running:
        yield running


@pytest.fixture
def quick_emulator(quick_service: Emulator) -> Emulator:
    """Give the module's emulator without the faults of the test before."""
    quick_service.clear_faults()
    return quick_service


@pytest.fixture(scope="module")
def quick_client(quick_service: Emulator) -> genai.Client:
    """Give one client of the real SDK for the module's emulator; making one costs more than a call."""
    return sdk(quick_service.url)
