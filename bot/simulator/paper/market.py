"""The live market as the exchange core sees it: the newest frames, and the order book fetched for an order."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from bot.domain import market as live
from bot.domain.instruments import Instrument
from bot.ports import OrderBook
from bot.simulator.base_units import BOOKS, listing_of, margin_tiers
from bot.simulator.market.tiers import tiers_for
from bot.simulator.model import Book, Level, Listing, Mark, Settlement, Top, VenueError

ZERO = Decimal(0)
Key = tuple[Book, str]


class LivePrices:
    """Implements `model.Prices` in venue units. It knows the present only: the asked time does not matter.

    Settlements are not among it: a venue tells them after their time, and the account is charged then.
    """

    def __init__(self) -> None:
        self.listings: dict[Key, Listing] = {}
        self._scales: dict[str, tuple[Key, Decimal]] = {}
        self._tops: dict[Key, Top] = {}
        self._books: dict[Key, OrderBook] = {}
        self._marks: dict[str, Mark] = {}
        self.volumes: dict[str, float] = {}
        """24 h volume in USD by instrument: an account without a key is not told its margin tiers."""

    def admit(self, instruments: Sequence[Instrument]) -> None:
        """Add or replace; nothing is ever taken away, as it may be held."""
        for instrument in instruments:
            key = BOOKS[instrument.kind], instrument.symbol
            tiers = tiers_for(instrument.coin, self.volumes.get(instrument.id, 0)) if key[0] is Book.PERP else ()
            self.listings[key] = listing_of(instrument, tiers)
            self._scales[instrument.id] = key, instrument.multiplier

    def tiers(self, instrument: Instrument) -> tuple[Any, ...]:
        return margin_tiers(self.listings[BOOKS[instrument.kind], instrument.symbol])

    def note_quote(self, quote: live.Quote) -> None:
        found = self._scales.get(quote.instrument)
        if found is not None:
            key, scale = found
            known = self._tops.get(key)
            if not quote.two_sided and known is None:
                return
            if known is not None:  # an empty side has no size, and is worth what it was
                quote = quote.filled_up(replace(quote, bid=known.bid / scale, ask=known.ask / scale))
            bid, ask = quote.bid * scale, quote.ask * scale
            self._tops[key] = Top(bid, ask, quote.bid_size / scale, quote.ask_size / scale)

    def note_mark(self, mark: live.Mark) -> int | None:
        """The time of a settlement that has passed since the mark before."""
        found = self._scales.get(mark.instrument)
        if found is None:
            return None
        (_, symbol), scale = found
        before = self._marks.get(symbol)
        rate, next_ms = mark.predicted_rate, mark.next_funding_ms
        self._marks[symbol] = Mark(mark.mark * scale, mark.index * scale, rate, next_ms, 0)
        if before is not None and 0 < before.next_funding_ms < next_ms:
            return before.next_funding_ms
        return None

    def show(self, instrument: str, book: OrderBook | None) -> None:
        """The order book that the next order meets; None: the best prices alone again."""
        key, scale = self._scales[instrument]
        if book is None:
            self._books.pop(key, None)
            return
        self._books[key] = book
        (bid, bid_size), (ask, ask_size) = book.bids[0], book.asks[0]
        self._tops[key] = Top(bid * scale, ask * scale, bid_size / scale, ask_size / scale)

    def top(self, book: Book, symbol: str, at_ms: int) -> Top:
        del at_ms
        found = self._tops.get((book, symbol))
        if found is None:
            raise VenueError(-1121, f"no live price of {symbol} yet")
        return found

    def depth(self, book: Book, symbol: str, at_ms: int, levels: int) -> tuple[Sequence[Level], Sequence[Level]]:
        shown = self._books.get((book, symbol))
        if shown is None:
            top = self.top(book, symbol, at_ms)
            return [Level(top.bid, top.bid_size)], [Level(top.ask, top.ask_size)]
        scale = self.listings[book, symbol].multiplier
        bids, asks = (
            [Level(price * scale, size / scale) for price, size in side[:levels]] for side in (shown.bids, shown.asks)
        )
        return bids, asks

    def mark(self, symbol: str, at_ms: int) -> Mark:
        del at_ms
        found = self._marks.get(symbol)
        if found is None:
            raise VenueError(-1121, f"no live mark price of {symbol} yet")
        return found

    def predicted_rate(self, symbol: str) -> Decimal:
        """Of the running funding interval; zero while none is known."""
        found = self._marks.get(symbol)
        return ZERO if found is None else found.predicted_rate

    def mark_price(self, symbol: str, at_ms: int) -> Decimal:
        return self.mark(symbol, at_ms).mark

    def settlements(self, after_ms: int, until_ms: int) -> Sequence[Settlement]:
        del after_ms, until_ms
        return ()

    def state(self, symbols: Sequence[str]) -> dict[str, Any]:
        """What a restart needs before the first frame: the volumes, and the marks of what is held."""
        marks = {symbol: str(self._marks[symbol].mark) for symbol in symbols if symbol in self._marks}
        return {"marks": marks, "volumes": self.volumes}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.volumes.update(state.get("volumes", {}))
        for symbol, mark in state.get("marks", {}).items():
            self._marks[symbol] = Mark(Decimal(mark), Decimal(mark), ZERO, 0, 0)
