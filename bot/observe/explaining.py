"""`explain` and `scan` as JSON-ready values. Rates and shares are fractions; names end in what they are."""

from decimal import Decimal

from bot.domain.actions import Verdict, VerdictGiven
from bot.engine.explain import Explanation, ScanRow
from bot.observe.views import View, exact, iso, number

RULE_NAMES = {
    "R1": "negative funding days",
    "R1b": "re-admission",
    "R1c": "funding stop",
    "R2": "coin cap",
    "R3": "leverage ceiling",
    "R4": "spread widening",
    "R5": "drawdown",
    "R6": "extreme event",
    "R7": "liquidation distance",
    "R8": "universe and liquidity",
    "R9": "borrow",
    "R10": "leg imbalance",
    "R11": "stale data",
    "R12": "expected receipt",
    "R13": "venue cap",
    "R14": "cash rate",
    "R15": "switch",
    "budget": "orders and fees an hour",
    "sanity": "reducing orders",
}


def verdict_view(verdict: Verdict) -> View:
    return {
        "rule": verdict.rule,
        "name": RULE_NAMES.get(verdict.rule, ""),
        "approved": verdict.approved,
        "limit": verdict.limit,
        "observed": verdict.observed,
        "detail": verdict.detail,
    }


def given_view(given: VerdictGiven) -> View:
    """A refusal or forced action out of the books."""
    return {"at": iso(given.market_ms), "hedge": given.hedge_id, "coin": given.coin, **verdict_view(given.verdict)}


def explanation_view(found: Explanation, market_ms: int) -> View:
    hedge = found.hedge
    return {
        "coin": found.coin,
        "venue": found.venue,
        "strategy": found.strategy,
        "market_time": iso(market_ms),
        "held": None
        if hedge is None
        else {
            "hedge": hedge.id,
            "state": hedge.state.value,
            "notional_usd": number(found.held_usd),
            "size_base": exact(hedge.size_base),
            "target_base": exact(hedge.target_base),
            "reason": hedge.reason,
            "opened_at": iso(hedge.opened_ms),
            "funding_usd": number(hedge.funding_usd),
        },
        "cap_usd": number(found.cap_usd),
        "waterfall": {name: number(value) for name, value in found.waterfall.items()},
        "hurdle": found.hurdle,
        "estimate_missing": found.estimate_missing,
        "verdicts": [verdict_view(each) for each in found.verdicts],
        "forced": [
            {
                "rule": each.rule,
                "limit": each.limit,
                "observed": each.observed,
                "target_base": exact(each.target_base),
                "reason": each.reason,
            }
            for each in found.forced
        ],
        "proposal": None
        if found.target_base is None
        else {"target_base": exact(found.target_base), "reason": found.proposal},
        "to_enter": list(found.to_enter),
        "to_leave": list(found.to_leave),
    }


def scan_view(row: ScanRow) -> View:
    figures: dict[str, Decimal | float | None] = {
        "held_usd": row.held_usd,
        "apr": row.apr,
        "funding": row.funding,
        "basis": row.basis,
        "cost": row.cost,
        "net": row.net,
        "volume_usd": row.volume_usd,
        "depth_usd": row.depth_usd,
        "open_interest_usd": row.open_interest_usd,
    }
    return {
        "coin": row.coin,
        "venue": row.venue,
        **{name: number(value) for name, value in figures.items()},
        "verdict": row.verdict,
        "reason": row.reason,
    }
