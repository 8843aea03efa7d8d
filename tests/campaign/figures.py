"""Each hedge's own figures, worked out again from the stored fills, receipts and interest.

The ledger may balance while a payment counts for another hedge, or while what a hedge is said to have earned and cost
is wrong.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

ZERO = Decimal(0)
EDGE_MS = 60_000
"""So near to a settlement a position may or may not be paid for."""
NEAR = Decimal("0.000001")
Query = Callable[[str], list[tuple[Any, ...]]]


@dataclass(slots=True)
class _Leg:
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realized: Decimal = ZERO
    held: list[tuple[int, Decimal]] = field(default_factory=list)
    """(market time, quantity from then on, by its fills)"""
    charged: list[tuple[int, Decimal]] = field(default_factory=list)
    """(market time, interest in the coin, below zero)"""

    def move(self, signed: Decimal, price: Decimal, at_ms: int) -> None:
        """Average cost; what closes realises the difference."""
        closes = min(abs(signed), abs(self.quantity)) if signed * self.quantity < 0 else ZERO
        if closes:
            sign = 1 if self.quantity > 0 else -1
            average = self.cost / self.quantity
            self.realized += sign * closes * (price - average)
            self.quantity -= sign * closes
            self.cost = self.quantity * average
        opened = signed + (closes if signed < 0 else -closes)
        self.quantity, self.cost = self.quantity + opened, self.cost + opened * price
        self.held.append((at_ms, self.quantity))

    def around(self, at_ms: int) -> Decimal:
        """The most that was held within a minute of a moment."""
        return max(map(abs, self._around(at_ms)), default=ZERO)

    def owed_around(self, at_ms: int) -> Decimal:
        """The same with all interest until then: what was bought for it is no more than it."""
        interest = sum((amount for since, amount in self.charged if since <= at_ms), ZERO)
        return max((abs(quantity + interest) for quantity in self._around(at_ms)), default=ZERO)

    def _around(self, at_ms: int) -> list[Decimal]:
        before = [quantity for since, quantity in self.held if since <= at_ms - EDGE_MS][-1:]
        return before + [quantity for since, quantity in self.held if abs(since - at_ms) < EDGE_MS]


@dataclass(slots=True)
class _Sums:
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    borrow: tuple[Decimal, Decimal] = ZERO, ZERO
    """What interest cost, at least and at most: the price that it counted at is written down by nobody."""
    slippage: Decimal = ZERO
    strange: bool = False
    """It has fills of orders that are none of its own: of those the decision is not known."""
    approximate: set[str] = field(default_factory=set)
    """Instruments whose leg was moved by interest, at a price that nobody wrote down."""


class Figures:
    """`least` says how much of an instrument is too little to be traded, `prices` between which prices a coin
    was; `given_up` are spots whose coins the venue has turned into others, and of which the owner has
    accepted that they are gone."""

    def __init__(
        self,
        query: Query,
        least: Callable[[str], Decimal],
        prices: Callable[[str], tuple[Decimal, Decimal]],
        given_up: Collection[str] = (),
    ) -> None:
        self._query = query
        self._least = least
        self._prices = prices
        self._given_up = given_up
        self._legs: dict[tuple[str, str], _Leg] = defaultdict(_Leg)
        self._sums: dict[str, _Sums] = defaultdict(_Sums)
        self._coins: Mapping[str, str] = dict(query("SELECT id, coin FROM hedges"))  # type: ignore[arg-type]

    def wrong(self) -> Iterator[str]:
        """What is not as the fills and payments say."""
        yield from self._fills()
        yield from self._payments()
        yield from self._stated()

    def _fills(self) -> Iterator[str]:
        intents = {
            row[0]: row[1:] for row in self._query("SELECT client_id, hedge_id, decided_price FROM order_intents")
        }
        for hedge, instrument, name, side, price, quantity, fee, asset, at_ms in self._query(
            "SELECT t.hedge_id, f.instrument, f.client_id, f.side, f.price, f.quantity_base, f.fee, f.fee_asset, "
            "f.traded_ms FROM fills f "
            "JOIN ledger_transactions t ON t.id = 'fill:' || f.instrument || ':' || f.trade_id "
            "ORDER BY t.number"
        ):
            if hedge not in self._coins:
                continue
            coin, sums = self._coins[hedge], self._sums[hedge]
            if name in intents and intents[name][0] != hedge:
                yield f"a fill of {name} counts for {hedge}"
            if coin not in instrument:
                yield f"a fill of {instrument} counts for {hedge}, which is of {coin}"
            sign, paid = (1 if side == "buy" else -1), Decimal(fee)
            signed, at = sign * Decimal(quantity), Decimal(price)
            in_coin = paid if asset == coin and not instrument.endswith(":perp") else ZERO
            self._legs[hedge, instrument].move(signed - in_coin, at, at_ms)
            sums.fees += paid * (at if asset == coin else 1)
            if name in intents:
                sums.slippage += signed * (at - Decimal(intents[name][1]))
            else:
                sums.strange = True

    def _payments(self) -> Iterator[str]:
        for hedge, instrument, settled_ms, payment in self._query(
            "SELECT t.hedge_id, r.instrument, r.settled_ms, r.payment FROM receipts r JOIN ledger_transactions t "
            "ON t.id = 'funding:' || r.account || ':' || r.instrument || ':' || r.venue_id"
        ):
            if hedge in self._coins:
                self._sums[hedge].funding += Decimal(payment)
            yield from self._of_another("funding", hedge, instrument, settled_ms)
        charges = self._query(
            "SELECT t.hedge_id, t.kind, l.instrument, e.asset, e.amount, t.at_ms FROM ledger_transactions t "
            "JOIN ledger_entries e ON e.number = t.number LEFT JOIN legs l ON l.hedge_id = t.hedge_id AND l.leg = 0 "
            "WHERE t.kind IN ('interest', 'liquidation') AND e.account LIKE 'venue:%'"
        )
        for hedge, kind, instrument, _, amount, at_ms in charges:
            if kind == "interest" and hedge in self._coins:
                self._legs[hedge, instrument].quantity += Decimal(amount)
                self._legs[hedge, instrument].charged.append((at_ms, Decimal(amount)))
        for hedge, kind, instrument, asset, amount, at_ms in charges:
            if kind == "interest" and hedge in self._coins:
                self._sums[hedge].approximate.add(instrument)
                yield from self._of_another("interest", hedge, instrument, at_ms)
                low, high = self._prices(self._coins[hedge])
                least, most = self._sums[hedge].borrow
                self._sums[hedge].borrow = least - Decimal(amount) * low, most - Decimal(amount) * high
                if asset != self._coins[hedge]:
                    yield f"interest in {asset} counts for {hedge}, which is of {self._coins[hedge]}"
            elif hedge in self._coins:
                self._sums[hedge].fees -= Decimal(amount)

    def _of_another(self, what: str, hedge: str, instrument: str, at_ms: int) -> Iterator[str]:
        """What was paid on a position counts for the hedge that had it."""
        elsewhere = [
            other
            for (other, name), leg in self._legs.items()
            if name == instrument and other != hedge and leg.owed_around(at_ms) > self._least(instrument)
        ]
        if elsewhere and not self._legs[hedge, instrument].around(at_ms):
            yield f"{what} of {instrument} at {at_ms} counts for {hedge}, {elsewhere[0]} held it"

    def _stated(self) -> Iterator[str]:
        for hedge, borrow, *stated in self._query(
            "SELECT id, borrow_usd, fees_usd, funding_usd, slippage_usd FROM hedges"
        ):
            sums = self._sums[hedge]
            least, most = sums.borrow
            if not least * (1 - NEAR) <= Decimal(borrow) <= most * (1 + NEAR):
                yield f"{hedge} states interest of {borrow}, it was between {least} and {most}"
            for name, said, found in zip(
                ("fees", "funding", "slippage"), stated, (sums.fees, sums.funding, sums.slippage), strict=True
            ):
                if not (name == "slippage" and sums.strange) and not _near(Decimal(said), found):
                    yield f"{hedge} states {name} of {said}, its fills and payments make {found}"
        for hedge, instrument, *held in self._query(
            "SELECT hedge_id, instrument, quantity_base, cost_quote, realized_quote FROM legs"
        ):
            leg, (quantity, cost, realized) = self._legs[hedge, instrument], map(Decimal, held)
            if instrument in self._given_up and not quantity and not cost and leg.quantity > 0:
                continue
            if quantity != leg.quantity:
                yield f"{hedge} holds {quantity} of {instrument}, its fills make {leg.quantity}"
            elif instrument in self._sums[hedge].approximate:
                continue
            elif not (_near(cost, leg.cost) and _near(realized, leg.realized)):
                yield f"{hedge}: {instrument} cost {cost} and realised {realized}, not {leg.cost} and {leg.realized}"


def _near(said: Decimal, found: Decimal) -> bool:
    return abs(said - found) <= NEAR * max(1, abs(found))
