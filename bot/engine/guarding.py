"""Rules R4, R5 and R6 at work: what they observe, what they set off, and what of them is written down."""

from decimal import Decimal

from bot.domain.actions import CancelOrder, Reconcile
from bot.domain.books import Books
from bot.domain.events import CapitalMoved
from bot.domain.guards import Breach, Guards, Remembered
from bot.domain.hedges import Control, Hedge, HedgeState
from bot.domain.market import Mark
from bot.domain.numbers import ZERO, floor_to
from bot.domain.orders import TimeInForce
from bot.domain.valuation import USD_ASSETS, nav_usd
from bot.engine.hedging import aim
from bot.engine.state import Actions, EngineState
from bot.ledger import postings
from bot.risk.review import entry_verdicts
from bot.risk.rules import r04_spread, r05_drawdown, r06_extreme
from bot.risk.verdicts import Forced

ONE = Decimal(1)
SAVED_ANEW = Decimal("1.0005")
"""A high-water mark that is higher than the books have it by this factor is saved at once: a kill would forget a part
of R5's limits that matters."""
PRICES_RUN = Decimal(2)
"""What R6 remembers of an event in which prices run; ONE of an outage alone."""


def remember(state: EngineState, rule: str, subject: str, name: str, value: Decimal, out: Actions) -> None:
    out.persist(Remembered(rule, subject, name, value, state.book.now.market_ms))


def observe(state: EngineState, mark: Mark, out: Actions) -> None:
    """A mark into the windows of R4 and R6. Constant work."""
    r06_extreme.observe(state.book, mark)
    for back in r04_spread.observe(state.book, mark):
        instrument = state.market.instruments[mark.instrument]
        subject = _subject(instrument.venue, instrument.coin, back.direction)
        remember(state, r04_spread.RULE, subject, "held_back", ZERO, out)
        out.info("spread.back", rule=r04_spread.RULE, coin=instrument.coin, basis=round(back.now, 6))
        state.decide_due = True


def _subject(venue: str, coin: str, direction: int) -> str:
    """What R4 remembers under: `venue:coin`, with the long perpetual's direction named."""
    return f"{venue}:{coin}" if direction > 0 else f"{venue}:{coin}:{direction}"


def note_asked(state: EngineState, out: Actions) -> None:
    """Requests for a venue's truth, so that R6 knows since when one is unanswered."""
    for action in out:
        if isinstance(action, Reconcile):
            state.book.guards.extreme.asked_mono_ms.setdefault(action.venue, state.book.now.mono_ms)


def answered(state: EngineState, venue: str) -> None:
    state.book.guards.extreme.asked_mono_ms.pop(venue, None)


def watch(state: EngineState, out: Actions) -> None:
    """Once a tick: is there an extreme event, how deep is the drawdown, has a wide spread turned."""
    _watch_extreme(state, out)
    _watch_drawdown(state, out)
    _watch_spreads(state, out)


def _watch_extreme(state: EngineState, out: Actions) -> None:
    extreme, now = state.book.guards.extreme, state.book.now
    before, extreme.silent = extreme.silent, r06_extreme.silent_venues(state.book)
    if extreme.silent:
        extreme.silent_mono_ms = now.mono_ms
        if not extreme.active:
            extreme.reason = ", ".join(f"{venue}: {what}" for venue, what in sorted(extreme.silent.items()))
    if extreme.active and extreme.moved_ms is None and extreme.silent_mono_ms is None:
        # It ran before a restart: calm is counted from here. What was silent is not cut for coming back.
        extreme.moved_ms, extreme.silent_mono_ms = (now.market_ms, None) if extreme.ran else (None, now.mono_ms)
    runs = r06_extreme.runs(state.book)
    if runs and not extreme.active:
        _begin(state, out)
    elif runs and extreme.silent.keys() - before.keys():
        what = ", ".join(f"{venue}: {extreme.silent[venue]}" for venue in sorted(extreme.silent))
        out.critical("extreme.venue_out", rule=r06_extreme.RULE, reason=what, remedy="look at the venue's own status")
    elif extreme.active and not runs:
        _end(state, out)
    if extreme.active and not extreme.ran and r06_extreme.moving(state.book):
        extreme.ran = True
        remember(state, r06_extreme.RULE, "", "active", PRICES_RUN, out)


def _begin(state: EngineState, out: Actions) -> None:
    extreme = state.book.guards.extreme
    extreme.active, extreme.ran, extreme.began_ms, extreme.returning = True, False, state.book.now.market_ms, False
    extreme.cut.clear()
    remember(state, r06_extreme.RULE, "", "active", ONE, out)
    resting = [
        order
        for order in state.orders.values()
        if not order.state.ended and order.intent.time_in_force is not TimeInForce.IOC
    ]
    out.extend(CancelOrder(order.intent.client_id, order.intent.instrument) for order in resting)
    out.critical(
        "extreme.began",
        rule=r06_extreme.RULE,
        reason=extreme.reason,
        done="entries are frozen, resting orders cancelled, all but the core coins cut where both legs can be",
        cancelled=len(resting),
        keep=state.config.limits.extreme.keep,
        remedy="watch the liquidation distance; `carrybot halt` or `flatten` if you know more than the daemon",
    )


