"""From the books to a state: start-up is crash recovery. Trading starts only after the venue's truth agrees."""

from collections import OrderedDict
from decimal import Decimal

from bot.domain.book import Book
from bot.domain.books import Books
from bot.domain.config import CoreConfig
from bot.domain.hedges import Control, Hedge
from bot.domain.instruments import Kind
from bot.domain.market import Mark
from bot.domain.numbers import ZERO
from bot.domain.orders import OrderState
from bot.engine import borrowing, collateral, guarding, setbacks, spending
from bot.engine.money import CLOSED_SLACK_MS
from bot.engine.state import EngineState
from bot.ledger.journal import Ledger


def restore(books: Books, config: CoreConfig) -> EngineState:
    """Rebuild the engine's memory. Orders that were in flight are unknown until the venue tells of them."""
    ledger = Ledger(
        dict(books.balances),
        books.transaction_count,
        books.chain,
        OrderedDict((name, books.last_market_ms) for name in sorted(books.transaction_ids)),
    )
    book = Book(config, balances=ledger.balances, control=Control.HALTED)
    book.market.set_half_lives(half_lives_h(config))
    state = EngineState(
        book, ledger, epoch=books.epoch, hedge_count=books.hedge_count, transfer_count=books.transfer_count
    )
    for hedge in books.hedges:
        hedge.order_ids.clear()
        hedge.unbalanced_mono_ms, hedge.rehedges, hedge.wait_until_mono_ms = None, 0, 0
        book.hedges[hedge.id] = hedge
        if hedge.size_base:
            state.announced.add(hedge.id)
        for leg in hedge.legs:
            if leg.kind is Kind.PERP and leg.quantity_base:
                state.held_since_ms[leg.instrument] = hedge.opened_ms
    for hedge in sorted((*books.closed, *books.hedges), key=lambda one: one.number):
        state.note_last(hedge)
        _recall_stint(state, hedge, books.last_market_ms)
    for order in books.orders:
        if not order.state.ended:
            order.state = OrderState.UNKNOWN
        order.sent_mono_ms = order.asked_mono_ms = order.asked_count = 0
        book.orders[order.intent.client_id] = order
        owner = book.hedges.get(order.intent.hedge_id)
        if owner is not None:
            owner.order_ids.append(order.intent.client_id)
    for removal in books.removals:
        book.removals[removal.venue, removal.coin, removal.direction] = removal
    state.openings = dict(books.openings)
    state.book.transfers = {intent.id: intent for intent in books.transfers}
    state.transfers_unknown = dict.fromkeys(state.book.transfers)
    for receipt in books.recent_receipts:
        newest = max(state.receipts_until_ms.get(receipt.venue, 0), receipt.settled_ms)
        state.receipts_until_ms[receipt.venue] = newest
        paid_ms = max(state.receipt_seen_ms.get(receipt.instrument, 0), receipt.settled_ms)
        state.receipt_seen_ms[receipt.instrument] = paid_ms
    guarding.restore(books, book.guards)
    borrowing.restore(books, book.guards)
    spending.restore(books, book.guards)
    collateral.restore(books, state)
    setbacks.restore(books, state)
    if books.control is not None:
        state.wanted, state.wanted_reason = books.control.control, books.control.reason
    for name, price in last_prices(books).items():
        # The books can be valued before the first frame; a real mark replaces it.
        book.market.marks[name] = Mark(name, price, price, ZERO, 0)
    return state


def _recall_stint(state: EngineState, hedge: Hedge, last_market_ms: int) -> None:
    """What a hedge held that was closed just before the end is still to be paid for (R12); older ones were told."""
    if hedge.closed_ms is None or hedge.closed_ms < last_market_ms - CLOSED_SLACK_MS or not hedge.traded:
        return
    for leg in hedge.legs:
        if leg.kind is Kind.PERP and (leg.quantity_base or leg.realized_quote):  # else it never filled
            state.held_before_ms[leg.instrument] = hedge.opened_ms, hedge.closed_ms


def last_prices(books: Books) -> dict[str, Decimal]:
    """What the books know of prices. A hedge that is younger than them, or has none, was entered at its own.

    Prices are kept with each point of the NAV history: hedges opened since then would be worth nothing, and so would
    look like a NAV that bears none of the others.
    """
    known = {one.instrument: one for one in books.prices}
    found = {name: one.price for name, one in known.items()}
    for hedge in books.hedges:
        entered = next((leg.entry_price for leg in hedge.legs if leg.entry_price is not None), None)
        for leg in hedge.legs:
            last = known.get(leg.instrument)
            if entered is not None and (last is None or last.market_ms < hedge.opened_ms):
                found[leg.instrument] = leg.entry_price or entered
    return found


def half_lives_h(config: CoreConfig) -> tuple[float, ...]:
    """The half-lives by which the market's rates are averaged, fast one first."""
    return config.strategy.fast_half_life_h, config.strategy.slow_half_life_h
