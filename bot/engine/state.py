"""Everything the engine remembers. Mutated only by `step`, by one writer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from bot.domain.actions import Action, Emit, Persist, Record, Severity
from bot.domain.book import Book
from bot.domain.config import CoreConfig
from bot.domain.hedges import Control, Hedge, TransferIntent
from bot.domain.market import MarketState
from bot.domain.orders import OrderRecord
from bot.ledger.journal import Ledger

FORMER_MAX = 7
"""Hedges that are remembered of an instrument beside its latest one; some of them may never have filled anything."""
Shown = str | int | float | Decimal | bool | None


class Actions(list[Action]):
    """What one step asks for, in order."""

    def persist(self, record: Record) -> None:
        self.append(Persist(record))

    def emit(self, severity: Severity, name: str, fields: Mapping[str, Shown] | None = None, **more: Shown) -> None:
        self.append(Emit(severity, name, {**(fields or {}), **more}))

    def info(self, name: str, **fields: Shown) -> None:
        self.emit(Severity.INFO, name, fields)

    def warning(self, name: str, **fields: Shown) -> None:
        self.emit(Severity.WARNING, name, fields)

    def critical(self, name: str, **fields: Shown) -> None:
        self.emit(Severity.CRITICAL, name, fields)


@dataclass(slots=True)
class EngineState:
    """The book and the engine's own memory around it."""

    book: Book
    ledger: Ledger
    epoch: int = 1
    hedge_count: int = 0
    transfer_count: int = 0
    stopping: bool = False
    ceased: bool = False
    """Stopping has come to its end: no order leaves any more."""
    wanted: Control = Control.RUNNING
    """What the owner last asked for; `book.control` follows it once the venues are reconciled."""
    wanted_reason: str = ""
    decide_due: bool = False
    decided_slot: int = -1
    decide_again_mono_ms: int | None = None
    """When to decide again because a coin's prices were stale; None when none was."""
    transfers_unknown: dict[str, int | None] = field(default_factory=dict)
    """Transfers that got no answer -> monotonic time of the venue's first history, since, that does not show them."""
    transfer_wait_mono_ms: int = 0
    transfers_refused: int = 0
    """Transfers in a row that the venue refused."""
    reconciled_mono_ms: dict[str, int] = field(default_factory=dict)
    """When each venue was last asked to be reconciled."""
    agreed_mono_ms: dict[str, int] = field(default_factory=dict)
    """When each venue's complete balances last agreed with the books."""
    trusted_mono_ms: dict[str, int] = field(default_factory=dict)
    """When a doubt about each venue's money last ended."""
    rates_due_ms: dict[str, int] = field(default_factory=dict)
    """Perpetuals whose settlement at this market time has passed and whose rate is not known yet."""
    rates_guessed_mono_ms: dict[str, int | None] = field(default_factory=dict)
    """Those of them of which only the hour of the next one tells -> when they were first asked for, None: not yet."""
    receipts_due_ms: dict[tuple[str, int], int] = field(default_factory=dict)
    """(perpetual held over a settlement, its market time) -> monotonic time at which that was noticed."""
    held_since_ms: dict[str, int] = field(default_factory=dict)
    """Perpetual held now -> market time of the trade that opened it."""
    held_before_ms: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Perpetual -> market times of the trades that opened and ended its latest stint that is over."""
    receipt_seen_ms: dict[str, int] = field(default_factory=dict)
    """Market time up to which settlements of each perpetual count as paid: the newest that the books had at start."""
    receipts_seen: dict[str, set[int]] = field(default_factory=dict)
    """Market times of the settlements since then that were paid, or had nothing to pay, by perpetual."""
    receipts_until_ms: dict[str, int] = field(default_factory=dict)
    """Market time of the newest receipt, by venue."""
    former_hedges: dict[str, list[Hedge]] = field(default_factory=dict)
    """The hedges that each instrument had before its latest one, newest first: what settled before is theirs."""
    last_hedge: dict[str, Hedge] = field(default_factory=dict)
    """The latest hedge of each instrument, closed ones too: late receipts and fills belong to it."""
    openings: dict[str, int] = field(default_factory=dict)
    """Id of each opening balance in the ledger -> its market time."""
    differences: dict[tuple[str, str, str], tuple[Decimal, int]] = field(default_factory=dict)
    """(venue, wallet, asset) -> difference from the ledger and how often in a row it was seen."""
    basis_min: dict[str, Decimal] = field(default_factory=dict)
    """Entry guard of each hedge that is being built."""
    waiting: dict[str, None] = field(default_factory=dict)
    """Hedges whose entry waits until fewer others are in flight, in order of arrival."""
    armed: dict[str, str] = field(default_factory=dict)
    """Instrument -> hedge that waits for a better quote: it is worked on each quote instead of each tick."""
    empty_handed: set[str] = field(default_factory=set)
    """Hedges whose orders in flight have filled nothing yet."""
    fruitless: dict[str, int] = field(default_factory=dict)
    """Hedge -> tries in a row whose orders all came back empty."""
    undoing: set[str] = field(default_factory=set)
    """Hedges whose filled leg is being taken back because the other one did not fill."""
    setbacks: dict[str, tuple[int, int]] = field(default_factory=dict)
    """`venue:coin:direction` -> entries in a row that were undone, and the monotonic time before which it waits."""
    setbacks_before: dict[str, tuple[int, int]] = field(default_factory=dict)
    """The same as the books had it at the start, with the market time of the latest, until it is asked for."""
    held_up: dict[str, int] = field(default_factory=dict)
    """Hedge that a hole of the book keeps from being made smaller -> monotonic time since when."""
    quarantined_mono_ms: dict[str, int] = field(default_factory=dict)
    """Hedge that waits for an outcome -> monotonic time since when."""
    stuck: set[str] = field(default_factory=set)
    """Hedges of which the owner was told that they cannot be made whole."""
    announced: set[str] = field(default_factory=set)
    """Hedges whose opening was told."""
    refusals: dict[tuple[str, str], str] = field(default_factory=dict)
    """(coin, rule) -> what was last said, so that a standing refusal is said once."""
    nav_ms: int = 0
    unusual: set[tuple[str, str, str]] = field(default_factory=set)
    """(venue, coin, `rate` or `basis`) that is unusual and was told."""
    unusual_ms: int = 0
    """When rates and bases were last looked at."""

    @property
    def config(self) -> CoreConfig:
        return self.book.config

    @property
    def market(self) -> MarketState:
        return self.book.market

    @property
    def hedges(self) -> dict[str, Hedge]:
        return self.book.hedges

    @property
    def orders(self) -> dict[str, OrderRecord]:
        return self.book.orders

    @property
    def transfers(self) -> dict[str, TransferIntent]:
        return self.book.transfers

    @property
    def control(self) -> Control:
        return self.book.control

    def instruments_in_use(self) -> frozenset[str]:
        """Those that hedges and unsettled orders need; of a closed hedge that left a crumb both: pairs are listed."""
        hedges = (*self.hedges.values(), *self.remembered_hedges())
        needed = (hedge for hedge in hedges if hedge.live or any(leg.quantity_base for leg in hedge.legs))
        return frozenset(leg.instrument for hedge in needed for leg in hedge.legs) | {
            order.intent.instrument for order in self.orders.values()
        }

    def note_last(self, hedge: Hedge) -> None:
        """From now on this is the latest hedge of its instruments."""
        for leg in hedge.legs:
            if leg.instrument in self.last_hedge:
                former = self.former_hedges.setdefault(leg.instrument, [])
                former.insert(0, self.last_hedge[leg.instrument])
                del former[FORMER_MAX:]
            self.last_hedge[leg.instrument] = hedge

    def hedges_of(self, instrument: str) -> list[Hedge]:
        """Those that an instrument has or had, newest first."""
        last = self.last_hedge.get(instrument)
        return [] if last is None else [last, *self.former_hedges.get(instrument, ())]

    def remembered_hedges(self) -> list[Hedge]:
        """The latest of all instruments and those before, each once."""
        known = {hedge.id: hedge for name in self.last_hedge for hedge in self.hedges_of(name)}
        return list(known.values())
