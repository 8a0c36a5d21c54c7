"""What is asked of a provider, in which mode, and the request that carries it for one photo."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import NamedTuple

from indexer.domain.answer import Reason
from indexer.domain.keys import canonical_json, digest
from indexer.domain.mode import Mode

_FIRST_SETTINGS = frozenset({"language", "media_resolution", "temperature", "max_output_tokens", "thinking"})


@dataclass(frozen=True, slots=True)
class Settings:
    """What else changes an answer; part of the work key."""

    language: str = "English"
    media_resolution: str = "medium"
    temperature: float = 0.2
    max_output_tokens: int = 512
    thinking: str = "minimal"


class Versions(NamedTuple):
    """The versions of a prompt and of an answer schema, 12 hex digits each."""

    prompt: str
    schema: str


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and of whom; the same for all photos of a run.

    `template` is the prompt text before `{language}` and facts are filled in; `schema` the canonical JSON Schema
    text of the answer.
    """

    provider: str
    model: str
    template: str
    schema: str
    settings: Settings = Settings()

    @property
    def prompt_version(self) -> str:
        """The digest of the template, 12 hex digits."""
        return prompt_version(self.template)

    @property
    def schema_version(self) -> str:
        """The digest of the answer schema, 12 hex digits."""
        return digest("schema", self.schema)[:12]

    @property
    def versions(self) -> Versions:
        """What it asks with, whoever is asked."""
        return Versions(self.prompt_version, self.schema_version)

    def settings_json(self) -> str:
        """The settings as canonical JSON, the text that names them in a work key.

        The five of the first version always stand in it. A setting that came later stands in it only where it differs
        from its default, so that a key that was given once never changes.
        """
        told = {each.name: getattr(self.settings, each.name) for each in fields(self.settings)}
        usual = {each.name: each.default for each in fields(self.settings) if each.name not in _FIRST_SETTINGS}
        return canonical_json(
            {name: value for name, value in told.items() if name not in usual or value != usual[name]}
        )

    def with_room(self, reason: str, attempts: int) -> Question:
        """Return the question for one more attempt: with more room where the last answer was cut off.

        The room is no part of the work key: it is the same work, asked again.
        """
        if reason != Reason.TRUNCATED:
            return self
        room = self.settings.max_output_tokens * 2 ** min(max(attempts, 1), 2)
        return replace(self, settings=replace(self.settings, max_output_tokens=room))

    def work_key(self, photo: str) -> str:
        """Name this question about `photo`: 20 hex digits."""
        return work_key(photo, self.versions, self.provider, self.model, self.settings_json())


def prompt_version(template: str) -> str:
    """Name a template: 12 hex digits."""
    return digest("prompt", template)[:12]


def work_key(photo: str, versions: tuple[str, str], provider: str, model: str, settings: str) -> str:
    """Name a question about `photo` by the versions of its prompt and schema, whatever their texts: 20 hex digits."""
    return digest(photo, *versions, provider, model, settings)[:20]


@dataclass(frozen=True, slots=True)
class Request:
    """One photo, ready to be asked about.

    `image` is the encoded rendition (JPEG bytes, no metadata), `prompt` the filled-in template. `max_output_tokens`
    overrides the question's when an attempt needs more; `mode` is the mode that carries it.
    """

    key: str
    question: Question
    image: bytes
    prompt: str
    mime_type: str = "image/jpeg"
    max_output_tokens: int | None = None
    mode: Mode = Mode.INTERACTIVE
