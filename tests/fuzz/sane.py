"""What may come out of a decoder, and the two instruments that the documents speak of."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Any

from bot.domain.instruments import Instrument, Kind, Payoff, Wallet


def instrument(kind: Kind) -> Instrument:
    return Instrument(
        id=f"binance:BTCUSDT:{kind.value}",
        venue="binance",
        symbol="BTCUSDT",
        coin="BTC",
        kind=kind,
        payoff=Payoff.LINEAR,
        wallet=Wallet.SPOT if kind is Kind.SPOT else Wallet.PERP,
        base_asset="BTC",
        quote_asset="USDT",
        settle_asset="USDT",
        tick=Decimal("0.0001"),
        lot=Decimal("0.001"),
        quantity_min=Decimal("0.001"),
        quantity_max=Decimal(1_000_000),
        notional_min=Decimal(5),
        multiplier=Decimal(1_000),
    )


SPOT, PERP = instrument(Kind.SPOT), instrument(Kind.PERP)


def sane(found: Any) -> None:
    """Every amount is finite and of a size that exists, every whole number fits the books."""
    if isinstance(found, Decimal):
        assert found.is_finite(), found
        assert not found or -40 <= found.adjusted() <= 40, found
    elif isinstance(found, int):
        assert -(2**63) <= found < 2**63, found
    elif is_dataclass(found):
        for each in fields(found):
            sane(getattr(found, each.name))
    elif isinstance(found, Mapping):
        sane(list(found.values()))
    elif isinstance(found, list | tuple):
        for each in found:
            sane(each)
