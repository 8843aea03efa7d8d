"""What no record explains and the owner accepts: exactly that amount, once, as capital; never what hedges need."""

from decimal import Decimal

import market_kit as kit
import pytest
import reverse_kit
from playbook import Play, Playbook, said, saved, silence

from bot.domain.actions import Emit, Persist
from bot.domain.events import AcceptDifference, AccountReported, CloseCoin, Reconciled
from bot.domain.ledger import Transaction
from bot.domain.valuation import nav_usd
from bot.risk.rules import r05_drawdown

D = Decimal


def word(amount: str, asset: str = "USDT", wallet: str = "spot") -> AcceptDifference:
    return AcceptDifference(kit.VENUE, wallet, asset, D(amount), "an airdrop")


def reported(book: Playbook, spot: dict[str, str]) -> AccountReported:
    """The books' own balances and positions, with these differences in the spot wallet."""
    balances: dict[str, dict[str, Decimal]] = {"spot": {}, "perp": {}, "margin": {}}
    for (account, asset), amount in book.state.ledger.balances.items():
        kind, _, wallet = account.partition(f":{kit.VENUE}:")
        if kind == "venue":
            balances[wallet][asset] = amount
    for asset, more in spot.items():
        balances["spot"][asset] = balances["spot"].get(asset, D(0)) + D(more)
    legs = [leg for hedge in book.state.hedges.values() for leg in hedge.legs if not leg.kind.is_coin]
    positions = {leg.instrument: leg.quantity_base for leg in legs if leg.quantity_base}
    return AccountReported(kit.VENUE, balances, positions, complete=True)


def owing(play: Play, more: str) -> Playbook:
    """A hedge that owes BTC, at a venue that has been seen three times to be owed more."""
    book = reverse_kit.opened(play)
    for _ in range(3):
        told = reported(book, {})
        told.balances["margin"]["BTC"] += D(more)  # type: ignore[index]
        book.feed(told)
        book.feed(Reconciled(kit.VENUE))
    return book


def look(book: Playbook, spot: dict[str, str]) -> None:
    book.feed(reported(book, spot))
    book.feed(Reconciled(kit.VENUE))


def differing(play: Play, **spot: str) -> Playbook:
    """A book with a hedge in BTC, at a venue that has been seen three times to hold something else."""
    book = play(coins=("BTC",)).scene().run()
    for _ in range(3):
        look(book, spot)
    return book


def test_what_is_accepted_is_capital_and_the_venue_is_traded_at_again(play: Play) -> None:
    book = differing(play, USDT="125.5")
    assert kit.VENUE in book.state.book.unexplained
    high, nav = book.state.book.guards.drawdown.high_usd, r05_drawdown.measure(book.state.book)
    assert high is not None
    assert nav is not None
    book >> word("125.5") << saved(Transaction, kind="capital")
    book << said("ledger.accepted", asset="USDT", amount=D("125.5"), reason="an airdrop")
    assert book.balance("equity:capital") == D("-125.5")
    assert book.state.book.guards.drawdown.high_usd == high * (nav[0] + D("125.5")) / nav[0], "no gain of the bot's"
    look(book, {})
    assert kit.VENUE not in book.state.book.unexplained


def test_nothing_is_booked_twice(play: Play) -> None:
    book = differing(play, USDT="125.5")
    book.feed(word("125.5"))
    book >> word("125.5") << silence(Persist) << said("ledger.not_accepted", amount=D("125.5"))
    assert book.balance("equity:capital") == D("-125.5")


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (word("125"), "is 125.5 USDT, not 125"),
        (word("125.5", wallet="perp"), "does not differ"),
        (word("125.5", "ETH"), "does not differ"),
        (word("125.5", wallet="position"), "not money"),
    ],
)
def test_only_the_very_amount_is_accepted(play: Play, event: AcceptDifference, why: str) -> None:
    book = differing(play, USDT="125.5")
    before = nav_usd(book.state.book)
    book >> event << silence(Persist)
    (told,) = [action for action in book.actions if isinstance(action, Emit)]
    assert (told.name, why in str(told.fields["reason"])) == ("ledger.not_accepted", True)
    assert nav_usd(book.state.book) == before


def test_a_difference_that_may_still_explain_itself_is_not_accepted(play: Play) -> None:
    book = play(coins=("BTC",)).scene().run()
    book.feed(reported(book, {"USDT": "5"}))
    book >> word("5") << silence(Persist) << said("ledger.not_accepted")


def test_coins_that_hedges_hold_cannot_be_written_off(play: Play) -> None:
    book = differing(play, BTC="-0.1")
    book >> word("-0.1", "BTC") << silence(Persist) << said("ledger.not_accepted")
    spare = differing(play, BTC="0.1")
    spare.feed(word("0.1", "BTC"))
    for _ in range(3):
        spare.feed(reported(spare, {"BTC": "-0.1"}))
    spare >> word("-0.1", "BTC") << saved(Transaction, kind="capital") << said("ledger.accepted")


def test_what_is_owed_beyond_the_books_is_owed_by_its_hedge(play: Play) -> None:
    """As for interest that was never told: it stayed owed after the hedge had ended, and bore interest for ever."""
    book = owing(play, "-0.1")
    owed, held = (leg.quantity_base for leg in book.hedge.legs)
    measured = r05_drawdown.measure(book.state.book)
    assert measured is not None
    share = 1 - measured[0] / (book.state.book.guards.drawdown.high_usd or D(1))
    book >> word("-0.1", "BTC", "margin") << saved(Transaction, kind="capital") << said("ledger.accepted")
    assert book.hedge.legs[0].quantity_base == owed - D("0.1")
    assert book.hedge.legs[0].quantity_base == book.balance("venue:binance:margin", "BTC")
    after = r05_drawdown.measure(book.state.book)
    assert after is not None
    assert 1 - after[0] / (book.state.book.guards.drawdown.high_usd or D(1)) == pytest.approx(share, abs=D("1e-6"))
    book.run(5)
    assert book.hedge.legs[0].quantity_base == pytest.approx(-held, abs=D("0.001")), "bought back at once"
    book.feed(CloseCoin("BTC", "enough"))
    book.run(20)
    assert not book.state.book.live_hedges()
    assert abs(book.balance("venue:binance:margin", "BTC")) < D("0.0001")


def test_coins_beside_a_loan_that_are_gone_are_nothing_to_its_hedge(play: Play) -> None:
    book = owing(play, "0.1")
    book.feed(word("0.1", "BTC", "margin"))
    owed = book.hedge.legs[0].quantity_base
    assert owed == book.balance("venue:binance:margin", "BTC") - D("0.1"), "they are the owner's"
    for _ in range(3):
        told = reported(book, {})
        told.balances["margin"]["BTC"] -= D("0.1")  # type: ignore[index]
        book.feed(told)
    book >> word("-0.1", "BTC", "margin") << said("ledger.accepted")
    assert book.hedge.legs[0].quantity_base == owed
