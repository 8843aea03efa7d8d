"""The venue's listing taken over, and what the owner is told when a market closes in which something is held,
or is not listed any more."""

from bot.domain.events import VenueListed
from bot.domain.hedges import Hedge
from bot.engine.refusals import say
from bot.engine.state import Actions, EngineState
from bot.risk.rules import r08_universe
from bot.risk.verdicts import judge


def listed(state: EngineState, event: VenueListed, out: Actions) -> None:
    held = [(hedge, leg.instrument) for hedge in state.book.live_hedges() for leg in hedge.legs if leg.quantity_base]
    traded = {name: state.market.instruments[name].trades for _, name in held if name in state.market.instruments}
    state.market.list_instruments(event.instruments)
    state.market.fees.update(event.fees)
    state.market.tiers.update(event.tiers)
    out.info("venue.listed", venue=event.venue, instruments=len(event.instruments), pairs=len(state.market.pairs))
    for hedge, name in held:
        instrument = state.market.instruments.get(name)
        if instrument is None or instrument.trades == traded.get(name, True):
            continue
        if instrument.trades:
            out.warning("market.reopened", hedge=hedge.id, coin=hedge.coin, instrument=name)
            continue
        out.critical(
            "market.closed",
            rule=r08_universe.RULE,
            hedge=hedge.id,
            coin=hedge.coin,
            instrument=name,
            done="the hedge keeps both legs; nothing opens, and what the venue takes of one is hedged again",
            remedy="if it closed for good, move or convert what is held there and close the other leg by hand",
        )


def unlisted(state: EngineState, hedge: Hedge, out: Actions) -> bool:
    """Whether the venue does not list an instrument of the hedge any more, so that nothing can be done about it."""
    missing = [leg.instrument for leg in hedge.legs if leg.instrument not in state.market.instruments]
    if missing:
        why = "the venue does not list it: this hedge cannot be traded"
        verdict = judge(r08_universe.RULE, ok=False, limit="listed", observed=missing[0], detail=why)
        if say(state, hedge.coin, r08_universe.RULE, verdict, out, hedge.id):
            out.critical(
                "hedge.unlisted",
                rule=r08_universe.RULE,
                hedge=hedge.id,
                coin=hedge.coin,
                instrument=missing[0],
                done="nothing can be traded of it here; R5 counts it at its last price",
                remedy="have it listed again (universe, rights of the key), or close both legs at the venue by hand",
            )
    return bool(missing)
