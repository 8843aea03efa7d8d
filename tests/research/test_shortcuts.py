"""What the engine leaves out because it would change nothing: a backtest with and without it does the same things."""

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from recorded_kit import START_MS, make

from bot.domain.actions import Action, Emit, PlaceOrders, Verdict
from bot.domain.book import Book
from bot.domain.config import CoreConfig, Limits
from bot.domain.hedges import Hedge
from bot.domain.instruments import Pair
from bot.domain.time import DAY_MS, HOUR_MS
from bot.engine import core, deciding, hedging
from bot.research.bars import BarMarket
from bot.research.recordings import read_recordings
from bot.research.replay import BarSession
from bot.risk.review import entry_verdicts
from bot.risk.rules import r01c_funding_stop, r07_liquidation

DAYS = 50


def eventful(folder: Path) -> Path:
    """One coin trebles (drift, margin) and one halves (top-ups); one's rates turn (R1), and one's at once (R1c)."""

    def price(coin: str, at_ms: int, price: float) -> float:
        days = max(0.0, (at_ms - START_MS) / DAY_MS)
        moved = price * {"ADA": 1 + days / 25, "ETH": 1 / (1 + days / 25)}.get(coin, 1)
        return round(moved, 2 if moved > 10 else 5)  # ticks as real ones: no product with a lot is cut by the venue

    def rate(coin: str, at_ms: int, rate: float) -> float:
        day = (at_ms - START_MS) // DAY_MS
        if coin == "ZZX" and 15 <= day < 24:
            return -2e-4
        if coin == "ZZS" and 30 <= day < 33:
            return -4e-3
        return rate + 4e-4

    return make(folder, coins=("BTC", "ETH", "ADA", "ZZX", "ZZS"), days=DAYS, price=price, rate=rate)


def everything_done(folder: Path) -> list[str]:
    """All that the engine asked for, in words: orders, what was written to the books, what was told."""
    market = BarMarket(read_recordings(folder), START_MS, START_MS + DAYS * DAY_MS, 4 * HOUR_MS)
    config = CoreConfig(limits=Limits(cash_rate=0, per_coin_cap=Decimal("0.1")))
    done: list[str] = []
    kinds: Counter[str] = Counter()

    def watch(action: Action, at_ms: int) -> None:
        done.append(f"{at_ms} {action!r}")
        kinds[str(action.fields.get("rule")) if isinstance(action, Emit) else type(action).__name__] += 1

    session = BarSession(market, config, cash=Decimal(1_000_000), watch=watch)
    while not session.done:
        session.advance()
    assert kinds[PlaceOrders.__name__] > 20
    assert {"R1", "R1c"} <= kinds.keys(), kinds
    return done


def take_out_every_shortcut(monkeypatch: pytest.MonkeyPatch) -> None:
    def refusal(book: Book, pair: Pair) -> Verdict | None:
        return next((verdict for verdict in entry_verdicts(book, pair) if not verdict.approved), None)

    def paid(book: Book, hedge: Hedge, perp: str) -> Decimal:
        window_ms = int(book.config.limits.funding_stop.window_h * HOUR_MS)
        since_ms = max(book.now.market_ms - window_ms, hedge.opened_ms)
        rates = [one.rate for one in book.market.rates.get(perp, ()) if one.settled_ms > since_ms]
        return -hedge.structure.facing(sum(rates, Decimal(0)))

    def wallets(book: Book) -> list[tuple[tuple[str, str], str]]:
        return [(key, key[0].split(":")[1]) for key in book.balances if key[0].startswith("venue:")]

    monkeypatch.setattr(core, "_tick", core._look)  # nothing is valued once for a whole tick
    monkeypatch.setattr(hedging, "_at_rest", lambda *_: False)
    monkeypatch.setattr(deciding, "entry_refusal", refusal)
    monkeypatch.setattr(r07_liquidation, "survives", lambda *_: False)
    monkeypatch.setattr(r01c_funding_stop, "paid_share", paid)
    monkeypatch.setattr(Book, "wallets", wallets)


def test_the_engine_does_the_same_without_its_shortcuts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = eventful(tmp_path)
    short = everything_done(folder)
    take_out_every_shortcut(monkeypatch)
    long = everything_done(folder)
    for number, (one, other) in enumerate(zip(short, long, strict=False)):
        assert one == other, f"action {number}"
    assert len(short) == len(long)
