"""R4: the basis widens against a hedge: reduce with a cool-down, hold back, add at the turn, let go."""

from dataclasses import replace
from decimal import Decimal

import market_kit as kit
import pytest
from playbook import Play, Playbook, said, saved, severity_of, silence

from bot.domain.actions import Emit
from bot.domain.books import Books
from bot.domain.config import DrawdownLimits, Limits, SpreadLimits
from bot.domain.events import FeedAlive, Reconciled, Tick
from bot.domain.guards import Remembered, Spread
from bot.domain.hedges import HedgeState
from bot.domain.market import Mark
from bot.domain.orders import OrderIntent, Purpose
from bot.domain.time import HOUR_MS
from bot.engine import deciding
from bot.engine.recovery import restore
from bot.engine.state import Actions
from bot.risk.rules import r04_spread
from bot.strategy.builders import estimate
from bot.strategy.propose import Proposal

D = Decimal
NO_R5 = DrawdownLimits(soft=D("0.8"), hard=D("0.9"))
WIDE = Limits(per_coin_cap=D("0.25"), drawdown=NO_R5)


def later(book: Playbook, bps: float, market_s: float = 1.0) -> Playbook:
    """A little later both feeds and the venue speak, and the perp stands so far above the spot."""
    book.wait(0.3, market_s=market_s)
    quotes = kit.quotes("BTC", basis_bps=str(bps))
    alive = FeedAlive("binance:spot"), FeedAlive("binance:perp"), Reconciled(kit.VENUE)
    for event in (*alive, *quotes, mark(book, bps)):
        book.feed(event)
    return book


