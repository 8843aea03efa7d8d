"""`explain` and `scan`: the functions that decide, asked for their reasons, and nothing is changed by asking."""

import copy
from dataclasses import replace
from decimal import Decimal

import market_kit as kit
import pytest
from playbook import Play, Playbook

from bot.domain.config import Universe
from bot.domain.events import Halt
from bot.engine.explain import Explanation, explain, figures, scan
from bot.risk.rules import r01_negative_funding as r01
from bot.strategy.carry import estimate

COINS = ("BTC", "ETH", "PEPE")


def asked(book: Playbook, coin: str = "BTC") -> Explanation:
    return explain(book.state, book.state.market.pairs[kit.VENUE, coin])


def refused(found: Explanation) -> set[str]:
    return {each.rule for each in found.verdicts if not each.approved}


def test_a_coin_that_pays_is_proposed_and_nothing_stands_in_its_way(play: Play) -> None:
    found = asked(play().scene())
    assert found.hedge is None
    assert refused(found) == set()
    assert {"R15", "R10", "R1", "R8", "R11", "R2", "R3", "R7"} <= {each.rule for each in found.verdicts}
    assert found.target_base == Decimal("0.49")
    assert found.to_enter == ()
    assert found.to_leave == ()


def test_the_waterfall_is_the_estimate_itself(play: Play) -> None:
    book = play().scene()
    pair = book.state.market.pairs[kit.VENUE, "BTC"]
    made = estimate(book.state.book, pair, 50_000.0)
    assert made is not None
    found = asked(book).waterfall
    assert found == figures(made)
    assert found["held"] == pytest.approx(found["funding"] + found["basis"])
    assert found["new"] == pytest.approx(found["held"] - found["open_cost"])


def test_a_rate_that_does_not_pay_says_what_rate_would(play: Play) -> None:
    book = play().scene(rate="-0.0002")
    found = asked(book)
    assert found.target_base is None
    (sentence,) = (each for each in found.to_enter if "entering is worth" in each)
    wanted = float(sentence.split("run at ")[1].split("%")[0]) / 100
    better = play().scene(rate=f"{wanted / 365 / 3 + 0.00001:.8f}")
    assert asked(better).waterfall["new"] > found.hurdle, "at the rate that it names, entering pays"


def test_a_held_coin_says_what_would_make_it_leave(play: Play) -> None:
    book = play().scene().run()
    found = asked(book)
    assert found.hedge is not None
    assert found.held_usd > 40_000
    assert refused(found) == {"R2"}, "one more slice would break the cap"
    said = "\n".join(found.to_leave)
    assert "carry: holding is worth" in said
    assert "R1: 5 days of negative funding in a row; 0 so far" in said
    assert "R1c: 1.00% of notional paid within 48 h; 0.0000%" in said


def test_every_rule_has_its_say_also_those_that_pass(play: Play) -> None:
    for book in (play().scene(), play().scene().run()):
        said = {verdict.rule for verdict in asked(book).verdicts}
        assert {f"R{number}" for number in range(1, 16)} - {"R9"} <= said, "R9 is the reverse carry's"
        assert {"R1b", "R1c"} <= said


def test_a_removed_coin_says_how_many_days_bring_it_back(play: Play) -> None:
    book = play().scene()
    removal = r01.removal_of(book.state.book, kit.VENUE, "BTC")
    removal.positive_days = 1
    removal.removed, removal.reason = True, "R1: 5 days of negative funding"
    why = "R1: 5 days of negative funding"
    assert f"R1b: 1 positive days, the limit is 3 positive days ({why})" in asked(book).to_enter


def test_a_coin_that_pays_less_than_cash_says_so(play: Play) -> None:
    book = play().scene()
    held = book.state.book.config
    book.state.book.config = replace(held, limits=replace(held.limits, cash_rate=1.0))
    assert "R14" in refused(asked(book))
    assert any(one.startswith("R14: ") for one in asked(book).to_enter)


def test_a_drifted_coin_is_forced_now(play: Play) -> None:
    book = play().scene().run()
    held = book.state.book.config
    book.state.book.config = replace(held, limits=replace(held.limits, per_coin_cap=Decimal("0.01")))
    found = asked(book)
    assert [each.rule for each in found.forced] == ["R2"]
    assert found.to_leave[0].startswith("now, by R2: ")


def test_refusals_name_rule_limit_and_observation(play: Play) -> None:
    book = play().scene()
    book.feed(Halt("a test"))
    config = book.state.book.config
    book.state.book.config = replace(config, universe=Universe(exclude=("BTC",)))
    found = asked(book)
    assert {"R15", "R8"} <= refused(found)
    assert "R15: halted, the limit is running" in found.to_enter
    assert "R8: BTC, the limit is universe.exclude (excluded by the owner)" in found.to_enter


def test_without_history_or_prices_it_says_what_is_missing(play: Play) -> None:
    book = play()
    book.feed(kit.listing(("BTC",)))
    found = asked(book)
    assert found.waterfall == {}
    assert found.estimate_missing.startswith("no quote of binance:BTCUSDT:spot")
    for quote in kit.quotes("BTC"):
        book.feed(quote)
    assert asked(book).estimate_missing == "no settled funding rates yet"
    for rate in kit.history("BTC", kit.START_MS, days=2):
        book.feed(rate)
    assert asked(book).estimate_missing == "1.7 days of settled rates, 5 are needed"


def test_the_scan_ranks_by_net_carry_and_gives_reasons(play: Play) -> None:
    book = play(coins=COINS).scene()
    for one in kit.liquidity("ETH", depth_usd=5.0):
        book.feed(one)
    now = book.state.market.marks[kit.perp_id("PEPE")]
    book.feed(replace(now, mark=now.index * Decimal("0.97")))
    rows = {row.coin: row for row in scan(book.state)}
    assert scan(book.state)[0].coin == "BTC"
    assert rows["BTC"].verdict == "enter"
    assert rows["ETH"].verdict == "excluded"
    assert rows["ETH"].reason == "R8: 5, the limit is 20000 (depth within 10 bps of binance:ETHUSDT:spot in USD)"
    assert rows["PEPE"].verdict == "stays out"
    assert rows["PEPE"].reason == "does not pay for its cost"
    nets = [row.net for row in scan(book.state) if row.net is not None]
    assert nets == sorted(nets, reverse=True)


def test_asking_changes_nothing(play: Play) -> None:
    book = play(coins=COINS).scene().run()
    before = copy.deepcopy(book.state)
    scan(book.state)
    for coin in COINS:
        asked(book, coin)
    assert before == book.state
