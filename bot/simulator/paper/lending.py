"""What coins cost to borrow on paper: a model, as the venue tells its own terms only to a key."""

from collections.abc import AsyncIterator, Sequence

from bot.domain.events import LoanRecalled
from bot.domain.hedges import Interest
from bot.domain.instruments import Kind
from bot.domain.market import BorrowTerms, CollateralRatio
from bot.simulator.loan_model import LoanModel
from bot.simulator.model import Book
from bot.simulator.model import VenueError as Refusal
from bot.simulator.paper.account import PaperAccount

HOUR_S = 3_600


class PaperLender:
    """Implements `ports.Lender`. Rates follow the funding that the live venue predicts; nothing is recalled."""

    def __init__(self, account: PaperAccount, model: LoanModel) -> None:
        self._account = account
        self._model = model

    async def fetch_terms(self, assets: Sequence[str]) -> AsyncIterator[BorrowTerms]:
        """Of what has a live price; the account's interest is charged at these rates from now on."""
        funding = self._funding_per_h()
        for asset in sorted(set(assets) & self._account.loans.twins.keys()):
            spot = self._account.loans.twins[asset]
            try:
                top = self._account.prices.top(Book.SPOT, spot.symbol, 0)
            except Refusal:
                continue
            rate = self._model.rate_per_h(funding.get(spot.coin, 0.0))
            self._account.lend(asset, rate, self._model.pool(float(top.bid)))
        priced = self._account.loans.terms(self._account.now_ms)
        for terms in priced:
            if terms.asset in assets:
                yield terms

    async def fetch_collateral(self) -> list[CollateralRatio]:
        """Nothing is cut on paper."""
        return []

    async def fetch_recalls(self) -> list[LoanRecalled]:
        return []

    async def fetch_interest(self, since_ms: int) -> list[Interest]:
        return [one for one in self._account.loans.charged() if one.charged_ms >= since_ms]

    def _funding_per_h(self) -> dict[str, float]:
        """What each coin's perpetual is predicted to pay, by coin."""
        found = {}
        for one in self._account.instruments.values():
            if one.kind is Kind.PERP and one.funding_interval_s:
                rate = self._account.prices.predicted_rate(one.symbol)
                found[one.coin] = float(rate) * HOUR_S / one.funding_interval_s
        return found
