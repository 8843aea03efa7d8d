"""What is owed is a negative balance; interest adds to it, once; borrowing and repaying change nothing in sum."""

from decimal import Decimal

from bot.domain.hedges import Interest
from bot.domain.instruments import Instrument, Kind, Payoff, Wallet
from bot.domain.orders import Fill, Side
from bot.ledger.journal import Ledger
from bot.ledger.postings import fill_entries, fill_id, interest_entries, interest_id

D = Decimal
SOL = Instrument(
    *("v:SOLUSDT:margin", "v", "SOLUSDT", "SOL", Kind.MARGIN, Payoff.LINEAR, Wallet.MARGIN, "SOL", "USDT", "USDT"),
    *(D("0.01"), D("0.01"), D("0.01"), D(1_000), D(5)),
    fee_in_base=True,
)


def fill(number: int, side: Side, quantity: str, fee: str, fee_asset: str) -> Fill:
    price = D(20)
    return Fill(
        *("v", SOL.id, str(number), f"cb1-1-{number}", "o", side, price, D(quantity), D(fee), fee_asset),
        *(D(0), False, number),
    )


def interest(venue_id: str, asset: str = "SOL") -> Interest:
    return Interest("v", "main", asset, D("0.004"), D("0.00001"), 5, venue_id)


def test_a_round_trip_on_loan_leaves_its_fees_and_interest() -> None:
    ledger = Ledger()
    for one in (fill(1, Side.SELL, "10", "0.2", "USDT"), fill(2, Side.BUY, "10.014", "0.01", "SOL")):
        ledger.post(fill_id(one), one.traded_ms, "fill", "h1", fill_entries(one, SOL, "h1"))
        owed = ledger.balance("venue:v:margin", "SOL")
        assert owed == (D(-10) if one.side is Side.SELL else D("0.004"))
    charged = interest("i1")
    for _ in range(2):
        ledger.post(interest_id(charged), 5, "interest", "h1", interest_entries(charged, "h1"))
    assert ledger.balance("venue:v:margin", "SOL") == 0
    assert ledger.balance("interest:h1", "SOL") == D("0.004")
    assert ledger.balance("venue:v:margin", "USDT") == D("199.8") - D("200.28")
    assert ledger.count == 3


def test_interest_of_two_assets_with_one_id_is_two() -> None:
    assert interest_id(interest("7")) != interest_id(interest("7", "ETH"))
