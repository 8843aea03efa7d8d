"""Words for what happens in trading: orders, hedges, the market, the rules, loans."""

from bot.observe.words import NOTHING, Wording

ORDERS = {
    "order.unknown": Wording(
        "The venue did not say what became of order {client_id}: {reason}.",
        "Its hedge sends nothing more; the order is asked for by its id until the venue tells.",
        "If this stands for minutes, look for the order on the venue's page and at its status page.",
    ),
    "order.rejected": Wording(
        "Order {client_id} was refused: {reason}.",
        "What the other leg filled is completed or unwound.",
        "If the same reason comes again, put it right: balance, minimum, key rights, account mode, a slow disk.",
    ),
    "order.never_sent": Wording(
        "Order {client_id} of {instrument} never reached the venue, by two of its views.",
        "It counts as not sent, and its hedge goes on from what is held.",
        NOTHING,
    ),
    "orders.foreign": Wording(
        "There are {count} open orders at {venue} that are not the daemon's: {orders}.",
        "They were left alone.",
        "Cancel them, or give the daemon an account of its own: their fills would move its balances.",
    ),
    "orders.foreign_unknown": Wording(
        "Whether foreign orders are open at {venue} could not be found out: {reason}.",
        "The start went on; an order that is not the daemon's is never touched.",
        "See on the venue's page that the account has no open orders of others.",
    ),
    "venue.foreign_order": Wording(
        "An order that is not the daemon's was seen at the venue.",
        "It was left alone.",
        "Give the daemon an account of its own: foreign fills move the balances that it reasons about.",
    ),
    "venue.foreign_position": Wording(
        "The account holds a position that the daemon did not open.",
        "It was left alone and is not hedged.",
        "Close it, or give the daemon an account of its own.",
    ),
    "dispatch.full": Wording(
        "Too many requests wait for the venue ({tasks}): {dropped} was not sent.",
        "Its outcome counts as unknown and is asked for.",
        "Look at the venue's latency and at the machine's load; `carrybot halt` if it goes on.",
    ),
    "dispatch.failed": Wording(
        "Request {request} failed in the daemon itself: {reason}.",
        "Its outcome counts as unknown and is asked for.",
        "This is a defect: keep the log and report it.",
    ),
    "fill.foreign": Wording(
        "A fill of {instrument} ({quantity}) belongs to no order of the daemon ({client_id}).",
        "It was booked as foreign, so that the ledger agrees with the venue.",
        "Do not trade on the daemon's account; if you did not, change the API keys.",
    ),
    "fill.unexpected": Wording(
        "Hedge {hedge} ({coin}) got a fill of an order that the books do not have ({client_id}).",
        "It was booked, and the hedge is brought into balance again.",
        "Look whether another carrybot trades this account; `carrybot ledger --verify` compares the books.",
    ),
    "fill.unlisted": Wording(
        "A fill of {instrument} (trade {trade_id}) came in, which is not in the venue's list of instruments.",
        "It could not be booked; the venue's balances will differ from the ledger and nothing will open there.",
        "Look at the venue whether {instrument} was renamed or delisted, and close what is left by hand.",
    ),
}

