"""What the oracle asks of an order that opens: nothing is unknown, everything is fresh, and it is allowed now."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bot.simulator.model import Book

if TYPE_CHECKING:
    from tests.campaign.world import World

from tests.campaign.disk import AT_ONCE_S
from tests.campaign.room import Room
from tests.campaign.truth import Sent

STALE_S = 5.0
PULSE_S = 1.6
"""A feed of several lines is told to be alive when the last sign of each is at most so old."""
LINES_EACH = {"perp": 2}
"""Connections of a feed; of the others there is one."""
SETTLE_WINDOW_S = 2.0
NAKED_KNOWN_S, NAKED_UNTOLD_S = 6.0, 25.0
"""By then the daemon knows; what its private streams kept from it, or tell late, it finds when it next reconciles."""
IN_QUEUE_S = 0.65
"""What was committed before a halt may leave so much later; what is committed after it is judged at its commit."""
PRESSED_S = 0.3
"""An order that was admitted a moment before the weight was told may still be on its way."""
STOPS_S = 0.3
"""The word to stop is read at once; a database that refuses may keep what was decided before it."""
YOUNG_MS = 6 * 24 * 3_600_000
"""R8's least age less a day."""
CLOSED_S, TOLD_ONCE_S = 30.0, 1e6
NO_END_MS = 4_102_444_800_000
WALLETS = "/api/v3/account", "/fapi/v3/account"
LOAN_WALLET = "/sapi/v1/margin/account"


