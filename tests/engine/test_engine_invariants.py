"""Random runs of the engine against a tiny, troublesome venue: what must always hold is checked after every step."""

from decimal import Decimal
from random import Random

import market_kit as kit
import pytest
from playbook import Playbook
from tiny_venue import TinyVenue

from bot.domain.actions import Action, MoveMargin, Persist, PlaceOrders, QueryOrder
from bot.domain.config import Limits
from bot.domain.events import (
    AccountReported,
    CloseCoin,
    Event,
    FeedLost,
    Flatten,
    Halt,
    Readmit,
    Reconciled,
    Resume,
    Tick,
)
from bot.domain.hedges import Control, HedgeState
from bot.domain.instruments import Instrument, Kind
from bot.domain.limits import coin_cap_usd
from bot.domain.market import Quote
from bot.domain.numbers import ZERO, floor_to
from bot.domain.orders import OrderIntent, OrderRecord, OrderState, Purpose
from bot.domain.valuation import nav_usd, worst_usd

COINS = ("BTC", "ETH", "PEPE")
OPENS = {Purpose.OPEN, Purpose.COMPLETE}
SEEDS = range(16)
ROUNDS = 260
EVENTS_MAX = 2_000


class Watched(Playbook):
    """A playbook whose every step is held against the invariants (numbers as in the list of what must hold)."""

    def __init__(self, seed: int, **more: object) -> None:
        limits = Limits(per_coin_cap=Decimal("0.2"), leverage_ceiling=Decimal("0.5"))
        super().__init__(kit.config(COINS, limits=limits, **more), COINS)
        self.dice = Random(seed)
        self.committed: set[str] = set()
        self.filled: dict[str, Decimal] = {}
        self.ended: dict[str, OrderState] = {}
        self.prices = {coin: kit.PRICES[coin] for coin in COINS}
        self.fed_ms: dict[str, int] = {}
        self.evidence: set[str] = set()

    def begin(self) -> dict[str, str]:
        """Set the scene; returns what the venue's wallets hold of USDT."""
        self.scene("800000", "200000")
        return {"spot": "800000", "perp": "200000"}

    def news(self, venue: TinyVenue, *, calm: bool) -> list[Event]:
        """What else happens in a round."""
        return []

    def unheard(self, instrument: Instrument) -> Decimal:
        """The most interest on a loan that the venue can have charged and not told yet."""
        return ZERO

    def feed(self, event: Event) -> list[Action]:
        market = self.state.market
        before = {hedge.id: hedge.order_ids[:] for hedge in self.state.hedges.values()}
        unknown = {i for i, order in self.state.orders.items() if order.state is OrderState.UNKNOWN}
        actions = super().feed(event)
        for action in actions:
            match action:
                case Persist(OrderIntent() as intent):
                    assert intent.client_id not in self.committed, "4: one intent id, once"
                    self.committed.add(intent.client_id)
                case PlaceOrders():
                    self._sent(action, before)
                case _:
                    pass
        for order in self.state.orders.values():
            self._never_falls(order)
        for name in unknown:
            order = self.state.orders.get(name)
            told = type(event).__name__ in ("OrderReported", "OrderFilled", "OrderNotFound")
            assert told or (order is not None and order.state is OrderState.UNKNOWN), "5: only the venue's evidence"
        assert market is self.state.market
        return actions

    def _never_falls(self, order: OrderRecord) -> None:
        name = order.intent.client_id
        assert order.filled_base >= self.filled.get(name, ZERO), "15: a filled quantity never falls"
        assert order.filled_base <= order.intent.quantity_base, "4: filled at most what was ordered"
        self.filled[name] = order.filled_base
        if name in self.ended:
            assert order.state is self.ended[name], "an ended order never comes back to life"
        if order.state.ended:
            self.ended[name] = order.state

    def _sent(self, action: PlaceOrders, before: dict[str, list[str]]) -> None:
        book, market = self.state.book, self.state.market
        for intent in action.intents:
            hedge, instrument = self.state.hedges[intent.hedge_id], market.instruments[intent.instrument]
            assert intent.client_id in self.committed, "3: committed before it is sent"
            assert floor_to(intent.quantity_base, instrument.lot) == intent.quantity_base
            leg = hedge.legs[intent.leg]
            others = [i for i in hedge.order_ids if i not in {one.client_id for one in action.intents}]
            assert not others, "nothing is sent while an order of the hedge is open"
            if intent.purpose not in OPENS:
                assert intent.side.sign * leg.quantity_base < 0, "11: reduces"
                loan = instrument.kind is Kind.MARGIN
                kept = 1 - market.fees[instrument.id].taker if loan else 1
                spare = instrument.lot + self.unheard(instrument) / kept if loan else ZERO
                assert (intent.quantity_base - spare) * kept <= abs(leg.quantity_base), "11: never flips"
                continue
            assert book.control is Control.RUNNING, "12: halted sends nothing that opens"
            assert book.ready[hedge.venue], "6: reconciled"
            assert not any(o.state is OrderState.UNKNOWN for o in book.orders_of(hedge)), "6: nothing unknown"
            assert self.mono_ms - market.mark_seen_ms[kit.perp_id(hedge.coin)] <= 5_000, "16: fresh marks"
            for feed in ("binance:spot", "binance:perp"):
                assert self.mono_ms - market.feed_alive_ms[feed] <= 5_000, "16: fresh feeds"
        if any(intent.purpose in OPENS for intent in action.intents):
            self._within_limits(action)

    def _within_limits(self, action: PlaceOrders) -> None:
        """10: positions and everything that may still fill, worst case, within R2 and R3."""
        book, nav = self.state.book, nav_usd(self.state.book)
        coin = self.state.hedges[action.intents[0].hedge_id].coin
        worst = {hedge.coin: worst_usd(book, hedge) for hedge in book.live_hedges()}
        assert worst[coin] <= coin_cap_usd(book.config.limits, coin, nav), "R2"
        assert sum(worst.values()) <= nav * book.config.limits.leverage_ceiling, "R3"


