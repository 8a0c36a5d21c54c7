"""What uploads are looked at for: `checks.toml` as a prompt, an answer schema, and rules that decide.

The decision is a pure function of answer and rules: rules may change without a request.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from indexer.domain.errors import UsageError
from indexer.domain.keys import canonical_json, digest
from indexer.domain.prompts import FIRST_TEMPLATE

CATEGORIES = (
    "sexual",
    "violence",
    "hate",
    "self_harm",
    "drugs",
    "weapons",
    "minors",
    "personal_data",
    "spam",
)
LEVELS = ("none", "low", "high")
APPROVE, REJECT, HUMAN = "approve", "reject", "human"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST = 1e9
_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
_MODERATION, _CHECK = "moderation_", "check_"
_MEANING = {
    "sexual": "nudity or sexual acts",
    "violence": "injury, blood, cruelty or threats",
    "hate": "symbols or words against groups of people",
    "self_harm": "self-harm or suicide",
    "drugs": "illegal drugs or their use",
    "weapons": "weapons, real or realistic",
    "minors": "persons who seem to be under 18",
    "personal_data": "documents, addresses, numbers or names of private persons",
    "spam": "advertising, codes or addresses that lead elsewhere",
}


@dataclass(frozen=True, slots=True)
class Check:
    """A yes-or-no question about a picture; the answer that rejects it or sends it to a person, None for neither."""

    name: str
    ask: str
    reject_if: bool | None = None
    human_if: bool | None = None


@dataclass(frozen=True, slots=True)
class UploadHandling:
    """How uploads are handled; times are seconds.

    They wait `gather` for company before a batch is sent (None: while there is time), and their bytes are kept for
    `keep` after the verdict (None: for ever). What one provider refuses by its policy is asked of `second_provider`
    ("": of nobody). New verdicts are posted to the address `webhook`.
    """

    gather: float | None = None
    keep: float | None = None
    second_provider: str = ""
    webhook: str = ""


@dataclass(frozen=True, slots=True)
class Checks:
    """All that is looked for: rules such as ("sexual", "high") and checks of one's own; how uploads are handled."""

    reject: tuple[tuple[str, str], ...] = ()
    human: tuple[tuple[str, str], ...] = ()
    checks: tuple[Check, ...] = ()
    handling: UploadHandling = UploadHandling()

    @property
    def template(self) -> str:
        """The prompt: the description that every photo gets, and each question."""
        lines = [FIRST_TEMPLATE, "", "Then judge the picture strictly by what can be seen:"]
        lines += [f"{_MODERATION}{name}: {_MEANING[name]}: none, low or high." for name in CATEGORIES]
        lines += [f"{_CHECK}{each.name}: {each.ask} Answer true or false." for each in self.checks]
        return "\n".join(lines)

    @property
    def schema(self) -> str:
        """The answer schema; moderation and checks become columns that a search can filter by."""
        text = {"type": "string"}
        properties: dict[str, Any] = {
            "description": text,
            "tags": {"type": "array", "items": text},
            "visible_text": text,
            **{f"{_MODERATION}{name}": {"type": "string", "enum": list(LEVELS)} for name in CATEGORIES},
            **{f"{_CHECK}{each.name}": {"type": "boolean"} for each in self.checks},
        }
        return canonical_json({"type": "object", "properties": properties, "required": list(properties)})

    @property
    def rules_version(self) -> str:
        """The digest of the rules, 12 hex digits; the questions are not part of it."""
        rules = [(each.name, each.reject_if, each.human_if) for each in self.checks]
        return digest("rules", canonical_json([self.reject, self.human, rules]))[:12]

    def read(self, fields: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, bool | None]]:
        """Return (moderation, checks) by name, as an answer gives them; what is no level of ours is left out."""
        told = ((name, fields.get(f"{_MODERATION}{name}")) for name in CATEGORIES)
        levels = ((name, level.strip().lower()) for name, level in told if isinstance(level, str))
        moderation = {name: level for name, level in levels if level in LEVELS}
        return moderation, {each.name: _truth(fields.get(f"{_CHECK}{each.name}")) for each in self.checks}

    def decide(self, fields: Mapping[str, Any]) -> tuple[str, list[str]]:
        """Return (decision, reasons) for an answer; rejecting wins over a person's look, which wins over approval.

        What was not answered is for a person.
        """
        moderation, checks = self.read(fields)
        rejected = [*_matching(self.reject, moderation), *_wrong(self.checks, checks, "reject_if")]
        if rejected:
            return REJECT, rejected
        doubtful = [*_matching(self.human, moderation), *_wrong(self.checks, checks, "human_if")]
        doubtful += [f"{name} was not answered" for name in CATEGORIES if name not in moderation]
        doubtful += [f"{name} was not answered" for name, said in checks.items() if said is None]
        return (HUMAN, doubtful) if doubtful else (APPROVE, [])


def _matching(rules: tuple[tuple[str, str], ...], moderation: Mapping[str, str]) -> Iterator[str]:
    for name, least in rules:
        if LEVELS.index(moderation.get(name, LEVELS[0])) >= LEVELS.index(least) > 0:
            yield f"{name}:{moderation[name]} (rule {name}:{least})"


