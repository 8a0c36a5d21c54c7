"""`quote` and `--provider best`: the routes for some photos, the best of them, and who goes on when it dies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from indexer import providers
from indexer.domain.errors import ProviderError, RateLimited, UsageError
from indexer.domain.job import Limits
from indexer.domain.mode import Mode
from indexer.domain.money import dollars
from indexer.domain.plan import Plan
from indexer.domain.question import Question
from indexer.ledger.scope import Scope
from indexer.ledger.store import Ledger
from indexer.ledger.views import counts
from indexer.ledger.work import questions
from indexer.library.folder import Access
from indexer.pipeline.index_options import IndexOptions
from indexer.pipeline.plan.routing import Bounds, Market, Route, is_dead, remote, routes
from indexer.pipeline.resolve import in_force
from indexer.pipeline.run import Run
from indexer.providers.accounts import accounts
from indexer.providers.spec import Rank, Spec
from indexer.storage.settings import Config

BEST = "best"


@dataclass(frozen=True, slots=True)
class Offer:
    """The routes for `photos`, of which `new` have no description yet; `warnings` are lines about all their prices."""

    photos: int
    new: int
    routes: tuple[Route, ...]
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The offer as programs are promised it."""
        return {"photos": self.photos, "new": self.new, "routes": [route.to_dict() for route in self.routes]}

    @property
    def best(self) -> Route:
        """The chosen route; raises `UsageError`, with each reason, where none can be used."""
        for route in self.routes:
            if route.chosen:
                return route
        why = "; ".join(f"{route}: {route.why_not}" for route in self.routes[:4])
        raise NoRoute(f"no route can be used: {why}", hint="index quote PATH --all shows every route")


class NoRoute(ProviderError):
    """No provider, model and mode keeps all the bounds."""


def offer(ledger: Ledger, access: Access, scope: Scope, bounds: Bounds, *, all_routes: bool = True) -> Offer:
    """Return the routes for what lies in `scope`; asks no service anything."""
    seen = counts.count_pictures(ledger, scope)
    new = counts.count_new(ledger, scope, Rank.LOCAL_MODEL)
    return replace(offer_for(ledger, access, new, bounds, all_routes=all_routes), photos=seen)


def offer_for(ledger: Ledger, access: Access, new: int, bounds: Bounds, *, all_routes: bool = True) -> Offer:
    """Return the routes for so many new photos, wherever they lie."""
    config = access.config()
    market, specs = market_of(ledger, access, config), candidates(access, config)
    found = routes(ledger, _asked(ledger, access, config.model), specs, new, market, bounds)
    if not all_routes:
        found = [route for route in found if not route.keyless]
    return Offer(new, new, tuple(found), market.pricing.table.stale(market.pricing.today))


def market_of(ledger: Ledger, access: Access, config: Config) -> Market:
    """Return where routes are looked for now: prices, keys, queues."""
    return Market(
        access.pricing(ledger, config),
        access.seams.environ,
        access.clock.time(),
        lambda question: _queue(access, question, accounts(config.tables, question.provider)),
        config.calls_at_once(),
    )


def candidates(access: Access, config: Config) -> list[Spec]:
    """Return the providers that `best` chooses among: remote ones, or those that [best] providers names."""
    named = config.tables.get(BEST, {}).get("providers", ())
    named = [name.strip() for name in named.split(",")] if isinstance(named, str) else tuple(named)
    return remote([_able(access, access.spec(name)) for name in dict.fromkeys((*providers.BUILT_IN, *named))], named)


def _queue(access: Access, question: Question, own: Sequence[str]) -> Limits | None:
    """What binds the queues of these accounts for the model; None: nobody knows without a key."""
    spec = access.spec(question.provider)
    if spec.key_variables and not spec.key(access.seams.environ):
        return None
    held = access.provider(spec.name).batches
    return held.limits(question.model).with_accounts(len(own)) if held else None


def _able(access: Access, spec: Spec) -> Spec:
    """A provider that lacks a setting of its own is judged by that, as another one is by its key."""
    lacks = [name for name in spec.requires if not access.options(spec.name).get(name)]
    return replace(
        spec, key_variables=tuple(f"CAPTIONARY_{spec.name}_{name}".upper() for name in lacks) or spec.key_variables
    )


def _asked(ledger: Ledger, access: Access, model: str | None) -> Question:
    """The prompt and the schema in force, of nobody yet."""
    last = counts.last_asked(ledger)
    before = questions.question_of(ledger, last.question) if last else None
    template, schema = in_force(ledger, access.spec)
    return replace(before or Question("", model or "", template, schema), template=template, schema=schema)


