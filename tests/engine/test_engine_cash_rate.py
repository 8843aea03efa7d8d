"""R14: capital stays idle below the owner's cash rate, and the refusal is said once."""

import market_kit as kit
from playbook import Play, orders, said, saved, silence

from bot.domain.actions import VerdictGiven
from bot.domain.config import Limits
from bot.domain.events import Reconfigure, Tick


def test_a_carry_below_the_cash_rate_stays_idle_and_is_explained_once(play: Play) -> None:
    book = play(kit.config(("BTC",), limits=Limits(cash_rate=0.5))).scene(rate="0.0002")
    book >> Tick() << saved(VerdictGiven, coin="BTC", verdict__rule="R14") << said("risk.refused", rule="R14")
    book.state.decide_due = True
    book.wait(0.3).alive() >> Tick() << silence(VerdictGiven) << silence()


def test_the_same_carry_is_entered_when_cash_earns_nothing(play: Play) -> None:
    book = play(kit.config(("BTC",), limits=Limits(cash_rate=0.5))).scene(rate="0.0002")
    book >> Tick() << said("risk.refused", rule="R14") << silence()
    book.feed(Reconfigure(kit.config(("BTC",), limits=Limits(cash_rate=0))))
    book.wait(0.3).alive() >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")


def test_a_carry_that_does_not_pay_its_own_costs_is_none_of_its_business(play: Play) -> None:
    book = play(kit.config(("BTC",))).scene(rate="0.00001")
    book >> Tick() << silence(VerdictGiven) << silence()
