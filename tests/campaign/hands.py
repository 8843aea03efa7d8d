"""What the owner does by hand on the venue's page: coins bought and sold, an order left in the book, money moved.

Nobody tells the daemon before, and it need not run. The coins are the owner's own and none of the daemon's business.
"""

import contextlib
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

from bot.simulator.model import Book, OrderRequest, OrderType, Side, TimeInForce, VenueError
from tests.campaign.answers import KEY
from tests.campaign.market import COINS

if TYPE_CHECKING:
    from tests.campaign.world import World

HANDS_SHARE = 0.5
"""Of the seeds, those whose owner does something by hand."""
LARGE, LARGE_SHARE = 20, 0.4
"""Of the purchases, those of up to three per cent of the cash: more than R5 bears of losses."""
VERBS = ("buys", "buys", "sells", "leaves", "leaves", "to perp", "to spot", "sends")
FAILED = 5
"""The venue's status of a withdrawal that came back."""
OWN_PREFIX = "web_"
CROSSES = Decimal("0.01")
FAR = Decimal(3)
"""An order that is left asks for so many times the price: nobody takes it."""
LEAST = Decimal("1.2")
"""Of the venue's least order."""
CENT, FEE = Decimal("0.01"), Decimal(1)
FAILS_S = 14.0
"""Of wall time, at most, until a withdrawal comes back: before the daemon has asked for it, or after."""


@dataclass(frozen=True, slots=True)
class Act:
    """At an hour of market time; `share` is of the account's cash at the start."""

    hour: float
    verb: str
    coin: str
    share: float


def drawn_acts(dice: Random, most: int = 5) -> list[Act]:
    if dice.random() >= HANDS_SHARE:
        return []
    count = dice.randint(1, most)
    acts = [
        Act(dice.uniform(1, 65), dice.choice(VERBS), dice.choice(tuple(COINS)), dice.uniform(0.0003, 0.0015))
        for _ in range(count)
    ]
    large = [act.verb == "buys" and dice.random() < LARGE_SHARE for act in acts]
    acts = [replace(act, share=act.share * LARGE) if big else act for act, big in zip(acts, large, strict=True)]
    return sorted(acts, key=lambda act: act.hour)


class Hands:
    def __init__(self, world: "World") -> None:
        self._world = world
        self._acts = list(world.plan.acts)
        self._orders = 0
        self.moves: set[str] = set()
        """The venue's ids of moves between the wallets."""
        self._sent: dict[int, Decimal] = {}
        """Withdrawals that will fail, by their ids: amount and fee."""
        self.returned: set[int] = set()
        """The ids of withdrawals that failed: amount and fee came back."""

    def step(self, hour: float) -> None:
        """What the owner does at this hour. The books have to be open: what was before is no business of theirs."""
        while self._acts and self._acts[0].hour <= hour and self._world.oracle.ledger and not self._world.calm:
            act = self._acts.pop(0)
            with contextlib.suppress(VenueError):  # a closed market, or what is in use
                self._does(act)
                self._world.note(f"owner by hand: {act.verb} {act.coin}")
                self._world.wire.sim.settle()
                self._world.slow(2.0)

    def _does(self, act: Act) -> None:
        usd = (self._world.plan.cash * Decimal(f"{act.share:.6f}")).quantize(CENT)
        match act.verb:
            case "to perp":
                self.moves.add(str(self._world.wire.sim.transfer(KEY, "USDT", usd, Book.SPOT, Book.PERP)))
            case "to spot":
                self.moves.add(str(self._world.wire.sim.transfer(KEY, "USDT", usd, Book.PERP, Book.SPOT)))
            case "sends":
                number = self._world.wire.sim.move_capital(KEY, "USDT", -usd, FEE, told=True)
                self._sent[number] = usd + FEE
                self._world.loop.call_later(act.hour * 1_000 % FAILS_S, self._comes_back, number)
            case "buys":
                self._order(act.coin, Side.BUY, usd, TimeInForce.IOC, 1 + CROSSES)
            case "sells":
                self._sell(act.coin, TimeInForce.IOC, 1 - CROSSES)
            case _:
                self._sell(act.coin, TimeInForce.GTC, FAR)

    def calm(self) -> None:
        """What is on its way comes back while there is still somebody to see it."""
        for number in list(self._sent):
            self._comes_back(number)

    def _comes_back(self, number: int) -> None:
        """The network did not take it. Nothing but the status of the withdrawal tells so."""
        usd = self._sent.pop(number, None)
        if usd is None:
            return
        self._world.note(f"withdrawal {number} fails")
        self._world.wire.sim.move_capital(KEY, "USDT", usd, Decimal(0), told=False)
        self._world.wire.sim.settle()
        self.returned.add(number)

    def seen(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The venue's history of withdrawals."""
        return [{**row, "status": FAILED} if int(row["id"]) in self.returned else row for row in rows]

    def _sell(self, coin: str, force: TimeInForce, factor: Decimal) -> None:
        """Half of the owner's own: of this coin, or of another one where there is none of it."""
        oracle = self._world.oracle
        own = [name for name in (coin, *COINS) if self._free(name) > 0]
        if own:
            self._order(own[0], Side.SELL, self._free(own[0]) / 2 * oracle._price(own[0]), force, factor)

    def _free(self, coin: str) -> Decimal:
        """What of the owner's own coins no order of theirs sells: the daemon's lie in the same wallet."""
        balance = self._world.exchange._state.accounts[KEY].spot.get(coin)
        return self._world.oracle.own(coin) - (balance.locked if balance is not None else 0)

    def _order(self, coin: str, side: Side, usd: Decimal, force: TimeInForce, factor: Decimal) -> None:
        listed, sim = self._world.market.coins[coin], self._world.wire.sim
        listing = listed.spot
        if listing.ends_ms or listed.perp.ends_ms or not listing.trades:
            return  # the daemon lists what has both legs: of other coins it could not read the trades
        top = sim.top(Book.SPOT, listing.symbol)
        price = (top.ask * factor // listing.tick) * listing.tick
        quantity = max(usd, listing.notional_min * LEAST) / top.ask // listing.lot * listing.lot
        if side is Side.SELL and quantity > self._free(coin):
            return
        self._orders += 1
        name = f"{OWN_PREFIX}{self._orders}"
        sim.place(
            KEY, OrderRequest(Book.SPOT, listing.symbol, side, OrderType.LIMIT, force, quantity, price, False, name)
        )
