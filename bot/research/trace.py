"""One coin of a backtest, day by day: what was held, what each part brought, and what the rules did about it."""

from datetime import UTC, datetime
from typing import Any

from bot.research.attribution import PARTS
from bot.research.backtest import Answer
from bot.research.html_page import percent
from bot.research.rule_actions import RuleAction

DUST, HELD_MIN = 1e-7, 1e-4
"""Less of NAV than these, earned and held, is what a lot size left over."""
HEADS = ("day", "held at its end", "net", *PARTS, "trades", "rules")


def trace(answer: Answer, coin: str) -> list[dict[str, Any]]:
    """Days on which the coin was held, traded or acted on. Shares are fractions of NAV; parts sum to `net`."""
    held: dict[str, float] = {}
    for at_ms, shares in answer.book.shares:
        held[_day(at_ms)] = shares.get(coin, 0.0)
    trades: dict[str, int] = {}
    for one in answer.book.trades:
        if one.coin == coin:
            trades[_day(one.at_ms)] = trades.get(_day(one.at_ms), 0) + 1
    acted: dict[str, list[RuleAction]] = {}
    for action in answer.actions:
        if action.coin == coin:
            acted.setdefault(_day(action.at_ms), []).append(action)
    rows = []
    for day, share in held.items():
        cell = answer.book.days.get((day, coin), [0.0] * len(PARTS))
        if share > HELD_MIN or any(abs(part) > DUST for part in cell) or day in trades or day in acted:
            parts = dict(zip(PARTS, cell, strict=True))
            rules = [_said(one) for one in acted.get(day, ())]
            rows.append(
                {"day": day, "held": share, "net": sum(cell), **parts, "trades": trades.get(day, 0), "rules": rules}
            )
    return rows


def trace_cells(answer: Answer, coin: str) -> list[list[str]]:
    """The rows as text, under `HEADS`."""
    return [
        [
            row["day"],
            f"{row['held']:.2%}",
            *(percent(row[key], 4) for key in ("net", *PARTS)),
            str(row["trades"] or ""),
            "; ".join(row["rules"]),
        ]
        for row in trace(answer, coin)
    ]


def _said(one: RuleAction) -> str:
    limit = f" against {one.limit}" if one.limit else ""
    at = datetime.fromtimestamp(one.at_ms / 1000, UTC)
    return f"{at:%H:%M} {one.rule} {one.event}: {one.observed}{limit}"


def _day(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d}"
