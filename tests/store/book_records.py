"""Records to write: plain ones with a number in their key, and Hypothesis strategies for all kinds."""

from decimal import Decimal
from pathlib import Path

from hypothesis import strategies as st

from bot.domain.actions import Persist, Record
from bot.domain.hedges import Hedge, HedgeState, Leg, Receipt, TransferIntent
from bot.domain.instruments import Kind
from bot.domain.ledger import Entry, Transaction
from bot.domain.orders import Fill, OrderIntent, OrderRecord, OrderState, Purpose, Side, TimeInForce
from bot.ledger.chain import link

D = Decimal
T0 = 1_733_011_200_000
SPOT, PERP = "binance:BTC/USDT:spot", "binance:BTC/USDT:USDT:perp"


def persist(*records: Record) -> list[Persist]:
    return [Persist(record) for record in records]


def intent(number: int = 1, hedge_id: str = "h1") -> OrderIntent:
    return OrderIntent(
        client_id=f"c{number}",
        hedge_id=hedge_id,
        leg=0,
        venue="binance",
        instrument=SPOT,
        side=Side.BUY,
        quantity_base=D("0.5"),
        limit_price=D("97000.10"),
        time_in_force=TimeInForce.IOC,
        reduce_only=False,
        purpose=Purpose.OPEN,
        created_ms=T0 + number,
        decided_price=D("96990"),
    )


def order(number: int = 1, state: OrderState = OrderState.LIVE, filled: str = "0", fills: str = "0") -> OrderRecord:
    return OrderRecord(intent(number), state, f"v{number}", D(filled), D(fills))


def fill(number: int = 1, order_number: int = 1) -> Fill:
    return Fill(
        venue="binance",
        instrument=SPOT,
        trade_id=f"t{number}",
        client_id=f"c{order_number}",
        venue_order_id=f"v{order_number}",
        side=Side.BUY,
        price=D("97000"),
        quantity_base=D("0.25"),
        fee=D("0.00025"),
        fee_asset="BTC",
        realized_pnl=D(0),
        maker=False,
        traded_ms=T0 + number,
    )


def hedge(number: int = 1, state: HedgeState = HedgeState.HEDGED, coin: str = "BTC") -> Hedge:
    legs = (
        Leg(f"binance:{coin}/USDT:spot", Kind.SPOT, 1, D("0.5"), D(48_500), D(0)),
        Leg(f"binance:{coin}/USDT:USDT:perp", Kind.PERP, -1, D("-0.5"), D(-48_600), D(0)),
    )
    return Hedge(f"h{number}", number, "cash_and_carry", coin, "binance", state, legs, D("0.5"), T0)


def receipt(number: int = 1, settled_ms: int = T0, coin: str = "BTC", payment: str = "1.25") -> Receipt:
    return Receipt(
        venue="binance",
        account="main",
        instrument=f"binance:{coin}/USDT:USDT:perp",
        coin=coin,
        settled_ms=settled_ms,
        rate=D("0.0001"),
        quantity_base=D("-0.5"),
        mark_price=D("97000"),
        payment=D(payment),
        asset="USDT",
        venue_id=f"r{number}",
    )


def transfer(number: int = 1) -> TransferIntent:
    return TransferIntent(f"x{number}", "binance", "USDT", D("1000.5"), "spot", "perp", T0 + number)


def transaction(number: int, amount: str = "1.5", *, previous: str = "", at_ms: int = T0) -> Transaction:
    entries = Entry("binance:perp", "USDT", D(amount)), Entry("funding:h1", "USDT", -D(amount))
    identity = f"funding:{number}"
    chain = link(previous, number, identity, at_ms, "funding", "h1", entries)
    return Transaction(number, identity, at_ms, "funding", "h1", entries, chain)


def transactions(count: int) -> list[Transaction]:
    booked: list[Transaction] = []
    for number in range(1, count + 1):
        booked.append(transaction(number, f"{number}.25", previous=booked[-1].chain if booked else ""))
    return booked


def damage(path: Path, where: slice) -> None:
    content = bytearray(path.read_bytes())
    content[where] = b"\xff" * (where.stop - where.start)
    path.write_bytes(content)


money = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False, min_value=D("-1e30"), max_value=D("1e30")),
    st.builds(
        lambda digits, exponent: D(digits).scaleb(exponent),
        st.integers(-(10**18), 10**18),
        st.integers(-40, 40),
    ),
    st.sampled_from([D("1E+3"), D("0E-18"), D("-0"), D("1.10"), D("1E-40"), D("0.1") + D("0.2")]),
).filter(lambda value: -45 <= int(value.as_tuple().exponent) <= 60 and abs(value.adjusted()) < 100)
whole = st.integers(-(2**63), 2**63 - 1)
words = st.text(max_size=30)


st.register_type_strategy(Decimal, money)
st.register_type_strategy(int, whole)
st.register_type_strategy(str, words)