HEDGES = {
    "hedge.quarantined": Wording(
        "Hedge {hedge} ({coin}) holds an order whose outcome is unknown.",
        "Nothing is sent for it until the venue tells what became of the order.",
        "If this stands for minutes, compare both legs on the venue's page with `carrybot hedges`.",
    ),
    "hedge.unknown": Wording(
        "For {waited_s} s the venue has not told what became of {orders} of hedge {hedge} ({coin}), which is out of "
        "balance by {unhedged_usd} USD in the books and may be by more.",
        "Nothing is sent for it before the venue tells (rule {rule}); it is asked again and again.",
        "Compare both legs on the venue's page with `carrybot hedges`; if one is missing, close the other by hand.",
    ),
    "hedge.stuck": Wording(
        "Hedge {hedge} ({coin}) is out of balance by {unhedged_usd} USD for longer than rule {rule} allows.",
        "The daemon goes on to unwind the larger leg, more and more slowly.",
        "If this does not end, close the larger leg at the venue by hand and run `carrybot ledger --verify`.",
    ),
    "hedge.undone": Wording(
        "One leg of hedge {hedge} ({coin}) did not fill, so its entry was undone (rule {rule}, attempt {attempt}).",
        "The leg that filled was sold back, and the next entry waits {wait_s} s.",
        "If it comes again, look why the venue does not fill the other leg, or exclude {coin}.",
    ),
    "hedge.held_up": Wording(
        "Hedge {hedge} ({coin}) is to be made smaller, but {touch} is offered for what the venue values at {told}.",
        "It keeps both legs until the book is there again, {wait_s} s at most, or until liquidation is near.",
        "Nothing, or close both legs by hand if you want to be out at that price.",
    ),
    "hedge.no_market": Wording(
        "Hedge {hedge} ({coin}) is to be made smaller, but a side of the book is empty: {observed}.",
        "It keeps both legs until somebody is there to trade with, however long that takes.",
        "Look at the venue's page; if its market does not come back, close both legs by hand.",
    ),
    "hedge.unlisted": Wording(
        "The venue's listing does not have {instrument}, of which hedge {hedge} ({coin}) holds a part.",
        "Nothing of it can be traded here; rule R5 counts it at its last price, and both legs stay as they are.",
        "See to it that it is listed again (universe, rights of the key), or close both legs at the venue by hand.",
    ),
    "market.closed": Wording(
        "The venue takes no orders in {instrument} any more, in which hedge {hedge} ({coin}) is held.",
        "The hedge keeps both legs; nothing opens, and what the venue takes of one is hedged again.",
        "If the market closed for good, move or convert what is held there and close the other leg by hand.",
    ),
    "hedge.coins_gone": Wording(
        "Hedge {hedge} ({coin}) held {quantity_base} {coin} that have left the wallet, by you or by your word.",
        "The hedge holds them no more: its perpetual is brought down to the coins that are left.",
        "Nothing needs to be done; what became of the coins lies in your wallet and is yours.",
    ),
    "market.reopened": Wording(
        "{instrument} trades again (hedge {hedge}, {coin}).", "The hedge is managed again.", NOTHING
    ),
    "position.taken": Wording(
        "The venue closed a position of hedge {hedge} ({coin}): liquidation, deleveraging or delisting.",
        "The other leg is being closed, and the coin stays out.",
        "Look at the margin and the liquidation distance of the other hedges with `carrybot status`.",
    ),
    "liquidation.charged": Wording(
        "{venue} booked {amount} {asset} for a liquidation (hedge {hedge}).",
        "It is booked as a fee of the hedge; `foreign` stands for a charge that names no position of ours.",
        NOTHING,
    ),
    "risk.forced": Wording(
        "Rule {rule} demands a smaller hedge in {coin}: {observed} against a limit of {limit}.",
        "Both legs of hedge {hedge} are being reduced together.",
        "`carrybot explain {coin}` says why; edit the limit only if you mean it.",
    ),
    "coin.removed": Wording(
        "{coin} was removed at {venue} by rule {rule} ({observed}).",
        "Its hedge is being closed, and the coin stays out until its funding days bring it back.",
        "Nothing needs to be done; `carrybot readmit {coin}` brings it back at once.",
    ),
    "coin.readmitted": Wording("{coin} may be entered again (rule {rule}).", "It is a candidate again.", NOTHING),
    "margin.refused": Wording(
        "A transfer of margin ({transfer}) was refused or failed: {reason}.",
        "Rule R7 does not count on the next one, and reduces both legs where the distance is too small.",
        "See that the key may transfer between wallets; move margin to the futures wallet by hand if needed.",
    ),
    "margin.unknown": Wording(
        "A transfer of margin ({transfer}) got no answer: {reason}.",
        "It is not repeated until the venue's history shows whether it happened.",
        "If it stands for minutes, compare the wallets on the venue's page.",
    ),
    "funding.missing": Wording(
        "The funding of {instrument} was settled and no receipt came in time.",
        "The venue's history is asked for, and the balances are compared.",
        "If a payment is missing on the venue's page too, ask the venue; else `carrybot ledger --verify`.",
    ),
}