class Best:
    """One run with `--provider best`: it begins with the best route and ends with whichever still lives."""

    def __init__(self, access: Access, options: IndexOptions) -> None:
        self._access = access
        self._options = options
        self._dead: set[tuple[str, Mode]] = set()
        self._gone: set[str] = set()
        self._route: Route | None = None
        self._second: Route | None = None
        self._approved: Plan | None = None
        self._told = ""
        self.first_run: int | None = None
        self.reused: int | None = None
        deadline = options.get("deadline")
        self._ends = None if deadline is None else access.clock.time() + deadline

    @property
    def gone(self) -> frozenset[str]:
        """The providers that cannot go on."""
        return frozenset(self._gone)

    @property
    def providers(self) -> list[str]:
        """The providers whose answers count for each other."""
        return [spec.name for spec in candidates(self._access, self._access.config())]

    def choose(self, ledger: Ledger, scope: Scope) -> IndexOptions:
        """Return the options with the best route that is not dead; raises `NoRoute` where there is none.

        Once the deadline has passed it is the cheapest one that answers at once.
        """
        left = None if self._ends is None else self._ends - self._access.clock.time()
        late = left is not None and left <= 0
        bounds = Bounds(self._options.get("budget"), self._options.get("max_per_1000"), None if late else left)
        found = offer(ledger, self._access, scope, bounds)
        living = [route for route in found.routes if route.usable and not self._is_dead(route)]
        living = [route for route in living if route.mode in _AT_ONCE] if late else living
        if not living:
            first = found.best  # says why, where nothing was usable from the start
            raise NoRoute(f"no route is left after {first.provider}", hint="index quote PATH --all shows every route")
        successor, self._route = self._route is not None, living[0]
        price = f"at most {dollars(self._route.per_1000_usd)} for 1,000 photos"
        self._told = f"best route: {self._route}, the cheapest within your bounds, {price}"
        self._told += f"; the next one: {living[1]}" if len(living) > 1 else "; there is no other"
        if successor:  # the plan names the first one
            self._access.watcher.note(self._told)
        self._second = self._choose_second(living) if self._options.get("hedge") else None
        chosen = self._options.copy()
        chosen.pop("max_per_1000", None)
        chosen.update(self._route.named)
        chosen["mode"] = str(self._route.mode)
        if left is not None:
            chosen["deadline"] = max(1.0, left)
        return chosen

    def _choose_second(self, living: Sequence[Route]) -> Route | None:
        """The cheapest route of another provider that answers at once; None, with a note, where that is no help."""
        first = living[0]
        others = (route for route in living if route.provider != first.provider and route.mode is Mode.INTERACTIVE)
        second = next(others, None) if first.mode is Mode.BATCH else None
        if first.mode is not Mode.BATCH:
            self._access.watcher.note(f"--hedge changes nothing: {first} answers at once")
        elif second is None:
            self._access.watcher.note("--hedge changes nothing: no second provider answers at once within these bounds")
        return second

    def second(self, chosen: IndexOptions) -> IndexOptions | None:
        """Return the options of who is asked as well about photos that would miss the deadline, None for nobody."""
        if self._second is None:
            return None
        told = chosen.copy()
        told.pop("model", None)
        told.update(self._second.named)
        told["mode"] = str(self._second.mode)
        return told

    def named(self, plan: Plan) -> Plan:
        """Return the plan with the choice, its reason and the runner-up."""
        if self.reused is None:
            self.reused = plan.reused
        return replace(plan, warnings=(self._told, *plan.warnings))

    def approve(self, ask: Callable[[Plan], bool]) -> Callable[[Plan], bool]:
        """Return what says yes to a plan: somebody the first time, then the bounds of that yes."""

        def answer(plan: Plan) -> bool:
            if self._approved is not None and plan.most_usd <= self._approved.most_usd + 1e-9:
                return True
            if not ask(plan):
                return False
            self._approved = self._approved or plan
            return True

        return answer

    @contextmanager
    def surviving(self, run: Run) -> Iterator[None]:
        """Let a route die in the block: its photos that were not sent wait for the next one, which is to be chosen."""
        try:
            yield
        except ProviderError as fault:
            if self._route is None or isinstance(fault, NoRoute) or not is_dead(fault):
                raise
            self._dead.add((self._route.provider, self._route.mode))
            if not isinstance(fault, RateLimited):
                self._gone.add(self._route.provider)
            run.give_up(self._route.provider)
            self._access.watcher.note(f"{self._route} cannot go on: {fault}; trying the next route")

    def _is_dead(self, route: Route) -> bool:
        return route.provider in self._gone or (route.provider, route.mode) in self._dead


_AT_ONCE = (Mode.FLEX, Mode.INTERACTIVE)


def bounded(options: IndexOptions) -> IndexOptions:
    """Return the options; raises `UsageError` for a second request that nothing could make late."""
    if options.get("hedge") and (options.get("provider") != BEST or options.get("deadline") is None):
        raise UsageError(
            "--hedge works only with --provider best and a --deadline",
            hint="for example: index ~/Photos --provider best --deadline 6h --hedge",
        )
    return options


def bounds_of(deadline: float | None, budget: float | None, max_per_1000: float | None) -> Bounds:
    """Return the bounds; raises `UsageError` for a negative one."""
    for name, value in (("deadline", deadline), ("budget", budget), ("max_per_1000", max_per_1000)):
        if value is not None and not 0 <= value < float("inf"):
            raise UsageError(f"{name} = {value!r} is not a number from 0 up", hint="give a number from 0 up")
    return Bounds(budget, max_per_1000, deadline)
