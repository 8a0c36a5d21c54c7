"""The default prompt and answer schema, and how a template is filled in.

The digests of template and schema are the versions that work keys are made of. A template may name facts of the
photo, `{date}` or `{place}`: they are filled in for each photo and do not change the version.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from indexer.records import Facts, canonical_json

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


FACTS = ("date", "time", "place", "folder", "file", "keywords", "caption", "title", "camera")
"""What a template may ask for of each photo, in braces; `{language}` is filled in for all alike."""

_LONGEST_FACT = 300
_UNKNOWN = "unknown"
_BRACES = re.compile(r"\{(" + "|".join(("language", *FACTS)) + r")\}")


def fill(template: str, language: str, given: Mapping[str, str] | None = None) -> str:
    """Return `template` with its language and the facts `given` filled in; other braces stay as they are."""
    known = {"language": language, **(given or {})}
    # In one pass: a fact that itself says {place} is a text, not a template.
    return _BRACES.sub(lambda found: known.get(found[1]) or _UNKNOWN, template)


def longest(template: str, language: str) -> str:
    """Return `template` filled in with facts as long as facts can be."""
    return fill(template, language, dict.fromkeys(facts_asked(template), "x" * _LONGEST_FACT))


def facts_asked(template: str) -> tuple[str, ...]:
    """Return which facts of a photo `template` asks for, in a fixed order."""
    named = set(_BRACES.findall(template))
    return tuple(name for name in FACTS if name in named)


def given_facts(template: str, facts: Facts, path: str) -> str:
    """Return, as canonical JSON, the facts that `template` is given about the photo at `path`; {} when it asks none."""
    asked = facts_asked(template)
    if not asked:
        return "{}"
    place = PurePosixPath(path)
    day, _, time = (facts.taken_at or "").partition("T")
    known = {
        "date": day,
        "time": time[:5],
        "place": facts.place,
        "folder": place.parent.name,
        "file": place.stem,
        "keywords": ", ".join(facts.keywords),
        "caption": facts.caption,
        "title": facts.title,
        "camera": facts.camera,
    }
    lines = {name: " ".join((known[name] or "").split())[:_LONGEST_FACT] for name in asked}
    return canonical_json({name: line for name, line in lines.items() if line})


def read_given(text: str) -> Mapping[str, str]:
    """Return the facts in the JSON of `given_facts`."""
    return dict(json.loads(text or "{}"))
