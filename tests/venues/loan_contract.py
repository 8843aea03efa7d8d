"""What every venue that lends must do, told against a simulated exchange: sell on loan, be charged, repay.

A test module subclasses `LoanContract` and gives a `bench` fixture as for `VenueContract`, whose venue borrows.
"""

import asyncio
from decimal import Decimal

from bot.domain.events import OrderFilled, OrderNotFound, OrderReported, TransferFailed, TransferSettled
from bot.domain.hedges import Interest
from bot.domain.instruments import Kind
from bot.domain.orders import OrderState, Side
from tests.venues.contract import HOUR_MS, Bench

SPOT, LENT = "binance:SOLUSDT:spot", "binance:SOLUSDT:margin"
D = Decimal


async def sold(bench: Bench, quantity: str = "10") -> Decimal:
    """Sells SOL that is not there; what it brought net of the fee."""
    assert isinstance(await bench.move("10000", "spot", "margin"), TransferSettled)
    intent = sale(bench, quantity)
    await bench.venue.place([intent], reducing=False, deliver=bench.deliver)
    report = bench.of(OrderReported, intent.client_id)[-1]
    assert (report.state, report.filled_base) == (OrderState.FILLED, D(quantity)), report
    fills = [one.fill for one in bench.of(OrderFilled, intent.client_id)]
    assert {fill.fee_asset for fill in fills} == {"USDT"}
    assert sum(fill.quantity_base for fill in fills) == D(quantity)
    return sum((fill.quantity_base * fill.price - fill.fee for fill in fills), D(0))


def sale(bench: Bench, quantity: str, side: Side = Side.SELL):  # type: ignore[no-untyped-def]
    """An order on the margin spot; its price is the spot's."""
    bench.quotes[LENT] = bench.quotes[SPOT]
    return bench.intent(LENT, side, quantity, away="0.01")


class LoanContract:
    async def test_margin_spot_is_listed_beside_the_spot(self, bench: Bench) -> None:
        listing = await bench.venue.fetch_listing()
        twins = {i.coin: i for i in listing.instruments if i.kind is Kind.MARGIN}
        spots = {i.coin: i for i in listing.instruments if i.kind is Kind.SPOT}
        assert twins.keys() == spots.keys() == {"BTC", "ETH", "SOL"}
        for coin, twin in twins.items():
            assert (twin.symbol, twin.lot, twin.wallet) == (spots[coin].symbol, spots[coin].lot, "margin")
            assert listing.fees[twin.id] == listing.fees[spots[coin].id]

    async def test_terms_are_of_what_is_asked_for(self, bench: Bench) -> None:
        terms = {one.asset: one async for one in bench.venue.lender.fetch_terms(["SOL", "BTC", "NOPE"])}
        assert terms.keys() == {"SOL", "BTC"}
        for one in terms.values():
            assert 0 < one.rate_per_h < D("0.001")
            assert one.available_base > 1
        assert not [one async for one in bench.venue.lender.fetch_terms([])]
        assert list(await bench.venue.lender.fetch_recalls()) == []
        assert all(one.ratio == 1 for one in await bench.venue.lender.fetch_collateral())

    async def test_a_round_trip_on_loan(self, bench: Bench) -> None:
        (before,) = [one.available_base async for one in bench.venue.lender.fetch_terms(["SOL"])]
        brought = await sold(bench)
        wallet = (await bench.venue.fetch_account()).balances["margin"]
        assert wallet == {"USDT": 10_000 + brought, "SOL": D(-10)}
        (after,) = [one.available_base async for one in bench.venue.lender.fetch_terms(["SOL"])]
        assert before - after >= 9
        back = sale(bench, "10.02", Side.BUY)
        await bench.venue.place([back], reducing=True, deliver=bench.deliver)
        fills = [one.fill for one in bench.of(OrderFilled, back.client_id)]
        assert {fill.fee_asset for fill in fills} == {"SOL"}
        wallet = (await bench.venue.fetch_account()).balances["margin"]
        assert wallet["SOL"] == D("10.02") - sum(fill.fee for fill in fills) - 10
        out = str(wallet["USDT"].quantize(D("0.01"), rounding="ROUND_FLOOR"))
        assert isinstance(await bench.move(out, "margin", "spot"), TransferSettled)

    async def test_what_cannot_be_borrowed_is_refused_for_certain(self, bench: Bench) -> None:
        intent = sale(bench, "10")
        await bench.venue.place([intent], reducing=False, deliver=bench.deliver)
        report = bench.of(OrderReported, intent.client_id)[-1]
        assert report.state is OrderState.REJECTED
        assert report.reason.startswith("-3006")
        assert isinstance(await bench.move("1", "margin", "spot"), TransferFailed)

    async def test_a_margin_order_is_found_again_and_others_are_not(self, bench: Bench) -> None:
        await sold(bench)
        name = bench.of(OrderReported)[-1].client_id
        told = len(bench.of(OrderFilled, name))
        await bench.venue.query(name, LENT, None, 0, bench.deliver)
        again = bench.of(OrderFilled, name)[told:]
        assert {one.fill.key for one in again} == {one.fill.key for one in bench.of(OrderFilled, name)[:told]}
        assert {one.fill.instrument for one in again} == {LENT}
        await bench.ask_until_nowhere("cb-never-lent", LENT, bench.venue.market_ms() - HOUR_MS)
        assert bench.of(OrderNotFound, "cb-never-lent")[-1].sources == 3
        assert await bench.venue.fetch_open_orders() == []

    async def test_history_tells_trades_collateral_and_interest(self, bench: Bench) -> None:
        since_ms = bench.venue.market_ms() - 1_000
        await sold(bench)
        await bench.control("POST", "/clock", {"speed": 20_000})
        await asyncio.sleep(3)
        await bench.control("POST", "/clock", {"speed": 1})
        await asyncio.sleep(0.6)
        history = await bench.venue.fetch_history(since_ms, [SPOT, LENT])
        assert {fill.instrument for fill in history.fills} == {LENT}
        assert sum(fill.quantity_base for fill in history.fills) == 10
        assert [(t.amount, t.source, t.target) for t in history.transfers] == [(D(10_000), "spot", "margin")]
        assert len(history.interest) >= 3
        assert all(self.charged_right(one) for one in history.interest)
        stamps = [one.charged_ms for one in history.interest]
        assert stamps == sorted(set(stamps))
        assert list(await bench.venue.lender.fetch_interest(since_ms)) == list(history.interest)
        later = [one for one in history.interest if one.charged_ms >= stamps[1]]
        assert list(await bench.venue.lender.fetch_interest(stamps[1])) == later
        owed = (await bench.venue.fetch_account()).balances["margin"]["SOL"]
        assert owed == -10 - sum(one.amount for one in history.interest)

    @staticmethod
    def charged_right(one: Interest) -> bool:
        """At a full hour, on about ten coins."""
        assert one.rate_per_h is not None
        return (
            one.asset == "SOL" and not one.charged_ms % HOUR_MS and abs(one.amount / one.rate_per_h - 10) < D("0.1")
        )
