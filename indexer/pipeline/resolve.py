"""Options -> `Ask`: what one call of `index` means in this library, with every default resolved."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from indexer.crawl.crawler import CrawlOptions
from indexer.crawl.pool import WorkOptions
from indexer.crawl.walk import WalkOptions
from indexer.domain.answer_fields import unsearchable
from indexer.domain.errors import BadSetting, KeyMissing, UsageError, first_line
from indexer.domain.keys import canonical_json
from indexer.domain.mode import Mode
from indexer.domain.nearest import did_you_mean
from indexer.domain.prompts import DEFAULT_SCHEMA, DEFAULT_TEMPLATE, FIRST_TEMPLATE, edition_of, in_language
from indexer.domain.question import Question, Settings
from indexer.ledger.photos import files
from indexer.ledger.scope import Scope
from indexer.ledger.store import Ledger
from indexer.ledger.views import counts, prompts
from indexer.ledger.work import questions
from indexer.media.versions import DIGEST_VERSION
from indexer.pipeline.gates import parse_gates
from indexer.pipeline.index_options import IndexOptions
from indexer.pipeline.request import Ask
from indexer.providers import automatic, key_variables
from indexer.providers.seam import Provider
from indexer.providers.spec import Spec
from indexer.storage.layout import BATCHES_FOLDER, RENDITIONS_FILE
from indexer.storage.paths import AnyPath, for_terminal, is_address, resolve_root, shown
from indexer.storage.places import refuse_absent, stands
from indexer.storage.regular import read_words
from indexer.storage.settings import Config

_MODEL_NAME = re.compile(r"[A-Za-z0-9][\w.:/@+~-]{0,199}", re.ASCII)
_KEYLESS = (
    "no key is set ({variables}), so nothing is sent and no model describes the photos: they are found by their "
    "captions, keywords, dates, places and names, and by their colours"
)
_KEYED = "{variable} is set: {remote} can now describe the photos; --provider {before} stays free and offline"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an ask is resolved in: providers by name, known and opened, the environment, and whom to tell."""

    spec: Callable[[str], Spec]
    provider: Callable[[str], Provider]
    environ: Mapping[str, str]
    note: Callable[[str], None]


def make_ask(
    ledger: Ledger,
    paths: Sequence[AnyPath],
    options: IndexOptions,
    config: Config,
    around: Surroundings,
) -> Ask:
    """Resolve `options` over the settings, over what this library asked last."""
    roots = _roots(ledger, paths)
    spec, before, openable = _provider(ledger, options.get("provider", config.provider), around)
    named = options.get("model") or config.model or spec.default_model
    model = named or (before.model if before else around.provider(spec.name).model())
    question = with_settings(_base(ledger, around, (spec, before), _model_name(model)), options, config)
    refusal = around.provider(spec.name).check(question) if openable else ""
    if refusal:
        raise UsageError(f"{spec.name} would refuse this: {refusal}", hint="fix the prompt or the schema")
    mode = _mode(spec, options.get("mode", config.mode))
    return Ask(
        roots=roots,
        question=question,
        mode=mode,
        crawl=crawl_options(ledger, options, config),
        digest_version=DIGEST_VERSION,
        pilot=options.get("pilot", config.pilot),
        budget=options.get("budget", config.budget),
        deadline=options.get("deadline"),
        wait=options.get("wait", True),
        gates=parse_gates(options.get("gate", ())),
        refresh=_refresh(options.get("refresh")),
        one_per_burst=options.get("one_per_burst", config.one_per_burst),
        names=(_name(options.get("prompt")), _name(options.get("schema"))),
        openable=openable,
    )


def _provider(ledger: Ledger, wished: str, around: Surroundings) -> tuple[Spec, Question | None, bool]:
    """Return the provider to ask, the question before, and whether it can be asked now.

    A library that was described by a remote provider does without its key what needs no request. Raises `KeyMissing`
    where the provider is new to the library.
    """
    last = counts.last_asked(ledger)
    asked = questions.question_of(ledger, last.question) if last else None
    before = asked if wished == "auto" else None
    name = wished if wished != "auto" else (before.provider if before else automatic(around.environ))
    if before is not None and around.spec(name).offline:
        remote = around.spec(automatic(around.environ))
        if not remote.offline:
            variable = next(each for each in remote.key_variables if around.environ.get(each, "").strip())
            around.note(_KEYED.format(variable=variable, remote=remote.name, before=name))
            name, before = remote.name, None
    spec = around.spec(name)
    if wished == "auto" and asked is None and spec.offline:
        around.note(_KEYLESS.format(variables=" or ".join(key_variables())))
    try:
        around.provider(name)
    except KeyMissing:
        if asked is None or asked.provider != name:
            raise
        return spec, before, False
    return spec, before, True


def _roots(ledger: Ledger, paths: Sequence[AnyPath]) -> tuple[bytes, ...]:
    """Resolve the roots; one that is not there counts only when its files are known: it may be unplugged."""
    roots = tuple(dict.fromkeys(resolve_root(path) for path in paths))
    refuse_absent(root for root in roots if not stands(root) and not files.knows(ledger, Scope((root,))))
    return roots


def _base(ledger: Ledger, around: Surroundings, by: tuple[Spec, Question | None], model: str) -> Question:
    """What is asked when nobody says otherwise: as in the last run, with the prompt and the schema in force."""
    spec, before = by
    if spec.offline:
        # Free: what an extra adds is used as soon as it is installed.
        return replace(before, model=model) if before else Question(spec.name, model, FIRST_TEMPLATE, DEFAULT_SCHEMA)
    template, schema = in_force(ledger, around.spec)
    return replace(before or Question(spec.name, model, template, schema), template=template, schema=schema)


