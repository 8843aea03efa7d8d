"""A taped session is replayed to the same bytes; the smallest deviation is found, and the first one named."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.domain.actions import Emit, Severity
from bot.domain.config import CoreConfig, Limits
from bot.domain.time import HOUR_MS
from bot.engine import core
from bot.research import session, tape_replay
from bot.research.session import VirtualSession
from bot.research.tape_replay import Outcome
from bot.research.tape_replay import replay as run
from bot.runtime.snapshot import snapshots
from bot.simulator.market import HistoryMarket
from bot.store.tape.folder import files
from bot.store.tape.writer import TapeWriter


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four days of market time on the embedded history."""
    folder = tmp_path_factory.mktemp("tape")
    writer = TapeWriter(folder, 1 << 30, lambda *_, **__: None)
    begun: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:

        def step(state: Any, event: Any, at: Any) -> Any:
            if not begun:
                writer.begin(state)
                begun.append(state)
            actions = core.step(state, event, at)
            writer.record(event, at, snapshots(actions))
            writer.turn_ended(at.mono_ms)
            return actions

        patch.setattr(session, "step", step)
        market = HistoryMarket.embedded()
        config = CoreConfig(limits=Limits(cash_rate=0))
        virtual = VirtualSession(market, config, start_ms=market.start_ms, step_ms=HOUR_MS)
        virtual.run_until(market.start_ms + 96 * HOUR_MS)
    writer.close()
    (path,) = files(folder)
    return path


def test_every_decision_comes_out_the_same(tape: Path) -> None:
    seen: list[int] = []
    outcome = run(tape, seen.append)
    assert outcome.same
    assert outcome.same_core
    assert outcome.note is None
    assert outcome.events["Quote"] > 1_000
    assert outcome.actions["PlaceOrders"] > 30
    assert outcome.actions["Persist"] > 1_000
    assert seen, "progress is told"


def deviating(patch: pytest.MonkeyPatch, change: Callable[[Any, Any], Any]) -> None:
    patch.setattr(tape_replay, "step", lambda state, event, at: change(core.step(state, event, at), at))


def first_order(tape: Path) -> int:
    found: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        deviating(patch, lambda actions, at: _note(actions, at, found))
        run(tape)
    return found[0]


def _note(actions: Any, at: Any, found: list[int]) -> Any:
    if any(type(action).__name__ == "PlaceOrders" for action in actions):
        found.append(at.seq)
    return actions


def test_a_limit_price_one_tick_off_is_named(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = first_order(tape)

    def worse(action: Any) -> Any:
        if type(action).__name__ != "PlaceOrders":
            return action
        tick = Decimal("0.01")
        return replace(action, intents=tuple(replace(i, limit_price=i.limit_price + tick) for i in action.intents))

    deviating(monkeypatch, lambda actions, _: type(actions)(worse(each) for each in actions))
    outcome = run(tape)
    assert not outcome.same
    found = outcome.difference
    assert found is not None
    assert found.seq == expected
    assert found.taped[0] == found.replayed[0] == "PlaceOrders"
    taped, replayed = (Decimal(each[1]["intents"][0]["limit_price"]) for each in (found.taped, found.replayed))
    assert replayed - taped == Decimal("0.01")


@pytest.mark.parametrize("missing", [True, False])
def test_an_action_too_few_or_too_many_is_named(tape: Path, monkeypatch: pytest.MonkeyPatch, missing: bool) -> None:
    expected = first_order(tape)

    def other(actions: Any, at: Any) -> Any:
        if at.seq != expected:
            return actions
        return type(actions)(actions[:-1] if missing else [*actions, actions[-1]])

    deviating(monkeypatch, other)
    found = run(tape).difference
    assert found is not None
    assert found.seq == expected
    assert (found.replayed is None) is missing
    assert (found.taped is None) is not missing


def test_a_core_that_fails_in_the_replay_alone_is_named(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(actions: Any, at: Any) -> Any:
        if at.seq == 2_000:
            raise ZeroDivisionError("division by zero")
        return actions

    deviating(monkeypatch, fails)
    found = run(tape).difference
    assert found is not None
    assert found.seq == 2_000
    assert "ZeroDivisionError" in str(found.replayed)


@pytest.mark.parametrize("other", [1.0, True])
def test_what_is_equal_and_written_otherwise_is_named(
    tape: Path, monkeypatch: pytest.MonkeyPatch, other: object
) -> None:
    def told(number: object) -> Emit:
        return Emit(Severity.INFO, "a.b", {"number": number})  # type: ignore[dict-item]

    expected = first_order(tape)
    taped = tape_replay.actions_bytes([told(1)])
    real = tape_replay.TapeReader.entries

    def entries(reader: Any) -> Any:
        return (replace(each, actions=taped) if each.at.seq == expected else each for each in real(reader))

    monkeypatch.setattr(tape_replay.TapeReader, "entries", entries)
    deviating(monkeypatch, lambda actions, at: [told(other)] if at.seq == expected else actions)
    found = run(tape).difference
    assert found is not None
    assert (found.seq, found.action) == (expected, 0)
    assert (str(found.taped), str(found.replayed)) == (str(told_as(1)), str(told_as(other)))


def told_as(number: object) -> list[Any]:
    return ["Emit", {"severity": "info", "name": "a.b", "fields": {"number": number}}]


def test_another_config_decides_otherwise(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The replay is of the core's real decisions: with half the cap the first order is another."""

    class Reader(tape_replay.TapeReader):
        def __enter__(self) -> Any:
            found = super().__enter__()
            config = found.state.book.config
            found.state.book.config = replace(config, limits=replace(config.limits, per_coin_cap=Decimal("0.01")))
            return found

    monkeypatch.setattr(tape_replay, "TapeReader", Reader)
    outcome: Outcome = run(tape)
    assert outcome.difference is not None
