"""An unusual rate or basis is told once, and again only after it was usual."""

from dataclasses import replace
from decimal import Decimal

import market_kit as kit
from playbook import Play, Playbook, said, severity_of

from bot.domain.actions import Emit, Severity
from bot.domain.config import StrategyConfig, Universe, Unusual
from bot.domain.events import Tick

D = Decimal
NAMES = ("rate.unusual", "rate.usual", "basis.unusual", "basis.usual")


def marked(book: Playbook, *, rate: str = "0.0001", basis: str = "0", minutes: float = 1) -> Playbook:
    """A mark some market minutes later, then a tick."""
    book.wait(minutes * 60).alive()
    one = kit.mark("BTC", rate=rate, next_ms=book.market_ms + 3_600_000)
    book.feed(replace(one, mark=one.index * (1 + D(basis))))
    book.actions, book.cursor = book.feed(Tick()), 0
    return book


def told(book: Playbook) -> list[str]:
    return [each.name for each in book.actions if isinstance(each, Emit) and each.name in NAMES]


def test_a_rate_is_told_once_until_it_was_usual(play: Play) -> None:
    book = play(coins=("BTC",)).scene()
    marked(book, rate="0.0031") << said("rate.unusual", coin="BTC", rate_8h="0.310%", limit="0.300%")
    assert severity_of(book, "rate.unusual") is Severity.WARNING
    for rate in ("0.0031", "0.0029", "0.0025", "0.0050"):
        assert told(marked(book, rate=rate)) == [], f"{rate} is within the hysteresis"
    marked(book, rate="0.0020") << said("rate.usual", coin="BTC")
    assert told(marked(book, rate="0.0029")) == []
    marked(book, rate="-0.0040") << said("rate.unusual", coin="BTC", rate_8h="-0.400%")


def test_a_basis_is_told_of_its_own(play: Play) -> None:
    book = play(coins=("BTC",)).scene()
    marked(book, basis="-0.02") << said("basis.unusual", coin="BTC", basis="-2.000%", limit="1.000%")
    assert told(marked(book, basis="-0.02")) == []
    marked(book, basis="0.005") << said("basis.usual", coin="BTC")


def test_a_shorter_interval_counts_as_eight_hours(play: Play) -> None:
    book = play(coins=("BTC",)).scene()
    perp = book.state.market.instruments[kit.perp_id("BTC")]
    book.state.market.list_instruments((replace(perp, funding_interval_s=3_600),))
    book.state.market.rates.clear()
    marked(book, rate="0.0004") << said("rate.unusual", rate_8h="0.320%")


def test_a_coin_that_is_neither_held_nor_eligible_is_silent(play: Play) -> None:
    config = replace(kit.config(("BTC",)), universe=Universe(coins=("ETH",)))
    book = play(config, coins=("BTC",)).scene()
    assert told(marked(book, rate="0.01", basis="0.05")) == []


def test_the_thresholds_are_the_owners_and_a_minute_passes_between_looks(play: Play) -> None:
    strategy = StrategyConfig(unusual=Unusual(rate_8h=0.01, basis=0.05))
    book = play(kit.config(("BTC",), strategy=strategy)).scene()
    assert told(marked(book, rate="0.009", basis="0.04")) == []
    assert told(marked(book, rate="0.02", minutes=0.5)) == []
    assert told(marked(book, rate="0.02", minutes=0.6)) == ["rate.unusual"]