class Opening(Room):
    def __init__(self, world: "World") -> None:
        super().__init__(world)
        self.flying: dict[str, Sent] = {}
        """Orders that may still arrive, or of whose end the daemon was not told."""
        self.alive_s: dict[str, float] = {}
        self.signs_s: dict[str, dict[str, float]] = {}
        """Feed -> line -> when a frame or a pong last came."""
        self.newest: dict[str, int] = {}
        """The highest number with which a quote or mark came."""
        self.lost_s = -1.0
        self.feed_lost_s: dict[str, float] = {}
        self.quoted_s: dict[str, float] = {}
        self.account_s: dict[str, float] = {}
        self.halted_s: float | None = None
        self.closed: set[str] = set()
        """Coins that the owner has closed and not readmitted."""
        self.excluded: set[str] = set()
        """Coins that the owner has taken out of the universe."""
        self.stops_s: float | None = None
        """When the daemon was told to stop."""
        self.naked_s: dict[str, float] = {}
        self.untold: set[str] = set()
        """Coins whose gap began with a private event that was kept from the daemon."""
        self.ending_s: dict[str, float] = {}
        """Coin -> since when the daemon knows that the venue ends its perpetual, or is left in peace to close it."""
        self._ends_read: set[str] = set()
        """Coins of whose end an answer told, before the daemon made use of it."""
        self.ending_told_s: dict[str, float] = {}
        self._pressed_s: dict[str, tuple[float, tuple[int, ...]]] = {}

    def _is_no_flip(self, sent: Sent, params: Mapping[str, Any]) -> None:
        """11, from the position alone: what is more than dust is only reduced by what is sent against it."""
        holding = self._account().holdings.get(sent.symbol)
        if holding is None or (holding.quantity > 0) == (sent.side == "BUY"):
            return
        coin = self.world.market.by_symbol[Book.PERP, sent.symbol]
        dust = abs(holding.quantity) * coin.multiplier <= self.tradeable(coin.name)
        only = str(params.get("reduceOnly")) == "true"
        self.check(11, only or dust, f"{sent.client_id} could take {sent.symbol} from {holding.quantity} beyond zero")

    def _may_open(self, api: str, sent: Sent) -> None:
        now_s, name = self._now_s, sent.client_id
        coin = self.world.market.by_symbol[sent.book, sent.symbol]
        for other in self.flying.values():
            earlier = self._commit_of(other.client_id) < self._commit_of(name)
            if other.hedge == sent.hedge and earlier:
                self.check(6, self._known(other), f"{name} opens while {other.client_id} is unknown")
        waited_s = now_s - self.intents[name]["committed_s"]
        self.check(16, waited_s <= IN_QUEUE_S, f"{name} opens {waited_s:.1f} s after it was decided")
        if sent.epoch != self.epoch:
            return  # the daemon that sends it was told other things than the newest one
        wallets = (*WALLETS, LOAN_WALLET) if sent.margin else WALLETS
        fresh = min(self.account_s.get(path, -2.0) for path in wallets)
        decided_s = self.intents[name]["committed_s"]  # before the loss: it is out of the queue soon, as after a halt
        self.check(
            6, fresh > self.lost_s or decided_s - self.lost_s < 0.05, f"{name} opens before the account was read"
        )
        self._on_fresh_data(name, coin)
        if self.intents[name].pop("unheard", False):
            self._within_limits([self.intents[name]])
        if self.intents[name]["committed_s"] > self.short_s + IN_QUEUE_S:
            read = fresh > self.short_s - AT_ONCE_S  # answers of one moment come in any order
            self.check(6, read, f"{name} opens, money was lacking and the account not read since")
        if self.intents[name]["purpose"] == "open":
            self._adds_to_what_is_whole(sent, coin)
        if now_s - self.intents[name]["committed_s"] > IN_QUEUE_S:
            shut = coin.name in self.closed and not self.hedges_again(self.intents[name])
            self.check(12, not shut, f"{name} opens {coin.name}, which the owner closed")
            self.check(12, self.halted_s is None, f"{name} opens while halted by the owner")
            self.check(12, self.control in ("", "running"), f"{name} opens while the books say {self.control}")
        pressed_s, minutes = self._pressed_s.get(api, (1e18, (-1, -1)))
        opens = self.intents[name]["purpose"] == "open"  # completing a hedge is repair: it may use what is reserved
        pressed = opens and pressed_s < now_s - PRESSED_S and minutes == self._minutes()
        self.check(19, not pressed, f"{name} opens with the weight that closing orders need")

    def older(self, what: str, number: int) -> bool:
        """Whether something newer was told before."""
        if number < self.newest.get(what, 0):
            return True
        self.newest[what] = number
        return False

    def _on_fresh_data(self, name: str, coin: Any) -> None:
        now_s = self.intents[name]["committed_s"]  # a repair may wait in the queue; it was decided then
        for feed in ("spot", "perp"):
            age_s = now_s - self.alive_s.get(feed, -1e9)
            self.check(16, age_s <= STALE_S + PULSE_S, f"{name} opens on a {feed} feed that is {age_s:.1f} s old")
        for listed, feed, book in ((coin.spot, "spot", Book.SPOT), (coin.perp, "perp", Book.PERP)):
            told_s, lost_s = self.quoted_s.get(f"{feed} {listed.symbol}", -1.0), self.feed_lost_s.get(feed, -2.0)
            fresh = (
                told_s >= lost_s or now_s - lost_s < 0.05 or not self.trades(coin.name, book)
            )  # a closed market quotes nothing
            self.check(16, fresh, f"{name} opens without a {feed} quote since the feed was lost")
        age_s = now_s - self.marked_s.get(coin.perp.symbol, -1e9)
        self.check(16, age_s <= STALE_S + 0.1, f"{name} opens on a mark that is {age_s:.1f} s old")

    def _adds_to_what_is_whole(self, sent: Sent, coin: Any) -> None:
        """2: a slice is all that can be naked, and nothing is added to a hedge that has been naked for seconds."""
        naked_s = self._now_s - self.naked_s.get(coin.name, self._now_s)
        most_s = NAKED_UNTOLD_S if coin.name in self.untold else NAKED_KNOWN_S
        self.check(2, naked_s <= most_s, f"{sent.client_id} adds to {coin.name}, naked for {naked_s:.1f} s")
        usd = sent.quantity * sent.price
        least = max(coin.spot.notional_min, coin.perp.notional_min)
        lots = max(coin.spot.quantity_min, coin.perp.quantity_min * coin.multiplier) * self._price(coin.name)
        # What would be left may not be less than the venue takes: then it goes along.
        slice_usd = self.slice_usd(coin)
        most = max(slice_usd * Decimal("1.3") + least * 4, (max(slice_usd, lots) + lots) * Decimal("1.05"))
        self.check(2, usd <= most, f"{sent.client_id} is of {usd:.0f} USD, a slice is {slice_usd:.0f}")

    def hedges_again(self, intent: Mapping[str, Any]) -> bool:
        """Whether it makes coins whole that cannot be sold."""
        raise NotImplementedError

    def _allowed_now(self, opening: Sequence[Mapping[str, Any]]) -> None:
        """12: nothing that opens is committed while halted, or of a coin that the owner closed."""
        names = ", ".join(str(row["client_id"]) for row in opening)
        self.check(12, self.halted_s is None, f"{names} is decided while halted by the owner")
        stops = self.stops_s is not None and self._now_s - self.stops_s > STOPS_S
        self.check(12, not stops, f"{names} is decided while the daemon stops")
        for coin in {self._coin(row["instrument"]) for row in opening if row["purpose"] == "open"}:
            self.check(22, coin not in self.excluded, f"{names}: R8, {coin} is excluded")
            age_ms = int(self.world.market_ms) - self.world.market.coins[coin].perp.listed_ms
            self.check(22, age_ms > YOUNG_MS, f"{names}: R8, {coin} was listed {age_ms} ms ago")
            told_s = self.ending_told_s.get(coin, self._now_s)
            self.check(12, self._now_s - told_s < IN_QUEUE_S, f"{names} opens {coin}, which the venue ends")
        for said in {str(row["control"]) for row in opening}:
            self.check(12, said in ("", "running"), f"{names} is decided while the books say {said}")
        for coin in {self._coin(row["instrument"]) for row in opening if not self.hedges_again(row)}:
            self.check(12, coin not in self.closed, f"{names} opens {coin}, which the owner closed")
        if any(row["purpose"] == "open" for row in opening):  # completing a hedge is repair: R10 is the stronger rule
            self.far_from_liquidation(names)
            self.unexplained_stops(names)

    def listing_told(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Which perpetuals the venue has announced the end of."""
        for row in rows:
            if row["deliveryDate"] < NO_END_MS:
                coin = self.world.market.by_symbol[Book.PERP, row["symbol"]].name
                self._ends_read.add(coin)

    def schedule_told(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Which spots the venue has announced the end of."""
        for symbol in (symbol for row in rows for symbol in row["symbols"]):
            self._ends_read.add(self.world.market.by_symbol[Book.SPOT, symbol].name)

    def listed(self) -> None:
        """The daemon has taken over a listing: all questions that make one were answered."""
        for coin in self._ends_read:
            self.ending_told_s.setdefault(coin, self._now_s)
        self._ends_read.clear()

    def ends_are_obeyed(self, *, patient: bool) -> None:
        """12: what the venue is going to end is closed soon after the daemon was told."""
        for coin in self.ending_told_s:
            closed = not self.trades(coin, Book.SPOT)  # then it cannot be left any more
            if closed or abs(self.held(coin)[1]) <= self.tradeable(coin):
                self.ending_s.pop(coin, None)
                continue
            since_s = self.ending_s.setdefault(coin, self._now_s)
            if patient:
                self.ending_s[coin] = self._now_s
            late = CLOSED_S < self._now_s - since_s < TOLD_ONCE_S
            self.check(12, not late, f"{coin} ends and is held after {self._now_s - since_s:.0f} s of calm")
            if late:
                self.ending_s[coin] = self._now_s - TOLD_ONCE_S

    def ending(self) -> bool:
        """Whether something is held that the daemon was told will end: it has seconds, and not days, to close it."""
        return any(self._now_s - since_s < TOLD_ONCE_S for since_s in self.ending_s.values())

    def _clocks_s(self) -> tuple[float, float]:
        """The venue's clock and the machine's: the daemon goes by the first, as far as it has measured it."""
        return self.world.wire.wall_ms() / 1000, self.world.loop.wall_s()

    def short_of_weight(self) -> bool:
        """Whether requests may have to wait for the next minute, as far as the daemon was told."""
        return any(minutes == self._minutes() for _, minutes in self._pressed_s.values())

    def _minutes(self) -> tuple[int, ...]:
        """The minute in which the daemon may believe to be: used weight is of one minute."""
        return tuple(int(clock_s // 60) for clock_s in self._clocks_s())

    def _commit_of(self, name: str) -> int:
        found = self.intents.get(name)
        return 0 if found is None else int(found["commit"])

    def _known(self, other: Sent) -> bool:
        if other.told:
            return True
        if not other.arrived and other.client_id in self.flying:
            gone = self._now_s - other.sent_s >= SETTLE_WINDOW_S
            return gone and self._venue_order(other) is None and not self._may_arrive(other)
        return self._venue_order(other) is None

    def _may_arrive(self, sent: Sent) -> bool:
        return sent.client_id in self._under_way
