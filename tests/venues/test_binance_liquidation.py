"""What a liquidation costs, as the venue's own history tells it over HTTPS: read whole, once, with its sign."""

from decimal import Decimal

import pytest

from bot.domain.events import OrderFilled, OrderReported, TransferSettled
from bot.domain.hedges import LiquidationCharge
from bot.domain.orders import Fill, OrderState, Side
from bot.venues.binance import income
from tests.venues.contract import HOUR_MS, Bench

SOL = "binance:SOLUSDT:perp"


@pytest.mark.slow  # an exchange of its own, and days of market time: 10 to 15 s
async def test_the_fee_of_a_liquidation_comes_with_the_history(own_bench: Bench) -> None:
    """SOL bought for twenty times the margin: within days of market time the venue sells it."""
    bench = own_bench
    since_ms = bench.venue.market_ms() - HOUR_MS
    assert isinstance(await bench.move("1000"), TransferSettled)
    opening = bench.intent(SOL, Side.BUY, str(Decimal(18_000) / bench.quotes[SOL].mid // 1), away="0.003")
    await bench.venue.place([opening], reducing=False, deliver=bench.deliver)
    assert bench.of(OrderReported, opening.client_id)[-1].state is OrderState.FILLED
    await bench.control("POST", "/clock", {"speed": 172_800})
    await bench.until(lambda: bool(_taken(bench)), within_s=30)
    await bench.control("POST", "/clock", {"speed": 1})
    told = [row for row in (await bench.truth())["incomes"] if row["kind"] == income.INSURANCE_CLEAR]
    history = await bench.venue.fetch_history(since_ms, [SOL])
    assert history.charges == tuple(
        LiquidationCharge(
            venue="binance",
            account="main",
            wallet="perp",
            instrument=SOL if row["symbol"] else None,
            asset="USDT",
            amount=Decimal(row["amount"]),
            charged_ms=row["at_ms"],
            venue_id=row["venue_id"],
        )
        for row in told
    )
    (fee,) = [charge for charge in history.charges if charge.instrument == SOL]
    (fill,) = _taken(bench)
    assert fee.amount < 0
    assert fee.charged_ms == fill.traded_ms
    assert (await bench.venue.fetch_history(fee.charged_ms + 1, [])).charges == ()
    assert (await bench.venue.fetch_history(fee.charged_ms, [])).charges == history.charges
    wallet = (await bench.venue.fetch_account()).balances["perp"].get("USDT", Decimal(0))
    booked = sum((one.realized_pnl - one.fee for one in history.fills), Decimal(0))
    booked += sum((one.payment for one in history.receipts), Decimal(0)) + sum(one.amount for one in history.charges)
    assert wallet == 1_000 + booked, "trades, funding and the charge are all that moved the wallet"


def _taken(bench: Bench) -> list[Fill]:
    return [one.fill for one in bench.of(OrderFilled) if one.fill.client_id.startswith("autoclose-")]
