"""An order refused for want of money that the books say is there: nothing opens until the balances agree."""

from decimal import Decimal
from typing import Any

import market_kit as kit
from playbook import Phrase, Play, Playbook, fills, orders, said, saved

from bot.domain.actions import PlaceOrders, Reconcile
from bot.domain.events import AccountReported, OrderReported, Reconciled, Tick
from bot.domain.instruments import Kind
from bot.domain.orders import OrderIntent, OrderState, Purpose


def short(leg: str) -> Phrase:
    return lambda book: [
        OrderReported(book.last(leg).client_id, OrderState.REJECTED, Decimal(0), None, "-2010", short=True)
    ]


def refused_for_want_of_money(play: Play) -> Playbook:
    """The perpetual of the first slice fills, its spot is refused, and the perpetual is taken back at once."""
    book = play().scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book >> fills("perp")
    book >> short("spot") << said("venue.short", venue=kit.VENUE) << saved(OrderIntent, purpose=Purpose.UNWIND)
    book << orders("buy perp 0.199 reduce")
    book >> fills("perp")
    return book


def opens(actions: list[Any]) -> bool:
    return any(isinstance(a, PlaceOrders) and any(i.purpose is Purpose.OPEN for i in a.intents) for a in actions)


def compared(book: Playbook, off: Decimal = Decimal(0)) -> list[Any]:
    """A reconciliation ends: the venue has what the books say, and `off` more of USDT."""
    balances: dict[str, dict[str, Decimal]] = {}
    for (account, asset), amount in book.state.ledger.balances.items():
        kind, _, place = account.partition(":")
        if kind == "venue":
            balances.setdefault(place.split(":")[1], {})[asset] = amount
    balances["spot"]["USDT"] += off
    legs = [leg for hedge in book.state.book.live_hedges() for leg in hedge.legs]
    positions = {leg.instrument: leg.quantity_base for leg in legs if leg.kind is Kind.PERP and leg.quantity_base}
    actions = book.feed(AccountReported(kit.VENUE, balances, positions, complete=True))
    return actions + book.feed(Reconciled(kit.VENUE))


def settle(book: Playbook, seconds: float) -> list[Any]:
    """Ticks for a while; everything that was decided."""
    actions: list[Any] = []
    for _ in range(int(seconds / 0.5)):
        book.wait(0.5).alive()
        actions += book.feed(Tick())
    return actions


def test_what_filled_is_taken_back_and_the_balances_are_asked_for(play: Play) -> None:
    book = play().scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book >> fills("perp")
    report = OrderReported(book.last("spot").client_id, OrderState.REJECTED, Decimal(0), None, "-2010", short=True)
    actions = book.feed(report)
    assert any(isinstance(a, Reconcile) for a in actions)
    assert not opens(actions)
    book.unmet.clear()


def test_nothing_opens_until_the_balances_agree(play: Play) -> None:
    book = refused_for_want_of_money(play)
    assert not opens(settle(book, 5))
    differing = compared(book, off=Decimal(-150_000))
    assert any(isinstance(a, Reconcile) for a in differing), "it is asked again at once"
    assert not opens(differing + settle(book, 5))
    agreed = compared(book)
    assert kit.VENUE not in book.state.book.doubted
    assert opens(agreed + settle(book, 5))


def test_a_second_refusal_soon_after_counts_for_longer(play: Play) -> None:
    book = refused_for_want_of_money(play)
    compared(book)
    settle(book, 1)
    book.state.book.doubted[kit.VENUE] = book.mono_ms
    compared(book)
    assert kit.VENUE in book.state.book.doubted
    settle(book, 31)
    compared(book)
    assert kit.VENUE not in book.state.book.doubted