def run(
    seed: int, rounds: int = ROUNDS, trouble: float = 0.35, make: type[Watched] = Watched
) -> tuple[Watched, TinyVenue]:
    """A random session: prices walk, the owner interferes, feeds drop, the venue misbehaves; then it calms down."""
    book = make(seed)
    wallets = book.begin()
    market = book.state.market
    venue = TinyVenue(
        book.dice,
        market.instruments,
        market.fees,  # type: ignore[arg-type]
        {(wallet, "USDT"): Decimal(amount) for wallet, amount in wallets.items()},
        trouble=trouble,
    )
    inbox: list[Event] = []
    for number in range(rounds):
        calm = number > rounds * 2 // 3
        if calm:
            venue.trouble = 0.0
        inbox += _move_market(book)
        if not calm and book.dice.random() < 0.06:
            inbox.append(_interference(book))
        if book.dice.random() < 0.9 or calm:
            book.alive()
        inbox += book.news(venue, calm=calm)
        inbox.append(Tick())
        if calm and number % 7 == 0:
            inbox += [Reconciled(kit.VENUE), *([Resume("calm")] if book.state.control is not Control.RUNNING else [])]
        _drain(book, venue, inbox, hold_back=0.0 if calm else 0.3)
        waited = book.dice.choice([250, 250, 250, 1000, 3500])
        book.mono_ms += waited
        book.market_ms += waited * 20
    return book, venue


def _move_market(book: Watched) -> list[Event]:
    moved: list[Event] = []
    for coin in COINS:
        book.prices[coin] *= 1 + Decimal(book.dice.randint(-30, 30)) / 10_000
        for quote in kit.quotes(coin, book.prices[coin], basis_bps=str(book.dice.randint(-3, 12))):
            moved.append(quote)
    return moved


