"""R1c's sum is kept while the same settlements count: at every moment it is what adding them up anew would give."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.book import Book
from bot.domain.config import CoreConfig
from bot.domain.hedges import Hedge, HedgeState, Leg
from bot.domain.instruments import Kind
from bot.domain.market import SettledRate
from bot.domain.time import HOUR_MS, Stamp
from bot.risk.rules import r01c_funding_stop

PERP = "binance:BTCUSDT:perp"
LEGS = (Leg("binance:BTCUSDT:spot", Kind.SPOT, 1), Leg(PERP, Kind.PERP, -1))
MOVES = st.lists(
    st.tuples(
        st.sampled_from(["wait", "wait", "settle", "open"]),
        st.integers(0, 30 * HOUR_MS),
        st.integers(-50, 50).map(lambda n: Decimal(n) / 10_000),
    ),
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(moves=MOVES)
def test_the_kept_sum_is_the_sum(moves: list[tuple[str, int, Decimal]]) -> None:
    book = Book(CoreConfig())
    window_ms = int(book.config.limits.funding_stop.window_h * HOUR_MS)
    now_ms = 1_700_000_000_000
    hedge = Hedge("h1", 1, "cash_and_carry", "BTC", "binance", HedgeState.HEDGED, LEGS, Decimal(1), now_ms)
    known: list[SettledRate] = []
    for number, (what, later_ms, rate) in enumerate(moves):
        now_ms += later_ms + 1
        book.now = Stamp(number, now_ms, number)
        if what == "settle":
            known.append(SettledRate(PERP, now_ms, rate, 8 * 3600))
            assert book.market.add_rate(known[-1])
        elif what == "open":
            hedge.opened_ms = now_ms
        since_ms = max(now_ms - window_ms, hedge.opened_ms)
        wanted = -sum((one.rate for one in known if one.settled_ms > since_ms), Decimal(0))
        assert r01c_funding_stop.paid_share(book, hedge, PERP) == wanted
