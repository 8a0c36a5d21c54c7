"""The way into a library's folder: for readers at any time, for one writer at a time."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from indexer import providers
from indexer.crawl.walk import refuse_inside
from indexer.domain.errors import LedgerLost, LibraryMissing, LibraryUnwritable, UsageError
from indexer.domain.tags import Policy
from indexer.domain.workers import Workers
from indexer.ledger.store import Ledger, no_step
from indexer.ledger.work.refill import is_new
from indexer.library import copies, tag_rules
from indexer.library.damage import reading_damage, writing_damage
from indexer.library.vocabulary import tag_policy
from indexer.media.rendition_cache import Spool
from indexer.pipeline.index_options import IndexOptions
from indexer.pipeline.run import Run
from indexer.pipeline.send.renditions import pictures
from indexer.pipeline.session import Clock, Session, SystemClock, Watcher
from indexer.providers import prices
from indexer.providers.accounts import environ_of
from indexer.providers.door import behind_door
from indexer.providers.options import defaults, read_options, refuse_unknown
from indexer.providers.pricing import Pricing
from indexer.providers.redaction import secrets_of
from indexer.providers.seam import Provider
from indexer.providers.spec import Opening, Spec
from indexer.storage.layout import BATCHES_FOLDER, LEDGER_FILE, RENDITIONS_FILE, TABLE_FOLDER, default_folder, remains
from indexer.storage.lock import WriterLock
from indexer.storage.paths import AnyPath, resolve_root
from indexer.storage.places import refuse_absent
from indexer.storage.private import make_private, refuse_shared
from indexer.storage.settings import Config, read_config
from indexer.table.projector import Embedding, Projector
from indexer.table.published import address_in
from indexer.table.sight import Sight

REFILL = "index rebuild --from-table"
_LOCK_PATIENCE = 600.0
_PRICE = "price "


@dataclass(slots=True)
class Seams:
    """What tests and embedding programs may put in the place of the real world.

    `provider` opens a provider by its name, for programs that bring their own; None: those that come with Captionary.
    """

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    clock: Clock | None = None
    step: Callable[[str], None] = no_step
    provider: Callable[[str], Provider] | None = None


class Access:
    """The way into the library in `folder`. It holds no lock and no file open between calls."""

    def __init__(self, folder: Path, seams: Seams, watcher: Watcher) -> None:
        self.folder = folder
        self.seams = seams
        self.watcher = watcher
        self._providers: dict[tuple[str, str], Provider] = {}
        self._per_day: float | None = None

    @classmethod
    def to(cls, folder: AnyPath | None, *, create: bool, seams: Seams, watcher: Watcher) -> Access:
        """Find the library in `folder` (else CAPTIONARY_LIBRARY, else the user's), or make one where there is none.

        Raises `LibraryMissing` without `create`, `LibraryUnwritable` or `UsageError` where it cannot be made.
        """
        path = Path(os.fsdecode(folder or seams.environ.get("CAPTIONARY_LIBRARY") or default_folder())).expanduser()
        if not (path / LEDGER_FILE).exists():
            if remains(path):  # whatever is asked of it says that its ledger is lost
                return cls(path.resolve(), seams, watcher)
            if not create:
                raise LibraryMissing(f"there is no library at {path}", hint="make one with: index FOLDER")
            _make_folder(path)
            refuse_shared(path)
            make_private(path)
            watcher.note(f"new library: {path} (index config path tells it again)")
        return cls(path.resolve(), seams, watcher)

    def with_budget(self, per_day: float) -> Access:
        """Return a way into the same library on which less may be spent in a day; its own limit holds too."""
        made = Access(self.folder, self.seams, self.watcher)
        made._per_day, made._providers = per_day, self._providers
        return made

    @property
    def clock(self) -> Clock:
        """Where the time comes from."""
        return self.seams.clock or SystemClock()

    @contextmanager
    def reading(self) -> Iterator[Ledger]:
        """The ledger, for reading only; waits for nobody."""
        refuse_lost(self.folder)
        ledger = Ledger.read(self.folder)
        try:
            with reading_damage(self.folder):
                refuse_lost(self.folder, ledger)
                yield ledger
        finally:
            ledger.close()

    @contextmanager
    def writing(
        self, command: str, options: IndexOptions | None = None, *, rehearse: bool = False
    ) -> Iterator[tuple[Run, Config]]:
        """One writing command and the settings; raises `LibraryLocked` while another one runs.

        With `rehearse` it sees what it would write, and nothing of that is kept but what costs time to make again.
        """
        config = self.config()
        policy = tag_policy(config)
        if told := make_private(self.folder):
            self.watcher.note(told)
        lock = WriterLock(self.folder, f"index {command}")
        with lock:
            if command != REFILL and remains(self.folder):
                refuse_lost(self.folder)
            ledger = Ledger.open(self.folder, step=self.seams.step, now=self.clock.time)
            try:
                if command == REFILL and not is_new(ledger):
                    raise UsageError(
                        f"the ledger of {self.folder} is there", hint="index rebuild makes the table from it"
                    )
                if command != REFILL:
                    refuse_lost(self.folder, ledger)
                with writing_damage(self.folder, ledger), ledger.rehearsal() if rehearse else nullcontext():
                    _keep_price(ledger, options or {})
                    if not rehearse:
                        self._follow(ledger, policy)
                        if twin := copies.of_another(ledger, self.folder):
                            self.watcher.note(twin)
                    session = self._session(ledger, lock, config, (options or {}).get("workers", config.workers))
                    try:
                        yield Run(session, command), config
                    finally:
                        session.spool.close()
            finally:
                ledger.close()

    def _follow(self, ledger: Ledger, policy: Policy) -> None:
        changed = tag_rules.follow(ledger, policy)
        if changed:
            self.watcher.note(f"the settings of tags have changed; photos that this changes: {changed:,}")

    def _session(self, ledger: Ledger, lock: WriterLock, config: Config, workers: Workers | None) -> Session:
        clock = self.clock

        def pause(seconds: float) -> None:
            lock.release()
            clock.sleep(seconds)
            lock.acquire(_LOCK_PATIENCE)

        cache = user_cache_path("captionary", appauthor=False)
        cluster = partial(_cluster, workers) if isinstance(workers, str) else None
        embedding = Embedding(cache, config.text_model, cluster)
        batches = self.folder / BATCHES_FOLDER
        batches.mkdir(mode=0o700, exist_ok=True)
        spool = Spool(batches / RENDITIONS_FILE)
        sight = Sight(self.folder, config.image_model, partial(pictures, ledger, spool))
        return Session(
            ledger=ledger,
            spool=spool,
            batches=batches,
            projector=Projector(ledger, self.folder, embedding, sight, address_in(config.tables)),
            provider=self.provider,
            spec=self.spec,
            options=self.options,
            clock=clock,
            pause=pause,
            pricing=self.pricing(ledger, config),
            config=config,
            watcher=self.watcher,
        )

    def config(self) -> Config:
        """Return the settings; raises `BadSetting` also where a provider's own table is wrong."""
        config = read_config(self.folder, self.seams.environ)
        refuse_unknown(config.tables, self.spec)
        if self._per_day is None:
            return config
        own = config.budget_per_day
        return replace(config, budget_per_day=self._per_day if own is None else min(own, self._per_day))

    def spec(self, name: str) -> Spec:
        """Return what is known of a provider without opening it."""
        return self.seams.provider(name).spec if self.seams.provider else providers.spec(name)

    def options(self, name: str) -> Mapping[str, Any]:
        """Return the settings of a provider's own table, defaults included."""
        spec = self.spec(name)
        return {**defaults(spec), **read_options(spec, self.config().tables.get(name, {}))}

    def provider(self, name: str, account: str = "") -> Provider:
        """Open an account of a provider, the usual one; what comes of it has passed the door that no key passes."""
        opened = name, account
        if opened not in self._providers or self.seams.provider is not None:
            self._providers[opened] = behind_door(self._open(name, account), secrets_of(self.seams.environ), account)
        return self._providers[opened]

    def _open(self, name: str, account: str) -> Provider:
        if self.seams.provider is not None:
            return self.seams.provider(name)
        spec = self.spec(name)
        environ = environ_of(spec, self.seams.environ, account)
        return spec.open(Opening(environ, self.options(name), self.clock.sleep, self.clock.time))

    def pricing(self, ledger: Ledger, config: Config) -> Pricing:
        """Return the prices of today, with those that were told for this library."""
        told = {**config.prices, **ledger.settings(_PRICE)}
        table = prices.TABLE.with_tariffs(prices.read_tariffs(told)) if told else prices.TABLE
        today = datetime.datetime.fromtimestamp(self.clock.time(), datetime.UTC).date()
        return Pricing(self.spec, today, table, self.options)


def _cluster(where: str) -> AbstractContextManager[Any]:
    from indexer.crawl.ray_pool import joined

    return joined(where)


def refuse_lost(folder: Path, ledger: Ledger | None = None) -> None:
    """Raise `LedgerLost` where a table or batches stand in `folder` beside no ledger, or an empty one.

    Raises `LibraryMissing` where nothing stands at all.
    """
    path = folder / LEDGER_FILE
    whole = path.exists() and path.stat().st_size > 0 if ledger is None else not is_new(ledger)
    standing = () if whole else remains(folder)
    if whole or (ledger is not None and not standing):
        return
    if not standing:
        raise LibraryMissing(f"there is no library at {folder}", hint="make one with: index FOLDER")
    missing = "empty" if path.exists() else "missing"
    refill = f"refill it from the table: {REFILL}" if TABLE_FOLDER in standing else f"move {standing[0]} away"
    raise LedgerLost(
        f"the ledger of {folder} is {missing}, but {' and '.join(standing)} remain: a new one would pay for all again",
        hint=f"restore {LEDGER_FILE} from a backup, or {refill}",
    )


def refuse_roots(folder: AnyPath | None, roots: Sequence[AnyPath]) -> None:
    """Raise `MissingPath` or `UsageError` for roots that a library yet to be made in `folder` could not read."""
    path = Path(os.fsdecode(folder)).expanduser() if folder is not None else default_folder()
    if (path / LEDGER_FILE).exists():
        return
    refuse_absent(map(resolve_root, roots))
    for root in roots:
        refuse_inside(resolve_root(root), [os.fsencode(path.resolve())])


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as fault:
        raise LibraryUnwritable(
            f"the library {path} cannot be made: {fault.strerror}",
            hint="choose another place with --library or CAPTIONARY_LIBRARY",
        ) from fault


def _keep_price(ledger: Ledger, options: IndexOptions) -> None:
    """Keep a told price with the library: a later `collect` books by it too."""
    if "price" not in options:
        return
    if "model" not in options:
        raise UsageError("--price says what a model costs, but no model is named", hint="add --model NAME")
    prices.parse_price(options["price"])
    with ledger.transaction("price", uncounted=True) as transaction:
        transaction.set_setting(_PRICE + options["model"], options["price"])
