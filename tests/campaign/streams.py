"""The venue's streams as the daemon's adapter hands them on: quotes, marks, signs of life and private events."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bot.domain.events import FeedAlive, FeedLost
from bot.domain.market import Mark, Quote
from bot.simulator.model import Book

if TYPE_CHECKING:
    from tests.campaign.life import Life
    from tests.campaign.world import World

FEEDS = ("spot", "perp", "user-spot", "user-perp")
MARK_EVERY_S = 1.5


class Streams:
    def __init__(self, world: "World") -> None:
        self.world = world
        self.life: Life | None = None
        self._sent: dict[str, object] = {}
        self._marked_s = 0.0
        self._all_told: object = None
        """The market's moment of which every coin was told; None while some are left out."""
        self.silent_until_s = dict.fromkeys(FEEDS, 0.0)
        self.lost_until_s = dict.fromkeys(FEEDS, 0.0)
        self.gap_until_s: dict[str, float] = {}
        self.repeat_until_s = self.late_until_s = self.shuffle_until_s = self.miss_until_s = 0.0
        self._held: list[tuple[str, dict[str, Any]]] = []

    def opened(self, life: "Life") -> None:
        """The adapter's streams are connected: everything is sent afresh."""
        self.life = life
        self._sent.clear()
        self._all_told = None
        self._held.clear()
        for feed in FEEDS:
            self.silent_until_s[feed] = self.lost_until_s[feed] = 0.0
        self.tick()

    def calm(self) -> None:
        """No fault is left; what was lost comes back with the next tick."""
        for feed in FEEDS:
            self.silent_until_s[feed] = 0.0
            if self.lost_until_s[feed]:
                self.lost_until_s[feed] = self.world.loop.now_s
        self.gap_until_s.clear()
        self.repeat_until_s = self.late_until_s = self.shuffle_until_s = self.miss_until_s = 0.0
        self._release()

    def lose(self, feed: str, seconds: float, reason: str) -> None:
        self.lost_until_s[feed] = max(self.lost_until_s[feed], self.world.loop.now_s + seconds)
        self._tell_lost(feed, reason)

    def _tell_lost(self, feed: str, reason: str) -> None:
        if self.life is not None and not self.life.dead:
            self.world.oracle.feed_lost(feed)
            self.life.deliver(FeedLost(f"binance:{feed}", reason))

    # -- public ---------------------------------------------------------------------------------------------

    def tick(self) -> None:
        life, now_s = self.life, self.world.loop.now_s
        if life is None or life.dead:
            return
        for feed in FEEDS:
            self._pulse(life, feed, now_s)
        marks = now_s - self._marked_s >= MARK_EVERY_S
        if marks:
            self._marked_s = now_s
        at_ms = int(self.world.market_ms)
        if self._speaks("spot", now_s) or self._speaks("perp", now_s):
            life.venue.seen(at_ms)
        moment = self.world.market.moment(at_ms)
        if not marks and moment == self._all_told:
            self._release_when_due(now_s)
            return
        whole = self._speaks("spot", now_s) and self._speaks("perp", now_s)
        self._all_told = moment if whole and now_s >= max(self.gap_until_s.values(), default=0.0) else None
        for coin in self.world.market.coins.values():
            if now_s < self.gap_until_s.get(coin.name, 0.0):
                continue
            if self._speaks("spot", now_s) and coin.spot.trades:
                self._quote(life, Book.SPOT, coin.spot.symbol, f"binance:{coin.spot.symbol}:spot", 1, at_ms)
            if self._speaks("perp", now_s):
                name = f"binance:{coin.perp.symbol}:perp"
                self._quote(life, Book.PERP, coin.perp.symbol, name, coin.multiplier, at_ms)
                self._mark(life, coin.perp.symbol, name, coin.multiplier, at_ms, always=marks)
        self._release_when_due(now_s)

    def _release_when_due(self, now_s: float) -> None:
        if self._held and now_s >= max(self.late_until_s, self.shuffle_until_s):
            self._release()

    def _speaks(self, feed: str, now_s: float) -> bool:
        return now_s >= self.silent_until_s[feed] and not self.lost_until_s[feed]

    def _pulse(self, life: "Life", feed: str, now_s: float) -> None:
        lost_s = self.lost_until_s[feed]
        if lost_s:
            if now_s < lost_s:
                return
            self.lost_until_s[feed] = 0.0
            self._sent = {name: said for name, said in self._sent.items() if not name.endswith(feed)}
            self._all_told = None
            if feed.startswith("user"):
                self._tell_lost(feed, "connected again: events in between were not sent")
        if now_s >= self.silent_until_s[feed]:
            self.world.oracle.feed_alive(feed)
            life.deliver(FeedAlive(f"binance:{feed}"))

    def _quote(self, life: "Life", book: Book, symbol: str, name: str, scale: int, at_ms: int) -> None:
        top = self.world.market.top(book, symbol, at_ms)
        if self._sent.get(name) is top:
            return
        self._sent[name] = top
        self.world.oracle.quoted(book.value, symbol, top)
        if scale == 1:
            life.deliver(Quote(name, top.bid, top.ask, top.bid_size, top.ask_size, at_ms))
        else:
            life.deliver(
                Quote(name, top.bid / scale, top.ask / scale, top.bid_size * scale, top.ask_size * scale, at_ms)
            )

    def _mark(self, life: "Life", symbol: str, name: str, scale: int, at_ms: int, *, always: bool) -> None:
        now = self.world.market.mark(symbol, at_ms)
        said = f"mark:{name}"
        if not always and self._sent.get(said) == now:
            return
        self._sent[said] = now
        self.world.oracle.marked(symbol, now)
        mark, index = (now.mark, now.index) if scale == 1 else (now.mark / scale, now.index / scale)
        life.deliver(Mark(name, mark, index, now.predicted_rate, now.next_funding_ms, at_ms))

    # -- private --------------------------------------------------------------------------------------------

    def private(self, book: str, event: dict[str, Any]) -> None:
        """An order's change, as the venue tells it; what happens to it on its way."""
        life, now_s = self.life, self.world.loop.now_s
        if life is None or life.dead:
            return
        if self.lost_until_s[f"user-{book}"] or (now_s < self.miss_until_s and self.world.dice.random() < 0.5):
            self.world.oracle.withheld(book, event)
            return
        if now_s < self.late_until_s or now_s < self.shuffle_until_s:
            self.world.oracle.withheld(book, event)
            self._held.append((book, event))
            if len(self._held) >= 8:
                self._release()
            return
        kept_s = self.world.wire.unanswered.kept_s(book, event)
        if kept_s:
            self.world.oracle.withheld(book, event)
            self.world.loop.call_later(kept_s, self._send, book, event)
            return
        self._send(book, event)
        if now_s < self.repeat_until_s:
            self.world.loop.call_later(self.world.dice.uniform(0.01, 3.0), self._send, book, event)

    def _release(self) -> None:
        held, self._held = self._held, []
        if self.world.loop.now_s < self.shuffle_until_s or self.shuffle_until_s:
            self.world.dice.shuffle(held)
        for book, event in held:
            self.world.loop.call_later(self.world.dice.uniform(0.0, 1.5), self._send, book, event)

    def _send(self, book: str, event: Mapping[str, Any]) -> None:
        life = self.life
        if life is None or life.dead or self.lost_until_s[f"user-{book}"]:
            return
        framed = {"subscriptionId": 0, "event": event} if book == "spot" else event
        self.world.oracle.streamed(event)
        life.venue.private(framed)
