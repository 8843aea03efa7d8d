"""What each fact means in double entry, by example, to the last digit and sign."""

from decimal import Decimal

import pytest

from bot.domain.hedges import Interest, LiquidationCharge, Receipt, TransferIntent
from bot.domain.instruments import Instrument, Kind, Payoff, Wallet
from bot.domain.ledger import Entry
from bot.domain.orders import Fill, Side
from bot.ledger import postings

D = Decimal


def instrument(kind: Kind, wallet: Wallet) -> Instrument:
    return Instrument(
        id=f"toy:BTC:{kind.value}",
        venue="toy",
        symbol="BTCUSDT",
        coin="BTC",
        kind=kind,
        payoff=Payoff.LINEAR,
        wallet=wallet,
        base_asset="BTC",
        quote_asset="USDT",
        settle_asset="USDT",
        tick=D("0.01"),
        lot=D("0.001"),
        quantity_min=D("0.001"),
        quantity_max=D(100),
        notional_min=D(5),
    )


def fill(side: Side, fee_asset: str = "USDT", realized: str = "0") -> Fill:
    return Fill(
        venue="toy",
        instrument="toy:BTC:spot",
        trade_id="t7",
        client_id="cb1-1-1",
        venue_order_id="9",
        side=side,
        price=D("40000.5"),
        quantity_base=D("0.25"),
        fee=D("0.00025"),
        fee_asset=fee_asset,
        realized_pnl=D(realized),
        maker=False,
        traded_ms=1,
    )


@pytest.mark.parametrize(
    ("side", "coins", "quote"), [(Side.BUY, "0.25", "-10000.125"), (Side.SELL, "-0.25", "10000.125")]
)
@pytest.mark.parametrize(("kind", "wallet"), [(Kind.SPOT, Wallet.SPOT), (Kind.MARGIN, Wallet.MARGIN)])
def test_coins_are_exchanged_for_quote_and_the_fee_is_paid_in_its_own_asset(
    side: Side, coins: str, quote: str, kind: Kind, wallet: Wallet
) -> None:
    account = f"venue:toy:{wallet.value}"
    assert postings.fill_entries(fill(side, "BTC"), instrument(kind, wallet), "h1") == [
        Entry(account, "BTC", D(coins)),
        Entry("trade:h1", "BTC", -D(coins)),
        Entry(account, "USDT", D(quote)),
        Entry("trade:h1", "USDT", -D(quote)),
        Entry(account, "BTC", D("-0.00025")),
        Entry("fee:h1", "BTC", D("0.00025")),
    ]


@pytest.mark.parametrize("realized", ["12.5", "-3.75"])
def test_a_perpetual_moves_money_by_what_the_venue_realised(realized: str) -> None:
    entries = postings.fill_entries(fill(Side.SELL, "USDT", realized), instrument(Kind.PERP, Wallet.PERP), "h1")
    assert entries == [
        Entry("venue:toy:perp", "USDT", D(realized)),
        Entry("trade:h1", "USDT", -D(realized)),
        Entry("venue:toy:perp", "USDT", D("-0.00025")),
        Entry("fee:h1", "USDT", D("0.00025")),
    ]


def test_funding_and_interest() -> None:
    receipt = Receipt("toy", "main", "toy:BTC:perp", "BTC", 5, None, None, None, D("-1.25"), "USDT", "77")
    assert postings.receipt_id(receipt) == "funding:main:toy:BTC:perp:77"
    assert postings.receipt_entries(receipt, instrument(Kind.PERP, Wallet.PERP), "h1") == [
        Entry("venue:toy:perp", "USDT", D("-1.25")),
        Entry("funding:h1", "USDT", D("1.25")),
    ]
    interest = Interest(
        venue="toy", account="main", asset="BTC", amount=D("0.0003"), rate_per_h=None, charged_ms=5, venue_id="8"
    )
    assert postings.interest_id(interest) == "interest:toy:main:BTC:8"
    assert postings.interest_entries(interest, "h1") == [
        Entry("venue:toy:margin", "BTC", D("-0.0003")),
        Entry("interest:h1", "BTC", D("0.0003")),
    ]


@pytest.mark.parametrize(
    ("instrument", "name"),
    [("toy:BTC:perp", "liquidation:toy:main:toy:BTC:perp:9"), (None, "liquidation:toy:main::9")],
)
def test_the_fee_of_a_liquidation_is_a_fee(instrument: str | None, name: str) -> None:
    charge = LiquidationCharge("toy", "main", "perp", instrument, "USDT", D("-12.5"), 5, "9")
    assert postings.charge_id(charge) == name
    assert postings.charge_entries(charge, "h1") == [
        Entry("venue:toy:perp", "USDT", D("-12.5")),
        Entry("fee:h1", "USDT", D("12.5")),
    ]


def test_money_between_wallets_from_the_owner_and_from_before() -> None:
    moved = TransferIntent("t1-1", "toy", "USDT", D(50), "spot", "perp", 1)
    assert postings.transfer_entries(moved) == [
        Entry("venue:toy:perp", "USDT", D(50)),
        Entry("venue:toy:spot", "USDT", D(-50)),
    ]
    assert postings.capital_entries("toy", "spot", "USDT", D(-7)) == [
        Entry("venue:toy:spot", "USDT", D(-7)),
        Entry("equity:capital", "USDT", D(7)),
    ]
    balances = {"spot": {"USDT": D(2), "BTC": D(1)}, "perp": {"USDT": D(3)}}
    assert postings.opening_entries("toy", balances) == [
        Entry("venue:toy:perp", "USDT", D(3)),
        Entry("equity:opening", "USDT", D(-3)),
        Entry("venue:toy:spot", "BTC", D(1)),
        Entry("equity:opening", "BTC", D(-1)),
        Entry("venue:toy:spot", "USDT", D(2)),
        Entry("equity:opening", "USDT", D(-2)),
    ]


def test_ids_tell_trades_of_different_instruments_apart() -> None:
    assert postings.fill_id(fill(Side.BUY)) == "fill:toy:BTC:spot:t7"


def test_ids_tell_deposits_and_openings_apart_by_venue_and_the_venues_own_id() -> None:
    assert postings.capital_id("toy", "d1") == "capital:toy:d1"
    assert postings.opening_id("toy") == "opening:toy"
    assert postings.opening_id("toy", "margin") == "opening:toy:margin"