def in_force(ledger: Ledger, spec: Callable[[str], Spec]) -> tuple[str, str]:
    """Return the prompt and the schema that models are asked with: those chosen, or else those last asked with.

    A library that has asked no model yet begins with the default prompt of today.
    """
    template, schema = prompts.chosen(ledger)
    asked = next((one for one in questions.latest_asked(ledger) if _sent(one, spec)), None)
    if asked is None:
        own = template if template and not edition_of(template) else None
        return own or DEFAULT_TEMPLATE, schema or DEFAULT_SCHEMA
    return template or asked.template, schema or asked.schema


def _sent(question: Question, spec: Callable[[str], Spec]) -> bool:
    try:
        return not spec(question.provider).offline
    except UsageError:  # of a package that is not installed here
        return True


def with_settings(base: Question, options: IndexOptions, config: Config) -> Question:
    """Return `base` as it is asked with these options and settings."""
    told: dict[str, Any] = {
        name: value
        for name in (field.name for field in fields(Settings))
        if (value := options.get(name, getattr(config, name, None))) is not None
    }
    if not str(told.get("language", "")).isprintable():
        raise BadSetting(
            f"{for_terminal(str(told['language']))!r} is not the name of a language", hint="for example German"
        )
    asked = replace(
        base,
        model=options.get("model") or config.model or base.model,
        template=_template(options["prompt"]) if "prompt" in options else base.template,
        schema=read_schema(options["schema"]) if "schema" in options else base.schema,
        settings=replace(base.settings, **told),
    )
    return in_language(asked)


def _model_name(told: str) -> str:
    """What can stand in an address and in a message; whether the service has it, only the service knows."""
    if not _MODEL_NAME.fullmatch(told):
        raise BadSetting(f"{for_terminal(told)[:80]!r} is not the name of a model", hint="see: index doctor")
    return told


def _refresh(wished: str | None) -> bool:
    if wished not in (None, "given"):
        raise BadSetting(f"{wished!r} cannot be refreshed", hint="use: --refresh given")
    return wished is not None


def _name(file: AnyPath | None) -> str:
    return for_terminal(Path(os.fsdecode(file)).stem) if file is not None else ""


def _template(file: AnyPath) -> str:
    text = _read(file, "prompt").strip()
    if not text:
        raise UsageError(f"the prompt file {shown(file)} is empty", hint="write what should be asked about each photo")
    return text


def read_schema(file: AnyPath) -> str:
    """Return the JSON Schema in `file` as canonical JSON; raises `UsageError` where it is none that can be asked."""
    try:
        told = json.loads(_read(file, "schema"))
    except (ValueError, RecursionError) as fault:
        raise UsageError(f"{shown(file)} is not JSON: {fault}", hint="give a JSON Schema of an object") from fault
    named = told.get("properties") if isinstance(told, dict) and told.get("type") == "object" else None
    if not isinstance(named, dict) or "description" not in named:
        raise UsageError(
            f"{shown(file)} is not a JSON Schema of an object with a property `description`",
            hint='begin with {"type": "object", "properties": {"description": {"type": "string"}, ...}}',
        )
    schema = canonical_json(told)
    odd = unsearchable(schema)
    if odd:
        raise UsageError(
            f"{shown(file)} names a field {for_terminal(odd[0])!r}, which a filter cannot name",
            hint="use letters, digits and underscores, beginning with a letter",
        )
    return schema


def _read(file: AnyPath, what: str) -> str:
    try:
        return read_words(Path(os.fsdecode(file)).expanduser())
    except (OSError, UnicodeDecodeError) as fault:
        words = first_line(fault)
        raise UsageError(f"the {what} file {shown(file)} cannot be read: {words}", hint="check its path") from fault


def _mode(spec: Spec, wished: str | None) -> Mode:
    try:
        return spec.has_mode(Mode(wished)) if wished else spec.modes[0]
    except ValueError:
        hint = did_you_mean(str(wished), Mode) or f"one of: {', '.join(Mode)}"
        raise BadSetting(f"there is no mode {wished!r}", hint=hint) from None


def _renditions_in(config: Config) -> bytes:
    """Return the address of [objects] renditions, b"" for none; raises `BadSetting` for what is no address."""
    told = str(config.tables.get("objects", {}).get("renditions", ""))
    if told and not is_address(told.encode()):
        hint = "s3://BUCKET/PREFIX, gs://... or az://..."
        raise BadSetting(f"[objects] renditions = {told!r} is not an address", hint=hint)
    return told.encode()


def crawl_options(ledger: Ledger, options: IndexOptions, config: Config) -> CrawlOptions:
    """Return how to crawl, by `options` over the settings."""
    pixels = options.get("max_pixels", config.max_pixels)
    return CrawlOptions(
        walk=WalkOptions(
            follow=options.get("follow", False),
            hidden=options.get("hidden", False),
            exclude=tuple(options.get("exclude", ())),
            skip=frozenset({os.fsencode(ledger.path.parent)}),
        ),
        work=WorkOptions(
            workers=options.get("workers", config.workers),
            ledger=ledger.path,
            spool=ledger.path.parent / BATCHES_FOLDER / RENDITIONS_FILE,
            max_pixels=pixels,
            min_side=options.get("min_side", config.min_side),
            renditions=_renditions_in(config),
        ),
        confirm_deleted=options.get("confirm_deleted", False),
        reread=options.get("reread", False),
    )