MARKET = {
    "rate.unusual": Wording(
        "The predicted funding of {coin} at {venue} is {rate_8h} per 8 hours; {limit} is unusual.",
        "Nothing by itself: it enters the coin's estimate, and R1c closes a hedge that would pay too much.",
        "`carrybot explain {coin}` says what the daemon makes of it.",
    ),
    "basis.unusual": Wording(
        "The perpetual of {coin} at {venue} is {basis} away from the index ({mark} to {index}); {limit} is unusual.",
        "Nothing by itself: it enters the coin's estimate, and R4 watches the hedges.",
        "`carrybot explain {coin}` says what the daemon makes of it.",
    ),
}

RULES = {
    "extreme.began": Wording(
        "An extreme event began (rule R6): {reason}.",
        "Entries are frozen, {cancelled} resting orders cancelled, and all but the core coins are cut to {keep} of "
        "themselves, both legs together where both can be.",
        "Watch the liquidation distance in `carrybot status`; `carrybot halt` or `flatten` if you know more.",
    ),
    "extreme.venue_out": Wording(
        "Another venue fell silent during the extreme event (rule R6): {reason}.",
        "A hedge with a leg there is not cut on the other leg alone, unless liquidation is near.",
        "Look at the venue's own status page and at the margin there.",
    ),
    "extreme.ended": Wording(
        "The extreme event is over (rule R6): {reason}. It lasted {lasted_s} s of market time.",
        "Entries are open again, and hedges return to their targets, the widest favourable basis first.",
        NOTHING,
    ),
    "drawdown.soft": Wording(
        "NAV is {observed} below its high-water mark of {high_usd} USD: the soft limit of rule R5 is {limit}.",
        "Nothing opens, and every hedge is reduced by a step.",
        "Look at `carrybot pnl`. Entries return when NAV recovers, or with `carrybot resume`: it accepts the loss.",
    ),
    "drawdown.hard": Wording(
        "NAV is {observed} below its high-water mark of {high_usd} USD: the hard limit of rule R5 is {limit}.",
        "Every hedge is being closed; then the daemon stays halted.",
        "Find out what was lost with `carrybot pnl`; `carrybot resume` accepts it and starts a new mark.",
    ),
    "drawdown.recovered": Wording(
        "NAV has recovered: it is {observed} below its high-water mark (rule R5).", "Entries are open again.", NOTHING
    ),
    "drawdown.accepted": Wording(
        "You accepted a drawdown of {observed} from {high_usd} USD (rule R5).",
        "The high-water mark starts anew from today's NAV.",
        NOTHING,
    ),
    "spread.turned": Wording(
        "The spread of {coin} has turned from its extreme of {extreme} to {basis} (rule R4).",
        "A step is added to hedge {hedge} in the converging direction, within the caps.",
        NOTHING,
    ),
}

LOANS = {
    "borrow.rate_high": Wording(
        "Borrowing {coin} for hedge {hedge} costs {observed} a year, beyond the alarm of {limit}.",
        "The hedge is closed as soon as the loan costs more than the funding brings.",
        "Run `carrybot explain {coin}`; `carrybot close {coin}` ends it now.",
    ),
    "borrow.terms_lost": Wording(
        "The venue has not said for {observed} s what borrowing {coin} costs (hedge {hedge}).",
        "The hedge is kept; a rate beyond the alarm would not be noticed until the venue answers.",
        "Look at the venue's page for the rate; `carrybot close {coin}` ends the hedge.",
    ),
    "collateral.cut": Wording(
        "{venue} counts {asset} behind loans at {ratio} of its worth instead of {before}: the margin wallet's "
        "liquidation distance is {observed} (rule R7).",
        "More collateral is moved there; below the minimum distance loans are paid back, both legs together.",
        "Bring {asset} into the account if the distance stays short; `carrybot close COIN` ends a loan now.",
    ),
    "loan.recalled": Wording(
        "The venue wants back what it lent of {coin} (hedge {hedge}): {reason}.",
        "The coin is bought back and repaid and its perpetual closed together; it is not borrowed again for now.",
        "If the hedge is still open at the deadline the venue buys back itself: look at `carrybot hedges`.",
    ),
}
