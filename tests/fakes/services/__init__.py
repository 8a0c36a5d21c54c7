"""Services other than Gemini, on this machine: strict about what they take, exact about what they served and billed."""

from tests.fakes.services.anthropic import FakeAnthropic
from tests.fakes.services.base import Answer, Service
from tests.fakes.services.chat import FakeChat
from tests.fakes.services.mistral import FakeMistral
from tests.fakes.services.openai import FakeOpenAI

__all__ = ["Answer", "FakeAnthropic", "FakeChat", "FakeMistral", "FakeOpenAI", "Service"]
