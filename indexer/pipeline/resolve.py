"""Options -> `Ask`: what one call of `index` means in this library, with every default resolved."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypedDict

from indexer.crawl.crawler import CrawlOptions
from indexer.crawl.pool import WorkOptions
from indexer.crawl.walk import WalkOptions
from indexer.domain.answer_fields import unsearchable
from indexer.domain.errors import BadSetting, UsageError
from indexer.domain.keys import canonical_json
from indexer.domain.mode import Mode
from indexer.domain.prompts import DEFAULT_SCHEMA, DEFAULT_TEMPLATE, in_language
from indexer.domain.question import Question, Settings
from indexer.ledger.photos import files
from indexer.ledger.scope import Scope
from indexer.ledger.store import Ledger
from indexer.ledger.views import counts, prompts
from indexer.ledger.work import questions
from indexer.media.rendition import DIGEST_VERSION
from indexer.pipeline.gates import parse_gates
from indexer.pipeline.request import Ask
from indexer.providers import automatic, key_variables
from indexer.providers.seam import Provider
from indexer.providers.spec import Spec
from indexer.storage.paths import AnyPath, for_terminal, refuse_missing, resolve_root, to_text
from indexer.storage.settings import Config


class IndexOptions(TypedDict, total=False):
    """What `plan` and `index` take by keyword; everything has a default.

    `prompt` and `schema` are files; money is in US dollars, `deadline` in seconds from the approval, `price`
    "IN,OUT" in dollars per million tokens. Each `gate` is "NAME=VALUE"; `refresh` "given" asks again where facts
    given to the prompt have changed. `one_per_burst` asks about one photo of each burst, whose description the others
    take; False asks about these as well.
    """

    provider: str
    mode: str
    model: str
    prompt: AnyPath
    schema: AnyPath
    language: str
    media_resolution: str
    pilot: int
    budget: float
    deadline: float
    price: str
    gate: Sequence[str]
    refresh: str
    one_per_burst: bool
    exclude: Sequence[str]
    follow: bool
    hidden: bool
    max_pixels: int
    workers: int
    confirm_deleted: bool
    wait: bool


_KEYLESS = (
    "no key is set ({variables}), so nothing is sent and nobody describes the photos: they are found by their "
    "captions, keywords, dates, places and names, and by their colours"
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an ask is resolved in: how providers are opened by name, the environment, and whom to tell."""

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
    last = counts.last_asked(ledger)
    wished = options.get("provider", config.provider)
    before = questions.question_of(ledger, last[0]) if last and wished == "auto" else None
    name = wished if wished != "auto" else (before.provider if before else automatic(around.environ))
    provider = around.provider(name)
    spec = provider.spec
    if wished == "auto" and before is None and spec.offline:
        around.note(_KEYLESS.format(variables=" or ".join(key_variables())))
    question = _question(_base(ledger, spec, before, config), options, config)
    refusal = provider.check(question)
    if refusal:
        raise UsageError(f"{spec.name} would refuse what is asked: {refusal}", hint="mend the prompt or the schema")
    mode = _mode(spec, options.get("mode", config.mode))
    return Ask(
        roots=roots,
        question=question,
        mode=mode,
        crawl=_crawl_options(ledger, options, config),
        digest_version=DIGEST_VERSION,
        pilot=options.get("pilot", config.pilot),
        budget=options.get("budget", config.budget),
        deadline=options.get("deadline"),
        wait=options.get("wait", True),
        gates=parse_gates(options.get("gate", ())),
        refresh=_refresh(options.get("refresh")),
        one_per_burst=options.get("one_per_burst", config.one_per_burst),
        names=(_name(options.get("prompt")), _name(options.get("schema"))),
    )


def _roots(ledger: Ledger, paths: Sequence[AnyPath]) -> tuple[bytes, ...]:
    """Resolve the roots; one that is not there counts only when its files are known: it may be unplugged."""
    roots = tuple(dict.fromkeys(resolve_root(path) for path in paths))
    missing = [root for root in roots if not os.path.lexists(root)]
    refuse_missing(root for root in missing if not files.knows(ledger, Scope((root,))))
    return roots


