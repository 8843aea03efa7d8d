"""`ledger --verify`: what the owner moved counts as the ledger would book it."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from bot.domain.events import AccountReported
from bot.domain.instruments import Instrument
from bot.observe.verify import LedgerState, verify
from bot.ports import CapitalBooked, VenueHistory

D = Decimal
FLOOR_MS, MARGIN_MS, NOW_MS = 1_000, 2_000, 3_000


class HeldStill:
    """A venue on which nothing happens but what its owner moved."""

    name, lender = "toy", None

    def market_ms(self) -> int:
        return NOW_MS

    async def fetch_account(self) -> AccountReported:
        return AccountReported("toy", {"spot": {"USDT": D(105)}, "margin": {"USDT": D(70)}}, {}, complete=False)

    async def fetch_receipts(self, since_ms: int) -> Sequence[object]:
        return ()

    async def fetch_history(self, since_ms: int, instruments: Sequence[str]) -> VenueHistory:
        return VenueHistory((), (), (), NOW_MS, ())

    async def fetch_capital(self, since_ms: int) -> Sequence[CapitalBooked]:
        return [
            CapitalBooked("FUNDING_MARGIN:1", "margin", "USDT", D(70), MARGIN_MS - 1),
            CapitalBooked("deposit:2", "spot", "USDT", D(5), NOW_MS),
        ]


async def test_what_came_to_the_margin_wallet_before_its_opening_balance_is_no_fact_of_its_own() -> None:
    async def listing() -> Mapping[str, Instrument]:
        return {}

    async def read() -> LedgerState:
        return LedgerState({"USDT": D(170)}, FLOOR_MS, MARGIN_MS, NOW_MS, frozenset(), (), None, 2)

    view = await verify(HeldStill(), listing, read)  # type: ignore[arg-type]
    assert (view["balanced"], view["unbooked_facts"]) == (True, 1), "the deposit alone"
