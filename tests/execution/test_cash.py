"""What can still be spent or borrowed: whatever may yet happen to what is in flight, it is not spent twice."""

from dataclasses import replace
from decimal import Decimal

import market_kit as kit
import pytest
from plan_kit import MARGIN, PERP, SPOT, D, lending

from bot.domain.book import Book
from bot.domain.hedges import TransferIntent
from bot.domain.loans import INITIAL_LEVEL
from bot.domain.orders import OrderIntent, OrderRecord, OrderState, Purpose, Side, TimeInForce
from bot.execution.cash import lendable, spot_cash

BUY = OrderIntent(
    *("o1", "h1", 0, kit.VENUE, SPOT, Side.BUY, D(2), D(100), TimeInForce.IOC),
    reduce_only=False,
    purpose=Purpose.OPEN,
    created_ms=0,
    decided_price=D(100),
)
MOVE = TransferIntent("t1", kit.VENUE, "USDT", D(300), "spot", "perp", 0)


def holding(usdt: str) -> Book:
    book = lending()
    book.balances = {("venue:binance:spot", "USDT"): D(usdt)}
    return book


def left(*intents: OrderIntent, moves: tuple[TransferIntent, ...] = ()) -> Decimal:
    book = holding("1000")
    book.orders = {str(number): OrderRecord(intent) for number, intent in enumerate(intents)}
    book.transfers = {move.id: move for move in moves}
    return spot_cash(book, kit.VENUE, "USDT")


def test_coins_being_bought_are_paid_for_at_their_limit() -> None:
    assert left() == 1000
    assert left(BUY) == 800
    assert left(replace(BUY, instrument="binance:GONEUSDT:spot")) == 800, "of a coin that is listed no more, too"


def test_what_was_booked_of_an_order_has_left_the_balance_already() -> None:
    book = holding("950")
    book.orders["o1"] = OrderRecord(BUY, filled_base=D("0.5"), fills_base=D("0.5"))
    assert spot_cash(book, kit.VENUE, "USDT") == 800
    book.orders["o1"].state = OrderState.CANCELLED
    assert spot_cash(book, kit.VENUE, "USDT") == 950


@pytest.mark.parametrize(
    "other",
    [
        replace(BUY, side=Side.SELL),
        replace(BUY, leg=1, instrument=PERP),
        replace(BUY, venue="elsewhere"),
        replace(BUY, instrument=MARGIN),
    ],
)
def test_other_orders_take_nothing_out_of_the_spot_wallet(other: OrderIntent) -> None:
    assert left(other) == 1000
    assert left(other, BUY) == 800


def test_margin_on_its_way_out_is_spent() -> None:
    assert left(moves=(MOVE,)) == 700
    assert left(BUY, moves=(MOVE,)) == 500


@pytest.mark.parametrize("change", [{"venue": "elsewhere"}, {"asset": "BNB"}, {"source": "perp", "target": "spot"}])
def test_other_transfers_do_not_count_and_what_comes_is_not_there_yet(change: dict[str, str]) -> None:
    assert left(moves=(replace(MOVE, **change),)) == 1000


def lends(book: Book, price: str = "100") -> Decimal:
    return lendable(book, book.market.reverse[kit.VENUE, "BTC"], D(price))


def test_half_of_what_the_venue_has_may_be_taken() -> None:
    assert lends(lending("10")) == 5


def test_without_terms_nothing_is_borrowed() -> None:
    book = lending("10")
    book.market.borrow.clear()
    assert lends(book) == 0


@pytest.mark.parametrize(
    ("collateral", "owed", "price"), [("51", "0", "50"), ("900", "-3", "100"), ("700", "-2", "80")]
)
def test_after_all_of_it_the_loan_is_a_hundredth_above_what_the_venue_demands(
    collateral: str, owed: str, price: str
) -> None:
    book = lending(collateral=collateral)
    book.balances["venue:binance:margin", "BTC"] = D(owed)
    sold_usd = float(lends(book, price) * D(price))
    assert sold_usd > 0
    level = (float(collateral) + sold_usd) / (-float(owed) * 100 + sold_usd)
    assert level == pytest.approx(INITIAL_LEVEL + 0.01)


@pytest.mark.parametrize("ratio", [0.97, 0.8])
def test_where_collateral_is_cut_what_the_venue_counts_of_it_bears_the_loan(ratio: float) -> None:
    """What the sale brings is cut as well."""
    book = lending(collateral="900")
    book.balances["venue:binance:margin", "BTC"] = D(-3)
    whole = lends(book)
    book.market.collateral[kit.VENUE] = ratio
    sold_usd = float(lends(book) * 100)
    assert 0 < sold_usd < whole * 100
    assert ratio * (900 + sold_usd) / (300 + sold_usd) == pytest.approx(INITIAL_LEVEL + 0.01)


def test_a_loan_at_its_limit_is_not_made_larger() -> None:
    book = lending(collateral="150")
    book.balances["venue:binance:margin", "BTC"] = D(-1)
    assert lends(book) == 0
