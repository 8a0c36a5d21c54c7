"""Anthropic on this machine: messages and message batches, as strict as the service and as forgetful."""

from tests.fakes.anthropic.service import FakeAnthropic

__all__ = ["FakeAnthropic"]