def _interference(book: Watched) -> Event:
    return book.dice.choice(
        [
            Halt("test"),
            Resume("test"),
            Resume("test"),
            CloseCoin(book.dice.choice(COINS), "test"),
            Readmit(book.dice.choice(COINS), "test"),
            Flatten("test"),
            FeedLost("binance:spot", "test"),
            FeedLost("binance:perp", "test"),
            Reconciled(kit.VENUE),
            Reconciled(kit.VENUE),
        ]
    )


def _drain(book: Watched, venue: TinyVenue, inbox: list[Event], hold_back: float) -> None:
    """Deliver what there is; some of it waits for a later round."""
    later: list[Event] = []
    for _ in range(EVENTS_MAX):
        if not inbox:
            break
        event = inbox.pop(0)
        if hold_back and not isinstance(event, Tick | Quote) and book.dice.random() < hold_back:
            later.append(event)
            continue
        for action in book.feed(event):
            if isinstance(action, PlaceOrders):
                inbox += venue.place(action.intents, book.state.market.quotes, book.market_ms)
            elif isinstance(action, QueryOrder):
                inbox += venue.query(action.client_id)
            elif isinstance(action, MoveMargin):
                inbox += venue.transfer(action.intent)
    assert not inbox, "the engine and the venue talk without end"
    inbox += later


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_the_invariants_hold_and_it_ends_whole(seed: int) -> None:
    ends_whole(*run(seed), seed)


def ends_whole(book: Watched, venue: TinyVenue, seed: int) -> None:
    assert not book.state.orders, f"seed {seed}: nothing is left open"
    for (wallet, asset), amount in venue.wallets.items():
        booked = book.balance(f"venue:binance:{wallet}", asset)
        assert booked == amount, f"8, seed {seed}: {wallet} {asset} of the ledger and the venue differ"
    shorts = {name: quantity for name, quantity in venue.positions.items() if quantity}
    assert shorts == {
        leg.instrument: leg.quantity_base
        for hedge in book.state.hedges.values()
        for leg in hedge.legs[1:]
        if leg.quantity_base
    }, f"seed {seed}"
    for hedge in book.state.book.live_hedges():
        lot = max(book.state.market.instruments[leg.instrument].lot for leg in hedge.legs)
        price = book.prices[hedge.coin]
        whole = abs(hedge.imbalance_base) <= lot or abs(hedge.imbalance_base) * price < 6
        assert whole, f"1, seed {seed}: {hedge.coin} {hedge.imbalance_base}"
        assert hedge.state in (HedgeState.HEDGED, HedgeState.OPENING), f"seed {seed}: {hedge.state}"
    assert len(book.sent) == len({intent.client_id for intent in book.sent})
    sums: dict[str, Decimal] = {}
    for (_, asset), amount in book.state.ledger.balances.items():
        sums[asset] = sums.get(asset, ZERO) + amount
    assert not any(sums.values()), "7: every asset of the ledger sums to nothing"


def test_the_runs_are_not_idle() -> None:
    """The property above would hold of an engine that does nothing."""
    sent = [intent for seed in (1, 2, 3) for intent in run(seed)[0].sent]
    purposes = {intent.purpose for intent in sent}
    assert purposes >= {Purpose.OPEN, Purpose.COMPLETE, Purpose.UNWIND, Purpose.CLOSE}
    assert len(sent) > 100


def test_the_same_seed_gives_the_same_session() -> None:
    first, second = run(5)[0], run(5)[0]
    assert first.sent == second.sent
    assert first.state.ledger.chain == second.state.ledger.chain


def test_the_account_of_a_calm_run_agrees_with_the_venue() -> None:
    book, venue = run(7, trouble=0.0)
    balances: dict[str, dict[str, Decimal]] = {"spot": {}, "perp": {}}
    for (wallet, asset), amount in venue.wallets.items():
        balances[wallet][asset] = amount
    book.feed(AccountReported(kit.VENUE, balances, dict(venue.positions), complete=True))
    assert not book.state.differences