def mark(book: Playbook, bps: float) -> Mark:
    index = kit.PRICES["BTC"]
    next_ms = (book.market_ms // (8 * HOUR_MS) + 1) * 8 * HOUR_MS
    return replace(kit.mark("BTC", next_ms=next_ms), mark=index * (1 + D(str(bps)) / 10_000))


def rest(book: Playbook, bps: float) -> Playbook:
    """Ticks at this basis until the hedge is at its target."""
    for _ in range(30):
        tick(later(book, bps))
    assert book.hedge.state is HedgeState.HEDGED
    return book


def hours(book: Playbook, *bps: float) -> Playbook:
    """One hour after the other ends with these bases."""
    for one in bps:
        later(book, one, 3600)
    return book


def tick(book: Playbook) -> list[str]:
    """A tick at which every order fills; the rules that forced something."""
    actions = book.feed(Tick())
    for action in actions:
        book.serve(action)
    return [str(one.fields["rule"]) for one in actions if isinstance(one, Emit) and one.name == "risk.forced"]


def scene(play: Play, limits: Limits = WIDE, window_h: int = 40) -> Playbook:
    """A hedge of a quarter of NAV, and two calm days of basis (two bps about zero)."""
    book = play(kit.config(("BTC",), limits=limits)).scene().run(60)
    assert book.hedge.size_base > D("2.4")
    return hours(book, *([-2, 2] * (window_h // 2)))


def spread(book: Playbook) -> Spread:
    return book.state.book.guards.spreads[kit.VENUE, "BTC"]


def test_a_widening_that_is_unusual_and_costs_is_reduced_by_a_step(play: Play) -> None:
    book = scene(play)
    before = book.hedge.target_base
    (
        later(book, 60)
        >> Tick()
        << said("risk.forced", rule="R4", coin="BTC", limit="z 3 and 0.001 of NAV")
        << saved(Remembered, rule="R4", subject="binance:BTC", name="acted")
        << saved(Remembered, rule="R4", subject="binance:BTC", name="held_back", value=D(1))
        << saved(OrderIntent, purpose=Purpose.REDUCE)
    )
    book.unmet.clear()
    assert abs(book.hedge.target_base / before - D("0.75")) < D("0.01")


def test_unusual_alone_is_not_enough_nor_is_the_loss_alone(play: Play) -> None:
    book = scene(play)
    later(book, 30)
    assert (r04_spread.z_score(spread(book)) or 0) > 10
    assert tick(book) == [], "thirty bps of a quarter of NAV are less than a thousandth"
    wild = scene(play, window_h=0)
    hours(wild, *([-100, 100] * 20))
    later(wild, 0)
    assert tick(wild) == []
    later(wild, 60)
    assert (r04_spread.z_score(spread(wild)) or 9) < 1
    assert tick(wild) == []


def test_a_basis_that_moves_in_our_favour_is_left_alone(play: Play) -> None:
    book = scene(play)
    for bps in (-100, -500, -2000, -2391):
        later(book, bps)
        assert tick(book) == []


def test_a_cool_down_and_a_further_loss_are_needed_for_the_next_step(play: Play) -> None:
    book = scene(play)
    later(book, 60)
    assert tick(book) == ["R4"]
    later(book, 130)
    assert tick(book) == [], "the cool-down runs on market time"
    later(book, 130, 3700)
    assert tick(book) == ["R4"]
    rest(book, 131)
    later(book, 131, 3700)
    assert tick(book) == [], "cooled down, but nothing more was lost"


def test_what_was_reduced_is_not_filled_up_until_the_spread_is_back(play: Play) -> None:
    book = scene(play)
    later(book, 60)
    tick(book)
    rest(book, 60)
    left = book.hedge.target_base
    later(book, 55, 5 * 3600) >> Tick() << silence()
    assert book.state.refusals["BTC", "entry"] == "R4"
    assert book.hedge.target_base == left
    book.wait(0.3) >> mark(book, 0) << saved(Remembered, name="held_back", value=D(0)) << said("spread.back")
    book.run(20)
    assert book.hedge.target_base > left * D("1.2"), "the strategy fills it up again"


def test_it_adds_at_the_turn_by_a_step_and_not_before(play: Play) -> None:
    book = scene(play)
    later(book, 60)
    tick(book)
    later(book, 150, 3700)
    tick(book)
    rest(book, 150)
    left = book.hedge.target_base
    later(book, 140, 3700) >> Tick() << silence()
    assert severity_of(book, "spread.turned") is None, "not come off its extreme by a fifth"
    (
        later(book, 110)
        >> Tick()
        << said("spread.turned", rule="R4", coin="BTC")
        << said("hedge.aimed", reason="R4: added at the turn")
        << saved(OrderIntent, purpose=Purpose.OPEN)
    )
    assert abs(book.hedge.target_base / left - D("1.25")) < D("0.01")
    book.unmet.clear()


def test_an_addition_stays_within_the_coins_cap_and_the_liquidation_distance(play: Play) -> None:
    book = scene(play)
    found = spread(book)
    later(book, 150)
    tick(book)
    rest(book, 150)
    later(book, 100, 3700)
    hedge = book.hedge
    nav = D(1_000_000)
    wanted = r04_spread.addition(book.state.book, nav, hedge)
    assert wanted is not None
    assert wanted <= hedge.size_base * D("1.25")
    book.state.book.config = kit.config(("BTC",), limits=Limits(per_coin_cap=D("0.1")))
    assert r04_spread.addition(book.state.book, nav, hedge) is None
    assert found.extreme is not None


def test_a_young_window_needs_twice_the_loss(play: Play) -> None:
    book = scene(play, window_h=0)
    later(book, 60)
    assert tick(book) == []
    later(book, 120)
    assert tick(book) == ["R4"]


def test_cool_down_and_hold_survive_a_restart(play: Play) -> None:
    before = scene(play)
    memory = [
        Remembered("R4", "binance:BTC", "acted", D(1), before.market_ms),
        Remembered("R4", "binance:BTC", "held_back", D(1), before.market_ms),
    ]
    state = restore(Books(epoch=2, hedges=[before.hedge], remembered=memory), before.config)
    found = state.book.guards.spreads["binance", "BTC"]
    assert (found.held_back, found.acted_ms) == (True, before.market_ms)
    assert not r04_spread.check(state.book, "binance", "BTC").approved


def test_the_window_forgets(play: Play) -> None:
    book = scene(play, Limits(per_coin_cap=D("0.25"), drawdown=NO_R5, spread=SpreadLimits(window_h=24)), window_h=0)
    hours(book, *([400] * 10), *([0] * 30))
    assert len(spread(book).moments.samples) <= 25
    assert spread(book).moments.mean_and_deviation()[0] < 1e-9
    assert book.market_ms // HOUR_MS - spread(book).moments.samples[0][0] <= 24


def test_the_strategy_does_not_take_back_what_the_rule_demands(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one tick R4 reduces a hedge by a quarter, and the book gives up a tenth of it."""
    book = play(kit.config(("BTC",))).scene().run()
    hedge, pair = book.hedge, book.state.market.pairs[kit.VENUE, "BTC"]
    asked = hedge.size_base * D("0.75")
    for share, aimed in (("0.9", asked), ("0.5", hedge.size_base * D("0.5"))):
        hedge.target_base = asked
        found = estimate(book.state.book, pair, 0.0)
        assert found is not None
        proposal = Proposal(pair, hedge.size_base * D(share), True, "too much", found)
        monkeypatch.setattr(deciding, "propose", lambda *_, given=proposal: [given])
        deciding.decide(book.state, D(1_000_000), Actions())
        assert hedge.target_base == aimed
