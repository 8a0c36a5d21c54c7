"""Fixtures for all tests, and their order."""

import pytest

from tests.fakes.gemini.fixtures import *  # noqa: F403

_LONGEST = ("test_kills.py", "test_fault_matrix.py", "test_bad_input.py", "test_services.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take minutes: begun last, they would keep one worker busy and leave the others idle."""
    items.sort(key=lambda item: item.path.name not in _LONGEST)