def _base(ledger: Ledger, spec: Spec, before: Question | None, config: Config) -> Question:
    """What is asked when nobody says otherwise: as in the last run, with the prompt and the schema in force."""
    model = config.model or spec.default_model
    if spec.offline:
        return before or Question(spec.name, model, DEFAULT_TEMPLATE, DEFAULT_SCHEMA)
    template, schema = prompts.chosen(ledger)
    base = before or Question(spec.name, model, DEFAULT_TEMPLATE, DEFAULT_SCHEMA)
    return replace(base, template=template or base.template, schema=schema or base.schema)


def _question(base: Question, options: IndexOptions, config: Config) -> Question:
    told: dict[str, Any] = {
        name: value
        for name in (field.name for field in fields(Settings))
        if (value := options.get(name, getattr(config, name, None))) is not None
    }
    asked = replace(
        base,
        model=options.get("model") or config.model or base.model,
        template=_template(options["prompt"]) if "prompt" in options else base.template,
        schema=_schema(options["schema"]) if "schema" in options else base.schema,
        settings=replace(base.settings, **told),
    )
    return in_language(asked)


def _refresh(wished: str | None) -> bool:
    if wished not in (None, "given"):
        raise BadSetting(f"there is nothing called {wished!r} to refresh", hint="given")
    return wished is not None


def _name(file: AnyPath | None) -> str:
    return for_terminal(Path(os.fsdecode(file)).stem) if file is not None else ""


def _template(file: AnyPath) -> str:
    text = _read(file, "prompt").strip()
    if not text:
        raise UsageError(f"the prompt file {_shown(file)} is empty", hint="write what should be asked about each photo")
    return text


def _schema(file: AnyPath) -> str:
    try:
        told = json.loads(_read(file, "schema"))
    except ValueError as fault:
        raise UsageError(f"{_shown(file)} is not JSON: {fault}", hint="give a JSON Schema of an object") from fault
    named = told.get("properties") if isinstance(told, dict) and told.get("type") == "object" else None
    if not isinstance(named, dict) or "description" not in named:
        raise UsageError(
            f"{_shown(file)} is not a JSON Schema of an object with a property `description`",
            hint='begin with {"type": "object", "properties": {"description": {"type": "string"}, ...}}',
        )
    schema = canonical_json(told)
    odd = unsearchable(schema)
    if odd:
        raise UsageError(
            f"{_shown(file)} names a field {for_terminal(odd[0])!r}, which no filter could name",
            hint="use letters, digits and underscores, beginning with a letter",
        )
    return schema


def _read(file: AnyPath, what: str) -> str:
    try:
        return Path(os.fsdecode(file)).expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise UsageError(f"the {what} file {_shown(file)} cannot be read: {fault}", hint="check its path") from fault


def _shown(file: AnyPath) -> str:
    return for_terminal(to_text(os.fsencode(file)))


def _mode(spec: Spec, wished: str | None) -> Mode:
    try:
        return spec.has_mode(Mode(wished)) if wished else spec.modes[0]
    except ValueError:
        raise BadSetting(f"there is no mode {wished!r}", hint=f"one of: {', '.join(Mode)}") from None


def _crawl_options(ledger: Ledger, options: IndexOptions, config: Config) -> CrawlOptions:
    pixels = options.get("max_pixels", config.max_pixels)
    return CrawlOptions(
        walk=WalkOptions(
            follow=options.get("follow", False),
            hidden=options.get("hidden", False),
            exclude=tuple(options.get("exclude", ())),
            skip=frozenset({os.fsencode(ledger.path.parent)}),
        ),
        work=WorkOptions(workers=options.get("workers", config.workers), ledger=ledger.path, max_pixels=pixels),
        confirm_deleted=options.get("confirm_deleted", False),
    )