def _end(state: EngineState, out: Actions) -> None:
    """Calm: the strategy decides at once, and the widest favourable basis is refilled first."""
    extreme = state.book.guards.extreme
    for hedge_id in extreme.cut:
        remember(state, r06_extreme.RULE, hedge_id, "cut", ZERO, out)
    lasted_s = (state.book.now.market_ms - extreme.began_ms) // 1000
    extreme.active, extreme.moved_ms, extreme.silent_mono_ms = False, None, None
    extreme.returning = True
    before = extreme.left.keys()
    r06_extreme.keep_in_mind(state.book)
    for hedge_id in sorted(extreme.cut.keys() & extreme.left.keys()):
        remember(state, r06_extreme.RULE, hedge_id, "left", extreme.left[hedge_id][0], out)
    for hedge_id in sorted(before - extreme.left.keys()):
        remember(state, r06_extreme.RULE, hedge_id, "left", ZERO, out)
    extreme.cut.clear()
    remember(state, r06_extreme.RULE, "", "active", ZERO, out)
    state.decide_due = True
    out.warning(
        "extreme.ended",
        rule=r06_extreme.RULE,
        reason=extreme.reason,
        lasted_s=lasted_s,
        done="entries are open again; hedges return to target, the widest favourable basis first",
        remedy="none needed",
    )


def in_order(state: EngineState) -> list[Hedge]:
    """Live hedges in the order in which they are worked: after an extreme event the widest basis first."""
    hedges = list(state.book.live_hedges())
    if state.book.guards.extreme.returning:
        growing = [hedge for hedge in hedges if hedge.target_base > hedge.size_base]
        state.book.guards.extreme.returning = bool(growing) or state.decide_due
        hedges.sort(key=lambda hedge: -r06_extreme.favourable(state.book, hedge))
    return hedges


def _watch_drawdown(state: EngineState, out: Actions) -> None:
    _forget_entry_costs(state, out)
    changed = r05_drawdown.update(state.book)
    drawdown, limits = state.book.guards.drawdown, state.config.limits.drawdown
    if changed is not None:
        remember(state, r05_drawdown.RULE, "", "level", Decimal(int(changed)), out)
    share = round(drawdown.share if changed is None else r05_drawdown.certain_share(state.book), 6)
    if changed is Breach.SOFT:
        out.critical(
            "drawdown.soft",
            rule=r05_drawdown.RULE,
            limit=limits.soft,
            observed=share,
            high_usd=drawdown.high_usd,
            done="nothing opens, and every hedge is reduced by a step",
            remedy="look at `carrybot pnl`; entries return when NAV recovers, or with `carrybot resume`",
        )
    elif changed is Breach.NONE:
        drawdown.stepped_ms, drawdown.stepped_share = 0, ZERO
        drawdown.targets.clear()
        remember(state, r05_drawdown.RULE, "", "step", ZERO, out)
        state.decide_due = True
        out.warning("drawdown.recovered", rule=r05_drawdown.RULE, observed=share, done="entries are open again")
    high, saved = drawdown.high_usd, drawdown.saved_usd
    if high is not None and saved is not None and high >= saved * SAVED_ANEW:
        save_mark(state, out)
    if changed is not Breach.HARD and r05_drawdown.step_due(state.book):
        r05_drawdown.take_step(state.book)
        remember(state, r05_drawdown.RULE, "", "step", drawdown.stepped_share, out)


def _forget_entry_costs(state: EngineState, out: Actions) -> None:
    """A hedge ended: what it still had to bear of its entry costs is lost now."""
    costs = state.book.guards.drawdown.entry_costs
    for gone in [hedge_id for hedge_id in costs if hedge_id not in state.hedges]:
        del costs[gone]
        remember(state, r05_drawdown.RULE, gone, "entry_cost", ZERO, out)


def hard_breach(state: EngineState) -> bool:
    """Whether R5 asks for everything to be closed and the daemon is not at it yet."""
    if state.book.guards.drawdown.level is not Breach.HARD or state.wanted is Control.FLATTENING:
        return False
    return state.wanted is Control.RUNNING or any(True for _ in state.book.live_hedges())