def _wrong(checks: tuple[Check, ...], said: Mapping[str, bool | None], which: str) -> Iterator[str]:
    for each in checks:
        bad = getattr(each, which)
        if bad is not None and said[each.name] is bad:
            yield f"{each.name} is {str(bad).lower()} (rule {which} = {str(bad).lower()})"


def _truth(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "yes": True, "false": False, "no": False}.get(str(value).strip().lower())


def read_duration(told: object) -> float:
    """Return a time such as "24h", or a number of seconds, in seconds; raises `UsageError` when it is not one."""
    if isinstance(told, int | float) and not isinstance(told, bool) and 0 < told < _LONGEST:
        return float(told)
    text = str(told).strip()
    try:
        found = float(text[:-1]) * _UNITS[text[-1:]]
    except (ValueError, KeyError):
        found = 0.0
    if not 0 < found < _LONGEST:
        raise UsageError(f"{told!r} is not a duration", hint="use 30m, 6h or 24h")
    return found


def read_checks(text: str, where: str = "checks.toml") -> Checks:
    """Return what a checks file says; raises `UsageError` that names the line, the wrong part and the fix."""
    try:
        told = tomllib.loads(text)
    except (ValueError, RecursionError) as fault:
        raise UsageError(f"{where} is not TOML: {fault}", hint="fix that line") from fault
    file = _File(text, where)
    for name in told.keys() - {"moderation", "check", "inbox"}:
        raise UsageError(f"{file.at(name)} has no part {name!r}", hint="write [moderation], [[check]] and [inbox]")
    moderation = told.get("moderation", {})
    if not isinstance(moderation, dict) or moderation.keys() - {"reject", "human"}:
        at = file.at("moderation")
        raise UsageError(f"{at}: [moderation] has reject and human, nothing else", hint='reject = ["sexual:high"]')
    rules = {name: tuple(_rules(file.at(name), name, moderation.get(name, []))) for name in ("reject", "human")}
    entries = told.get("check", [])
    if not isinstance(entries, list):
        raise UsageError(f"{file.at('check')}: checks stand under [[check]]", hint="write [[check]], in two brackets")
    checks = tuple(_check(file.check(number), entry) for number, entry in enumerate(entries, start=1))
    if len({each.name for each in checks}) != len(checks):
        raise UsageError(f"{where}: two checks have one name", hint="give every check a name of its own")
    return Checks(rules["reject"], rules["human"], checks, _handling(file, told.get("inbox", {})))


@dataclass(frozen=True, slots=True)
class _File:
    """The text of a checks file, in which lines are found by what stands in them."""

    text: str
    where: str

    def at(self, word: str) -> str:
        """Where `word` stands as a name: "checks.toml, line 3"; the file alone where it cannot be found."""
        named = re.compile(rf"[\"']?{re.escape(word)}[\"']?\s*[\]=.]")
        return self._line(lambda line: bool(named.match(line.lstrip("[ \t"))), 1)

    def check(self, number: int) -> str:
        """Where the check of this number begins."""
        return f"{self._line(lambda line: line.replace(' ', '').startswith('[[check]]'), number)}: check {number}"

    def _line(self, fits: Callable[[str], bool], nth: int) -> str:
        found = [place for place, line in enumerate(self.text.splitlines(), start=1) if fits(line)]
        return f"{self.where}, line {found[nth - 1]}" if len(found) >= nth else self.where


def _handling(file: _File, told: object) -> UploadHandling:
    known = {"gather": read_duration, "keep": read_duration, "second_provider": _text, "webhook": _text}
    if not isinstance(told, dict) or told.keys() - known.keys():
        raise UsageError(f"{file.at('inbox')}: [inbox] has other settings", hint=f"known: {', '.join(known)}")
    values: dict[str, Any] = {}
    for name, value in told.items():
        try:
            values[name] = known[name](value)
        except UsageError as fault:
            raise UsageError(f"{file.at(name)}: {name} = {fault}", hint=fault.hint) from fault
    return UploadHandling(**values)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{value!r} is not a text", hint="write it in quotes")
    return value


def _rules(where: str, part: str, told: object) -> Iterator[tuple[str, str]]:
    for rule in told if isinstance(told, list) else [told]:
        name, _, level = str(rule).partition(":")
        if name not in CATEGORIES or level not in LEVELS[1:]:
            raise UsageError(
                f"{where}: {part} has {rule!r}, which is not a category and a level",
                hint=f"for example sexual:high; categories: {', '.join(CATEGORIES)}; levels: low, high",
            )
        yield name, level


def _check(at: str, entry: object) -> Check:
    if not isinstance(entry, dict):
        raise UsageError(f"{at} is not a table", hint="write [[check]], then name and ask")
    for name in entry.keys() - {"name", "ask", "reject_if", "human_if"}:
        raise UsageError(f"{at} has no setting {name!r}", hint="known: name, ask, reject_if, human_if")
    name, ask = entry.get("name"), entry.get("ask")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError(f"{at}: name = {name!r} is not a name", hint="use lower-case letters, digits and _")
    if not isinstance(ask, str) or not ask.strip():
        raise UsageError(f"{at} ({name}) asks nothing", hint='write ask = "Does the picture show ...?"')
    for which in ("reject_if", "human_if"):
        if not isinstance(entry.get(which, False), bool):
            raise UsageError(f"{at} ({name}): {which} is not true or false", hint=f"write {which} = false")
    return Check(name, " ".join(ask.split()), entry.get("reject_if"), entry.get("human_if"))
