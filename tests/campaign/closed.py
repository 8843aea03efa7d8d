"""What must become of a hedge whose spot the venue has closed: its perpetual stays, and its owner is told.

The market may close for good. Coins that cannot be sold are safe only beside their perpetual.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bot.simulator.model import Book
from tests.campaign.opening import IN_QUEUE_S, Opening

if TYPE_CHECKING:
    from tests.campaign.world import World

ALARM_S = 30.0
ROOM_NEEDED = Decimal("0.15")
"""R7's least distance."""
ALONE = ("close", "reduce")
SETTLED = "settlement_autoclose-"
BY_VENUE = (SETTLED, "autoclose-", "adl_autoclose")
"""Client ids of orders by which the venue closes a perpetual: at its end, to liquidate it, to deleverage others."""
TAKEN_S = 1.0
"""It is told when it is booked."""


class Closed(Opening):
    def __init__(self, world: "World") -> None:
        super().__init__(world)
        self._closed_read: set[str] = set()
        self._closed_told_s: dict[str, float] = {}
        """Coin -> when the daemon took over a listing that said so."""
        self._alarm_due_s: dict[str, float] = {}
        """Coin -> by when its owner is told."""
        self._settled_s: dict[str, float] = {}
        """Client id -> when the daemon wrote down that the venue closed a perpetual by it, until that is told."""
        self._taken_told: set[str] = set()

    def closed_for_good(self, coin: str) -> bool:
        return not self.trades(coin, Book.SPOT)

    def hedges_again(self, intent: Mapping[str, Any]) -> bool:
        return intent["purpose"] == "complete" and self.closed_for_good(self._coin(intent["instrument"]))

    def must_stay(self, coin: str) -> bool:
        """Coins that cannot be sold, while nothing may open that hedges them: the owner was told of both.

        After a liquidation all the account's money may not bear their perpetual, and a listing may wait for weight.
        """
        if not self.closed_for_good(coin):
            return False
        unaware = coin not in self._closed_told_s and self.short_of_weight()
        cash = self._account().spot.get("USDT")
        left = self.margin_left(1 + ROOM_NEEDED, {(coin, "perp"): self._gap(coin)[0]})
        poor = left + (cash.free if cash is not None else 0) < 0
        return self.control not in ("", "running") or self.differs() or poor or unaware

    def spots_told(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """The spot's exchange information was answered."""
        trading = {row["symbol"] for row in rows if row["status"] == "TRADING"}
        self._closed_read |= {
            coin.name for coin in self.world.market.coins.values() if coin.spot.symbol not in trading
        }

    def listed(self) -> None:
        super().listed()
        for coin in sorted(self._closed_read - self._closed_told_s.keys()):
            self._closed_told_s[coin] = self._now_s
            if self._is_held(coin):
                self._alarm_due_s[coin] = self._now_s + ALARM_S
        self._closed_read.clear()

    def _is_held(self, coin: str) -> bool:
        return min(abs(part) for part in self.held(coin)) > self.tradeable(coin)

    def starts_anew(self) -> None:
        super().starts_anew()
        self._closed_read.clear()
        self._closed_told_s.clear()
        self._settled_s.clear()
        self._taken_told.clear()

    def closed_alarm(self, coin: str) -> None:
        self._alarm_due_s.pop(coin, None)

    def taken_alarm(self, client_id: str) -> None:
        """It may be told before the commit of the fill: a database can be busy for seconds."""
        self._taken_told.add(client_id)
        self._settled_s.pop(client_id, None)

    def out_of_hand(self, coin: str) -> bool:
        """Whether nobody can make it whole now: neither leg trades; nothing may be opened, and coins that cannot be
        sold are alone, or a short below the venue's least quantity is; or the venue has turned coins into others and
        the owner has not accepted that yet."""
        if coin in self.turned or not (self.trades(coin, Book.SPOT) or self.trades(coin, Book.PERP)):
            return True
        if self.control in ("", "running"):
            return False
        spot, perp = self.held(coin)
        listed = self.world.market.coins[coin]
        if abs(spot) > abs(perp):
            return self.closed_for_good(coin)
        return 0 < abs(perp) < listed.perp.quantity_min * listed.multiplier

    def ended_unseen(self, coin: str) -> bool:
        """Whether its perpetual has ended and no daemon is there: time need not crawl by until one is."""
        return not self.trades(coin, Book.PERP) and not self.world.life.running

    def _fill_row(self, row: dict[str, Any]) -> None:
        super()._fill_row(row)
        if self.is_taken(row):
            name = str(row["client_id"])
            if name not in self._taken_told:
                self._settled_s[name] = self._now_s
            self.world.oracle.said_names["perpetual settled"] += name.startswith(SETTLED)

    def is_taken(self, fill: Mapping[str, Any]) -> bool:
        """Whether the venue closed a perpetual of ours: more of it than what is left of a hedge that was closed."""
        large = Decimal(fill["quantity_base"]) > self.tradeable(self._coin(str(fill["instrument"])))
        return large and str(fill["client_id"]).startswith(BY_VENUE)

    def closed_is_told(self, *, patient: bool) -> None:
        """2: the owner is told of what cannot be sold any more, and at once of what the venue has closed."""
        for name, at_s in list(self._settled_s.items()):
            late = self._now_s - self.world.disk.ended_s(at_s) > TAKEN_S
            self.check(2, not late, f"the venue closed a perpetual by {name}, and nobody was told")
            if late:
                self._settled_s.pop(name)
        for coin, due_s in list(self._alarm_due_s.items()):
            if patient:
                self._alarm_due_s[coin] = max(due_s, self._now_s + 1.0)
                continue
            late = self._now_s > due_s and self._is_held(coin)
            self.check(2, not late, f"the spot of {coin} is closed, and nobody was told")
            if late:
                self._alarm_due_s.pop(coin)

    def _within_limits(self, opening: Sequence[Mapping[str, Any]]) -> None:
        """10: coins that cannot be sold are hedged whatever the caps say."""
        judged = [row for row in opening if not self.hedges_again(row)]
        if judged:
            super()._within_limits(judged)

    def _intended(self, intent: dict[str, Any]) -> None:
        super()._intended(intent)
        coin = self._coin(intent["instrument"])
        told_s = self._closed_told_s.get(coin, self._now_s)
        if self._now_s - told_s < IN_QUEUE_S:
            return
        name, perp = intent["client_id"], str(intent["instrument"]).endswith(":perp")
        self.check(2, perp, f"{name} is decided in the spot of {coin}, which is closed")
        alone = perp and intent["purpose"] in ALONE
        self.check(2, not alone, f"{name} closes the perpetual of {coin}, whose coins cannot be sold")
        self.check(12, intent["purpose"] != "open", f"{name} opens {coin}, whose spot is closed")
