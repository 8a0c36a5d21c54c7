"""Mistral on this machine: files, batch jobs and chat completions, as strict as the service and as forgetful."""

from tests.fakes.mistral.service import FakeMistral

__all__ = ["FakeMistral"]
