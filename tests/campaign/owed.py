"""Loans in the oracle's own books: which way a hedge stands, what the lender told, what is owed and wanted back."""

from collections.abc import Mapping, MutableMapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bot.simulator.model import Book
from tests.campaign.market import HOUR_MS
from tests.campaign.truth import MARGIN, ZERO, Truth, book_of

if TYPE_CHECKING:
    from tests.campaign.answers import Answer
    from tests.campaign.world import World

RATE_YEAR_MAX = Decimal(1)
SHARE_MAX = Decimal("0.5")
RECALL_PAUSE_MS = 22 * HOUR_MS
"""R9's pause is a day; what is told again within an hour is not written down anew, and clocks differ by another one
where market time flies."""
RECALL_TOLD_MS = 48 * HOUR_MS
"""An announcement further ahead is none yet."""
YEAR_H = 8_760
JUST_NOW_S = 0.3
"""What was told a moment ago may have crossed with a decision."""
RETURNED_S = 45.0
"""By then a recalled loan is repaid: as long as anything may stay unhedged."""


class Owed(Truth):
    """What the lender told the daemon, and whether loans are taken and given back as they should be."""

    def __init__(self, world: "World") -> None:
        super().__init__(world)
        self.directions: dict[str, int] = {}
        """Hedge -> -1 where it owes the coin and is long the perpetual, else 1."""
        self.borrowers: dict[str, set[str]] = {}
        """Coin -> hedges that owed it."""
        self.perp_direction: dict[str, int] = {}
        """Coin -> the direction of the hedge that last opened it."""
        self._rates: dict[str, list[tuple[float, Decimal]]] = {}
        self._pools: dict[str, list[tuple[float, Decimal]]] = {}
        """Coin -> (when it was told, what was told), the last two."""
        self._inventory: Mapping[str, str] = {}
        self.told_ms = 0
        """Market time of the last mark that was told: the daemon goes by it, hours behind where time flies."""
        self._recalled: dict[str, tuple[float, int]] = {}
        """Coin -> (when a recall was first told, market time of the last time)."""
        self._wanted_s: dict[str, float] = {}
        """Coin -> since when, in wall time in which nothing is done to the daemon, a recalled loan is owed."""
        self.interest_rows: dict[str, Decimal] = {}
        self._interest: dict[str, Decimal] = {}
        self._interest_of: dict[str, str] = {}
        """Asset, by the id of a charge."""
        self._entries_read = 0

    # -- which way a hedge stands ---------------------------------------------------------------------------

    def stands(self, intent: Mapping[str, Any]) -> None:
        """The first order of a hedge says whether it owes."""
        hedge = str(intent["hedge_id"])
        if hedge not in self.directions:
            kind = str(intent["instrument"]).rsplit(":", 1)[1]
            bought = intent["side"] == "buy"
            self.directions[hedge] = -1 if kind == MARGIN or (kind == "perp" and bought) else 1
            if self.directions[hedge] < 0:
                symbol = str(intent["instrument"]).split(":")[1]
                coin = self.world.market.by_symbol[book_of(kind), symbol].name
                self.borrowers.setdefault(coin, set()).add(hedge)

    def opens(self, intent: MutableMapping[str, Any]) -> bool:
        """Whether the order makes a leg of its hedge larger, as things are when it is first asked about."""
        if "opens" not in intent:
            intent["opens"] = self._opens(intent)
        return bool(intent["opens"])

    def _opens(self, intent: Mapping[str, Any]) -> bool:
        if intent["side"] == "sell" and str(intent["instrument"]).endswith(MARGIN):
            there = self.lent(self.world.market.by_symbol[Book.SPOT, str(intent["instrument"]).split(":")[1]].name)
            return Decimal(intent["quantity_base"]) > there
        of_coin = not str(intent["instrument"]).endswith(":perp")
        return ((intent["side"] == "buy") == of_coin) == (self.directions[str(intent["hedge_id"])] > 0)

    def _gap(self, coin: str) -> tuple[Decimal, Decimal]:
        """Each hedge that ends a loan may leave what is too little to trade: the running hour is paid for as well."""
        gap, limit = super()._gap(coin)
        if coin not in self.borrowers:
            return gap, limit
        limit *= len(self.borrowers[coin])
        return max(ZERO, gap - self._untold_interest(coin)) if gap > limit else gap, limit

    def _untold_interest(self, coin: str) -> Decimal:
        """What is owed and not in the books yet: the venue tells of interest when it is asked."""
        charged = self._charged()
        untold = charged.keys() - self.interest_rows.keys()
        return sum((charged[venue_id] for venue_id in untold if self._interest_of[venue_id] == coin), ZERO)

    def _positions(self) -> None:
        """11: what closes a perpetual never takes it to the other side."""
        for symbol, holding in self._account().holdings.items():
            coin = self.world.market.by_symbol[Book.PERP, symbol]
            right = (holding.quantity > 0) == (self.perp_direction.get(coin.name, 1) < 0)
            dust = not right and abs(holding.quantity) * coin.multiplier <= self.tradeable(coin.name)
            self.check(11, right or dust, f"{symbol} has gone to the other side: {holding.quantity}")

    # -- what the lender tells ------------------------------------------------------------------------------

    def lender_told(self, path: str, answer: "Answer") -> None:
        if answer.status != 200 or not self.world.plan.lent:
            return
        match path.removeprefix("/sapi/v1/margin/"):
            case "next-hourly-interest-rate":
                for row in answer.document:
                    self._hear(self._rates, row["asset"], Decimal(row["nextHourlyInterestRate"]) * YEAR_H)
                    self._hear(self._pools, row["asset"], Decimal(self._inventory.get(row["asset"], ZERO)))
            case "available-inventory":  # asked for first, and of no use without the rates
                self._inventory = answer.document["assets"]
            case "delist-schedule":
                self._hear_recalls(answer.document)

    def _hear(self, heard: dict[str, list[tuple[float, Decimal]]], asset: str, value: Decimal) -> None:
        heard[asset] = [*heard.get(asset, [])[-1:], (self._now_s, value)]

    def _hear_recalls(self, rows: Sequence[Mapping[str, Any]]) -> None:
        now_ms = int(self.world.market_ms)
        for row in rows:
            if row["delistTime"] <= now_ms + RECALL_TOLD_MS:
                for asset in row["crossMarginAssets"]:
                    first_s, at_ms = self._recalled.get(asset, (self._now_s, 0))
                    over = now_ms - at_ms > RECALL_PAUSE_MS
                    self._recalled[asset] = (self._now_s if over else first_s), min(now_ms, self.told_ms)

    def _read_s(self) -> float:
        """What was told before then has been made use of."""
        return self.world.disk.unheard_since_s() - JUST_NOW_S

    def _told_of(self, heard: Mapping[str, list[tuple[float, Decimal]]], asset: str) -> list[Decimal]:
        """What the daemon may go by: the last that was told, and the one before when that was just now."""
        told = heard.get(asset, [])
        recent = told and told[-1][0] > self._read_s()
        return [value for _, value in (told if recent else told[-1:])]

    def borrowed_within_reason(self, intent: Mapping[str, Any], coin: str) -> None:
        """R9, at the commit of an order that borrows. Completing a hedge is repair: R10 is the stronger rule."""
        name, quantity = intent["client_id"], Decimal(intent["quantity_base"])
        rates, pools = self._told_of(self._rates, coin), self._told_of(self._pools, coin)
        self.check(21, bool(rates) and bool(pools), f"{name} borrows {coin} of which no terms were told")
        if rates and pools:
            self.check(21, min(rates) <= RATE_YEAR_MAX, f"{name} borrows {coin} at {min(rates):.2f} a year")
            most = max(pools) * SHARE_MAX
            self.check(21, quantity <= most, f"{name} borrows {quantity} {coin}, {max(pools)} can be had")
        first_s, at_ms = self._recalled.get(coin, (self._now_s, -RECALL_PAUSE_MS))
        paused = self.world.market_ms - at_ms < RECALL_PAUSE_MS and first_s < self._read_s()
        self.check(21, not paused, f"{name} borrows {coin}, which was recalled")

    # -- what is owed and wanted back -----------------------------------------------------------------------

    def recalls_are_obeyed(self, *, patient: bool) -> None:
        """What the lender wants back is repaid long before it is due."""
        recalls = self._account().margin.recalls
        wanted = [
            coin for coin in sorted(recalls) if self.trades(coin, Book.SPOT) and -self.lent(coin) > self._gap(coin)[1]
        ]
        for coin in self._wanted_s.keys() - wanted:
            del self._wanted_s[coin]
        for coin in wanted:
            since_s = self._wanted_s.setdefault(coin, self._now_s)
            if patient:
                self._wanted_s[coin] = self._now_s
            late = self._now_s - since_s > RETURNED_S
            self.check(21, not late, f"{coin} was recalled and is owed after {self._now_s - since_s:.0f} s of calm")
            if late:
                self._wanted_s[coin] = self._now_s + 1e6

    def recalling(self) -> bool:
        """Whether something is owed that is wanted back: time must not run past the day on which it is due."""
        return bool(self._wanted_s)

    def _charged(self) -> dict[str, Decimal]:
        """The exchange's own record of interest, by its id; it only grows."""
        entries = self._account().margin.entries
        for one in entries[self._entries_read :]:
            if one.kind == "INTEREST":
                self._interest[str(one.id)], self._interest_of[str(one.id)] = one.amount, one.asset
        self._entries_read = len(entries)
        return self._interest

    def interest_row(self, row: Mapping[str, Any]) -> None:
        """Interest is booked once, and as it was charged."""
        venue_id = str(row["id"]).rsplit(":", 1)[1]
        self.check(9, venue_id not in self.interest_rows, f"interest {venue_id} is booked twice")
        charged = self._charged()
        self.check(9, venue_id in charged, f"interest that the venue did not charge: {row['id']}")
        self.interest_rows[venue_id] = charged.get(venue_id, ZERO)

    def loans_unsettled(self) -> list[tuple[int, str]]:
        """What is not in order with the loans yet."""
        if not self.world.plan.lent:
            return []
        missing = self._charged().keys() - self.interest_rows.keys()
        found = [(9, f"{len(missing)} charges of interest are not in the books")] if missing else []
        if self.world.plan.flatten_at_end:
            for coin in sorted(self._account().margin.owed):
                closed = not self.trades(coin, Book.SPOT)  # then nobody can buy it back
                if not closed and -self.lent(coin) > self._gap(coin)[1]:
                    found.append((1, f"{-self.lent(coin)} {coin} are still owed after a flatten"))
        return found
