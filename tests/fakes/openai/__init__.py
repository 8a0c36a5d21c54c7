"""OpenAI on this machine: files, batches and chat completions, as strict as the service and as forgetful."""

from tests.fakes.openai.service import FakeOpenAI

__all__ = ["FakeOpenAI"]
