"""Judges a run of the demo from the exchange's own record. Shares no code with the daemon.

Every check returns what it counted, so that a caller can print it; a violated one raises AssertionError.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from decimal import Decimal
from typing import Any

from tests.endtoend.owner import Owner

COIN_CAP = Decimal("0.05")
LEVERAGE_CEILING = Decimal(2)


def everything(owner: Owner, truth: dict[str, Any]) -> dict[str, Any]:
    """All checks that hold for any run at rest."""
    return {
        "orders": no_order_sent_twice(owner, truth),
        "receipts": receipts_agree(owner, truth),
        "assets": books_verify(owner),
        "hedges": hedges_are_flat(owner, truth),
        "worst": {name: f"{share:.4f}" for name, share in limits_were_kept(owner, truth).items()},
    }


def no_order_sent_twice(owner: Owner, truth: dict[str, Any]) -> int:
    """Each of our client ids is at most one order at the venue, has an intent in the books, and is not overfilled."""
    seen = Counter((order["book"], order["client_id"]) for order in truth["orders"])
    twice = {key: count for key, count in seen.items() if count > 1}
    assert not twice, f"sent twice: {twice}"
    intents = {row[0] for row in owner.rows("select client_id from order_intents")}
    without = [client_id for _, client_id in seen if client_id not in intents]
    assert not without, f"orders without an intent: {without[:5]}"
    over = [o for o in truth["orders"] if Decimal(o["filled"]) > Decimal(o["quantity"])]
    assert not over, f"overfilled: {over[:3]}"
    return len(seen)


def receipts_agree(owner: Owner, truth: dict[str, Any]) -> int:
    """The daemon's receipts are the venue's own, payment for payment, none missing and none invented."""
    booked = owner.asked("receipts", "--limit", "1000000")
    ours = {row["venue_id"]: (Decimal(row["payment"]), row["asset"]) for row in booked}
    assert len(ours) == len(booked), "a receipt is listed twice"
    theirs = {row["venue_id"]: (Decimal(row["payment"]), row["asset"]) for row in truth["receipts"]}
    missing, extra = theirs.keys() - ours.keys(), ours.keys() - theirs.keys()
    assert not missing, f"{len(missing)} missing of {len(theirs)}"
    assert not extra, f"{len(extra)} invented beside {len(theirs)}"
    assert ours == theirs
    return len(ours)


def books_verify(owner: Owner) -> int:
    """`ledger --verify` exits 0 with each difference exactly zero."""
    proof = owner.asked("ledger", "--verify")
    assert proof["balanced"] is True
    assert proof["assets"], "no asset was compared"
    for row in proof["assets"]:
        assert Decimal(str(row["difference"])) == 0, row
    return len(proof["assets"])


def hedges_are_flat(owner: Owner, truth: dict[str, Any]) -> int:
    """Each live hedge's coin at the venue, spot against perp, cancels within the larger lot; the books agree."""
    perp = {row["symbol"]: Decimal(row["quantity"]) for row in truth["positions"]}
    spot = {asset: Decimal(b["free"]) + Decimal(b["locked"]) for asset, b in truth["balances"]["spot"].items()}
    hedges = owner.asked("hedges")
    for hedge in hedges:
        assert hedge["state"] in ("hedged", "opening", "reducing", "closing"), hedge
        lot = truth["lots"][f"{hedge['coin']}USDT"]
        held, short = spot.get(hedge["coin"], Decimal(0)), perp.get(f"{hedge['coin']}USDT", Decimal(0))
        dust = _dust(owner, hedge["coin"])
        assert abs(held - dust + short) <= lot, f"{hedge['coin']}: spot {held} (dust {dust}) perp {short} lot {lot}"
        assert abs(Decimal(repr(hedge["imbalance_base"]))) <= lot, hedge
    coins = {hedge["coin"] for hedge in hedges}
    naked = [s for s, q in perp.items() if q and s.removesuffix("USDT") not in coins]
    assert not naked, f"positions without a hedge: {naked}"
    return len(hedges)


def _dust(owner: Owner, coin: str) -> Decimal:
    """What closed hedges of a coin left behind in the spot wallet, less than a lot each."""
    rows = owner.rows(
        "select l.quantity_base from legs l join hedges h on h.id = l.hedge_id "
        f"where h.state = 'closed' and l.kind = 'spot' and h.coin = '{coin}'"
    )
    return sum((Decimal(row[0]) for row in rows), Decimal(0))


def limits_were_kept(owner: Owner, truth: dict[str, Any]) -> dict[str, Decimal]:
    """Replays the venue's trades: after each trade that opened, the coin and the book were within R2 and R3."""
    history = [
        (int(ms), Decimal(nav)) for ms, nav in owner.rows("select market_ms, nav_usd from nav_history order by 1")
    ]
    times = [ms for ms, _ in history]
    net: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    price: dict[tuple[str, str], Decimal] = {}
    opened = {o["id"] for o in truth["orders"] if not o["reduce_only"]}
    worst = {"coin": Decimal(0), "leverage": Decimal(0)}
    for trade in truth["trades"]:
        key = trade["book"], trade["symbol"]
        net[key] += Decimal(trade["quantity"]) * (1 if trade["side"] == "BUY" else -1)
        price[key] = Decimal(trade["price"])
        grows = trade["order_id"] in opened and (trade["side"] == "BUY") == (trade["book"] == "spot")
        if not grows:
            continue
        at = bisect_right(times, int(trade["at_ms"]))
        nav = history[max(0, at - 1)][1] if history else Decimal(1_000_000)
        held = max(abs(net["spot", trade["symbol"]]), abs(net["perp", trade["symbol"]]))
        coin = held * Decimal(trade["price"])
        sides = {
            book: sum((abs(q) * price.get(k, Decimal(0)) for k, q in net.items() if k[0] == book), Decimal(0))
            for book in ("spot", "perp")
        }
        worst["coin"] = max(worst["coin"], coin / nav)
        worst["leverage"] = max(worst["leverage"], *(usd / nav for usd in sides.values()))
    assert worst["coin"] <= COIN_CAP, worst
    assert worst["leverage"] <= LEVERAGE_CEILING, worst
    return worst


def removed_by_r1(owner: Owner) -> list[str]:
    """Coins that R1 keeps out at the end: held before, closed or on the way, not opened since the removal."""
    removed = owner.rows(
        "select coin, removed_ms from coin_states where removed and direction = 1 and reason like 'R1:%'"
    )
    found = []
    for coin, removed_ms in removed:
        states = [row[0] for row in owner.rows(f"select state from hedges where coin = '{coin}' and fees_usd <> '0'")]
        opened = owner.rows(
            "select count(*) from order_intents i join hedges h on h.id = i.hedge_id "
            f"where h.coin = '{coin}' and i.purpose = 'open' and i.created_ms > {removed_ms}"
        )
        assert set(states) <= {"closed", "closing"}, (coin, states)
        assert opened == [(0,)], (coin, opened)
        if states:
            found.append(coin)
    return sorted(found)
