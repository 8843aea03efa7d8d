"""Perfect foresight against every sequence there is, and against the figures of the recorded panel."""

import itertools
import random

import pytest

from bot.research import yardstick
from bot.research.recordings import read_recordings


def _panel(seed: int, steps: int = 9) -> yardstick.Panel:
    dice = random.Random(seed)
    gain = tuple((dice.gauss(0, 0.002),) for _ in range(steps))
    known = tuple((dice.random() > 0.2,) for _ in range(steps))
    return yardstick.Panel(("X",), tuple(range(steps)), gain, known)


@pytest.mark.parametrize("seed", range(25))
def test_no_sequence_of_in_and_out_beats_foresight(seed: int) -> None:
    panel, cost = _panel(seed), 0.001
    steps = len(panel.times_ms)
    best = sum(yardstick.walk(panel, yardstick.foresight(panel, 1.0, cost), cost).earned)
    tried = []
    for states in itertools.product((0.0, 1.0), repeat=steps):
        allowed = all(not held or (t + 1 < steps and panel.known[t + 1][0]) for t, held in enumerate(states))
        if allowed:
            tried.append(sum(yardstick.walk(panel, [[held] for held in states], cost).earned))
    assert best == pytest.approx(max(tried), abs=1e-12)


def test_the_recorded_panel_gives_the_published_figures(recorded) -> None:
    panel = yardstick.panel(read_recordings(recorded))
    found = yardstick.by_year(yardstick.walk(panel, yardstick.foresight(panel, 0.05)))
    published = {2020: 0.0972, 2021: 0.2215, 2022: 0.0214, 2023: 0.0430, 2024: 0.0697}
    assert len(panel.coins) == 14
    for year, net in published.items():
        assert found[year].net == pytest.approx(net, abs=0.00006)


def test_drawdown_counts_from_the_start() -> None:
    assert yardstick.drawdown([-0.01, 0.03, -0.005, -0.01]) == pytest.approx(0.015)
    assert yardstick.drawdown([-0.02, 0.01]) == pytest.approx(0.02)
