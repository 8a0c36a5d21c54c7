"""The default prompt and answer schema, and how a template is filled in.

The digests of template and schema are the versions that work keys are made of. A template may name facts of the
photo, `{date}` or `{place}`: they are filled in for each photo and do not change the version. An edition of the default
prompt is never changed, only followed by another one: a library keeps asking with the one that it has asked with.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath

from indexer.domain.keys import canonical_json
from indexer.domain.photo import Facts
from indexer.domain.question import Question

FIRST_TEMPLATE = """\
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
"""The first edition; the keyless provider, which reads no prompt, and the inbox stay with it."""

DEFAULT_TEMPLATE = (
    f"{FIRST_TEMPLATE[:-1]}; among them a synonym and a broader term for each main subject, such as shoe and footwear "
    "for a sneaker."
)

EDITIONS = (FIRST_TEMPLATE, DEFAULT_TEMPLATE)
"""The default prompts, the oldest first."""

ENGLISH_FIELD = "description_english"
"""The answer's field with an English description, asked where the description itself is in another language."""


def _bilingual(template: str) -> str:
    return f"{template}\n{ENGLISH_FIELD}: the description once more, in English."


def edition_of(template: str) -> str:
    """Return the edition of the default prompt that `template` is, in whichever language; "" for a person's own."""
    return next((one for one in EDITIONS if template in (one, _bilingual(one))), "")


def usual_name(template: str) -> str:
    """Return what the default prompt is called, older editions with their number; "" for a person's own."""
    edition = edition_of(template)
    if edition in ("", DEFAULT_TEMPLATE):
        return edition and "default"
    return f"default-{EDITIONS.index(edition) + 1}"


def _schema(**more: str) -> str:
    texts = {
        "description": "Two to four factual sentences.",
        "visible_text": "Text that can be read in the picture, or empty.",
    }
    properties: dict[str, object] = {
        name: {"type": "string", "description": text} for name, text in {**texts, **more}.items()
    }
    properties["tags"] = {
        "type": "array",
        "items": {"type": "string"},
        "description": "8 to 20 short lower-case tags.",
    }
    return canonical_json({"type": "object", "properties": properties, "required": [*texts, "tags", *more]})


DEFAULT_SCHEMA = _schema()
_BILINGUAL_SCHEMA = _schema(**{ENGLISH_FIELD: "The description in English."})

_ENGLISH = ("english", "en")


def in_language(question: Question) -> Question:
    """Return `question` asking for an English description beside one in another language.

    The encoder knows English only. What a person has written, prompt or schema, stays as it is.
    """
    both = question.settings.language.strip().casefold() not in _ENGLISH
    edition, schema = edition_of(question.template), _BILINGUAL_SCHEMA if both else DEFAULT_SCHEMA
    return replace(
        question,
        template=(_bilingual(edition) if both else edition) if edition else question.template,
        schema=schema if question.schema in (DEFAULT_SCHEMA, _BILINGUAL_SCHEMA) else question.schema,
    )


FACTS = ("date", "time", "place", "folder", "file", "keywords", "caption", "title", "camera", "people")
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
    day, _, time = facts.taken.partition("T")
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
        "people": ", ".join(facts.people),
    }
    lines = {name: " ".join((known[name] or "").split())[:_LONGEST_FACT] for name in asked}
    return canonical_json({name: line for name, line in lines.items() if line})


def read_given(text: str) -> Mapping[str, str]:
    """Return the facts in the JSON of `given_facts`."""
    return dict(json.loads(text or "{}"))
