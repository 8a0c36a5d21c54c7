"""The default prompt and answer schema; their digests are the versions that work keys are made of."""

from __future__ import annotations

from indexer.records import canonical_json

DEFAULT_TEMPLATE = """\
Describe this photo for a search index. Answer in {language}.

description: two to four factual sentences. Name the main subjects and how many there are, what they do, their \
colours and materials, the setting, the light, and anything unusual. Use concrete nouns and plain verbs. Start with \
the subject itself, never with words like "this image shows". Say only what can be seen: no names of people, no \
guesses about places, feelings or stories.
visible_text: every word that can be read in the picture, as written, in reading order; an empty string when there \
is none.
tags: 8 to 20 short lower-case tags that somebody might type to find this photo: objects, animals, actions, setting, \
colours, season, weather, time of day, kind of picture.\
"""

DEFAULT_SCHEMA = canonical_json(
    {
        "type": "object",
        "properties": {
            "description": {"type": "string", "description": "Two to four factual sentences."},
            "visible_text": {"type": "string", "description": "Text that can be read in the picture, or empty."},
            "tags": {
                "type": "array",
                "items": {"type": "string"},
                "description": "8 to 20 short lower-case tags.",
            },
        },
        "required": ["description", "visible_text", "tags"],
    }
)


def fill(template: str, language: str) -> str:
    """Return `template` with its `{language}` filled in; other braces stay as they are."""
    return template.replace("{language}", language)