def _watch_spreads(state: EngineState, out: Actions) -> None:
    book = state.book
    for gone in [hedge_id for hedge_id in book.guards.basis_peaks if hedge_id not in book.hedges]:
        del book.guards.basis_peaks[gone]
    if book.control is not Control.RUNNING or state.stopping or book.guards.extreme.active:
        return
    nav: Decimal | None = None
    for hedge in book.live_hedges():
        spread = book.guards.spreads_of(hedge.direction).get((hedge.venue, hedge.coin))
        pair = book.pair_of(hedge)
        if spread is None or spread.extreme is None or pair is None or hedge.state is not HedgeState.HEDGED:
            continue
        nav = nav_usd(book) if nav is None else nav
        wanted = r04_spread.addition(book, nav, hedge)
        if wanted is None:
            continue
        target = floor_to(wanted, pair.step)
        rules = [v for v in entry_verdicts(book, pair) if not v.approved and v.rule != r04_spread.RULE]
        if target <= hedge.size_base or rules:
            continue
        r04_spread.added(book, hedge, target)
        remember(state, r04_spread.RULE, _subject(hedge.venue, hedge.coin, hedge.direction), "acted", ONE, out)
        out.warning(
            "spread.turned",
            rule=r04_spread.RULE,
            coin=hedge.coin,
            hedge=hedge.id,
            extreme=round(spread.extreme, 6),
            basis=round(spread.now, 6),
            done="adding a step in the converging direction",
        )
        aim(state, hedge, target, f"{r04_spread.RULE}: added at the turn", out)


def adding(state: EngineState, hedge: Hedge) -> bool:
    """Whether R4's addition to this hedge is still being filled."""
    spread = state.book.guards.spreads_of(hedge.direction).get((hedge.venue, hedge.coin))
    return spread is not None and hedge.size_base < hedge.target_base <= spread.granted_base


def applied(state: EngineState, hedge: Hedge, change: Forced, out: Actions) -> None:
    """A forced change of R4 or R6 was applied: its cool-down and its cut must survive a restart."""
    if change.rule == r04_spread.RULE:
        r04_spread.reduced(state.book, hedge)
        subject = _subject(hedge.venue, hedge.coin, hedge.direction)
        remember(state, r04_spread.RULE, subject, "acted", ONE, out)
        remember(state, r04_spread.RULE, subject, "held_back", ONE, out)
    elif change.rule == r06_extreme.RULE:
        remember(state, r06_extreme.RULE, hedge.id, "cut", change.target_base, out)


def save_mark(state: EngineState, out: Actions) -> None:
    """The high-water mark: with each point of the NAV history, and in between when it has risen by so much."""
    high = state.book.guards.drawdown.saved_usd = state.book.guards.drawdown.high_usd
    if high is not None:
        remember(state, r05_drawdown.RULE, "", "high", high, out)


def accept_drawdown(state: EngineState, out: Actions) -> None:
    """The owner resumes: whatever was lost is accepted, and the mark starts anew."""
    drawdown = state.book.guards.drawdown
    if drawdown.level is Breach.NONE:
        return
    out.warning(
        "drawdown.accepted", rule=r05_drawdown.RULE, observed=round(drawdown.share, 6), high_usd=drawdown.high_usd
    )
    r05_drawdown.accept(state.book)
    drawdown.saved_usd = None
    for name in ("level", "step", "high"):
        remember(state, r05_drawdown.RULE, "", name, ZERO, out)


def capital_moved(state: EngineState, event: CapitalMoved, out: Actions) -> None:
    """A deposit or withdrawal, by the venue's own record: booked against the owner's equity, taken out of R5."""
    name = postings.capital_id(event.venue, event.venue_id)
    if book_capital(state, name, event, out):
        out.info("capital.moved", venue=event.venue, wallet=event.wallet, asset=event.asset, amount=event.amount)


def book_capital(state: EngineState, name: str, event: CapitalMoved, out: Actions) -> bool:
    """Book the owner's money under this transaction id and take it out of R5; False when it is booked already."""
    entries = postings.capital_entries(event.venue, event.wallet, event.asset, event.amount)
    worth_usd = r05_drawdown.worth_usd(state.book)
    transaction = state.ledger.post(name, event.at_ms, "capital", None, entries)
    if transaction is None:
        return False
    out.persist(transaction)
    if event.asset in USD_ASSETS and not event.internal:
        r05_drawdown.capital_moved(state.book, worth_usd, event.amount)
        save_mark(state, out)
    return True


def restore(books: Books, guards: Guards) -> None:
    """What the rules wrote down. Windows fill again; a running extreme event goes on until calm is seen."""
    drawdown, extreme = guards.drawdown, guards.extreme
    for one in books.remembered:
        match one.rule, one.name:
            case "R5", "high":
                drawdown.high_usd = drawdown.saved_usd = one.value
            case "R5", "level":
                drawdown.level = Breach(int(one.value))
            case "R5", "step":
                drawdown.stepped_ms, drawdown.stepped_share = one.market_ms, one.value
            case "R5", "entry_cost":
                drawdown.entry_costs[one.subject] = one.value, one.market_ms
            case "R6", "active":
                extreme.active, extreme.began_ms, extreme.reason = True, one.market_ms, "running before the restart"
                extreme.ran = one.value >= PRICES_RUN
            case "R6", "cut":
                extreme.cut[one.subject] = one.value
            case "R6", "left":
                extreme.left[one.subject] = one.value, one.market_ms
            case "R4", "acted" | "held_back":
                venue, coin, *direction = one.subject.split(":")
                spread = guards.spread_of(venue, coin, int(direction[0]) if direction else 1)
                if one.name == "held_back":
                    spread.held_back = True
                else:
                    spread.acted_ms = one.market_ms
            case _:
                pass
