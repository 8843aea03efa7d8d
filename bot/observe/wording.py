"""What each event means to the owner: what happened, what the daemon did, what the owner should do.

Every event that the engine, the shell or a venue emits as a warning or worse has an entry (a test looks). Events that
are emitted as information have one when a channel may want to hear of them. `{field}` is a field of the event.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from bot.domain.actions import Emit
from bot.domain.numbers import text

VALUE_CHARS_MAX = 500
NOTHING = "Nothing needs to be done."


@dataclass(frozen=True, slots=True)
class Wording:
    """Three sentences, each ended by a full stop."""

    happened: str
    did: str
    todo: str


@dataclass(frozen=True, slots=True)
class Said:
    """The sentences of one event with its values in them."""

    happened: str
    did: str
    todo: str

    @property
    def text(self) -> str:
        return f"{self.happened} {self.did} {self.todo}"


ORDERS = {
    "order.unknown": Wording(
        "The venue did not say what became of order {client_id}: {reason}.",
        "Its hedge sends nothing more; the order is asked for by its id until the venue tells.",
        "If this stands for minutes, look for the order on the venue's page and at its status page.",
    ),
    "order.rejected": Wording(
        "The venue refused order {client_id}: {reason}.",
        "What the other leg filled is completed or unwound.",
        "If the same reason comes again, put its cause right: balance, minimum size, key rights or account mode.",
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
    "position.taken": Wording(
        "The venue closed a position of hedge {hedge} ({coin}): liquidation, deleveraging or delisting.",
        "The other leg is being closed, and the coin stays out.",
        "Look at the margin and the liquidation distance of the other hedges with `carrybot status`.",
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
    "loan.recalled": Wording(
        "The venue wants back what it lent of {coin} (hedge {hedge}): {reason}.",
        "The coin is bought back and repaid and its perpetual closed together; it is not borrowed again for now.",
        "If the hedge is still open at the deadline the venue buys back itself: look at `carrybot hedges`.",
    ),
}

BOOKS = {
    "ledger.difference": Wording(
        "The balance of {asset} in {venue} {wallet} is {venue_less_ledger} off the ledger.",
        "The difference is kept as it is; while it stands, nothing opens at {venue}.",
        "Run `carrybot ledger --verify`. Deposits and withdrawals were looked for: a trade by hand is most likely.",
    ),
    "venue.unexplained": Wording(
        "The balances at {venue} differ from the ledger for sure.",
        "Nothing opens there until the difference is explained; what reduces goes on.",
        "Run `carrybot ledger --verify`. Deposits and withdrawals were looked for: a trade by hand is most likely.",
    ),
    "venue.short": Wording(
        "{venue} refused an order for want of money that the books say is there.",
        "Nothing opens there until its balances were fetched and agree; what had filled is taken back.",
        "Nothing, if you have just withdrawn: it is found and booked. Else see that margin is not used by hand.",
    ),
    "capital.moved": Wording(
        "{amount} {asset} came into (or, negative, left) {venue} {wallet}, by the venue's own record.",
        "It was booked as the owner's capital and taken out of the drawdown.",
        "Nothing, if it was you. If not, secure the account.",
    ),
    "paper.not_saved": Wording(
        "The paper account at {venue} could not be written to {file}: {reason}.",
        "Orders count as unknown until it can be.",
        "Free the disk or repair the file.",
    ),
    "paper.funding_untold": Wording(
        "{venue} has not told what {instrument} settled at, for a day.",
        "The paper account is not charged for it.",
        "Nothing, if the instrument was delisted.",
    ),
    "venue.explained": Wording(
        "The balances at {venue} agree with the ledger again.", "Opening there is allowed again.", NOTHING
    ),
    "store.failed": Wording(
        "The database refused a commit: {reason}.",
        "The daemon halted; nothing that opens, closes or moves margin is sent, because nothing could be recorded.",
        "Free the disk or repair the database, then `carrybot resume`. Until then hedges are not managed.",
    ),
    "store.recovered": Wording(
        "The database accepts commits again; {records} records that waited were written.",
        "The daemon is still halted.",
        "Look at `carrybot status`, then `carrybot resume`.",
    ),
}

VENUES = {
    "feed.lost": Wording(
        "The feed {feed} was lost: {reason}.",
        "Nothing opens there until it lives again and the venue's truth has been fetched.",
        "Nothing, if it returns within minutes; else look at the network and the venue's status page.",
    ),
    "venue.stream_lost": Wording(
        "The connection {line} was lost: {reason}.",
        "It is being made again.",
        "Nothing, unless it comes back every few minutes: then look at the network.",
    ),
    "venue.frame_malformed": Wording(
        "The venue sent data on {line} that cannot be read: {error}.",
        "It was left out; {count} so far.",
        "If it goes on, the venue has changed its format: look for a newer carrybot.",
    ),
    "venue.unreachable": Wording(
        "{venue} could not be reached at start (attempt {attempt}): {reason}.",
        "It is tried again, a few times.",
        "Look at the network, the keys and the venue's status page; `carrybot check` tells more.",
    ),
    "venue.clock_not_measured": Wording(
        "The venue's clock could not be measured: {error}.",
        "The last measurement is used, and it is tried again.",
        "Nothing, unless it goes on: then see that NTP sets this machine's clock.",
    ),
    "venue.listen_key_not_extended": Wording(
        "The private stream's key could not be extended: {error}.",
        "It is tried again; the account is compared at every reconciliation anyway.",
        NOTHING,
    ),
    "venue.instrument_left_out": Wording(
        "An instrument of the venue was left out, because its price contradicts its name.",
        "It is not traded.",
        "Nothing, unless it is one that you hold.",
    ),
    "fetch.failed": Wording(
        "{what} could not be fetched from the venue for several times: {reason}.",
        "It is tried again with growing pauses; what it would tell is not acted on meanwhile.",
        "Look at the network and the venue's status page if this goes on.",
    ),
    "reconcile.failed": Wording(
        "The account at {venue} could not be compared with the books: {reason}.",
        "It is tried again; until it succeeds after a loss of connection, nothing opens there.",
        "Look at the network and the venue's status page if this goes on.",
    ),
}

DAEMON = {
    "daemon.running": Wording("The daemon is running.", "It manages its hedges.", NOTHING),
    "daemon.stopping": Wording("The daemon is stopping.", "What is in flight comes home first.", NOTHING),
    "daemon.stopped": Wording(
        "The daemon stopped with {orders_unsettled} orders whose outcome is not known and {hedges} hedges held.",
        "Nothing is managed while it is down; its next start asks for these orders first.",
        "Start it again soon, or close the hedges at the venue.",
    ),
    "daemon.failed": Wording(
        "The daemon ended by an error: {reason}.",
        "Nothing is managed until it runs again; its next start recovers from the books and the venue.",
        "Start it again and look at the log; if it cannot run, close both legs of each hedge at the venue.",
    ),
    "task.died": Wording(
        "Part {task} of the daemon died: {reason}.",
        "It was started again ({restarts} so far); after too many the daemon ends.",
        "Keep the log and report it; see that the service manager restarts the daemon.",
    ),
    "inbox.overflowed": Wording(
        "{events} events were refused, because the daemon could not keep up.",
        "It halted and reconciles with the venue.",
        "Look for a stalled machine or database, then `carrybot resume`.",
    ),
    "port.taken": Wording(
        "The {what} port {wanted} is taken.",
        "Port {using} is used instead.",
        "Free the port or change it in the settings, and restart, if something else relies on it.",
    ),
    "control.halted": Wording(
        "The daemon is halted: {reason}.",
        "Nothing opens; what reduces is still allowed, and hedges are kept.",
        "`carrybot resume` when you want it to go on.",
    ),
    "control.flattening": Wording(
        "The daemon is closing everything: {reason}.",
        "All hedges are closed in order; then it stays halted.",
        "`carrybot hedges` shows the progress; `carrybot resume` afterwards.",
    ),
    "control.running": Wording("The daemon was resumed: {reason}.", "It may open hedges again.", NOTHING),
    "config.changed": Wording("The settings were changed: {changes}.", "They are in force.", NOTHING),
    "config.refused": Wording(
        "An edit of the settings was refused: {problems}.",
        "The old settings stay in force.",
        "Put it right and save; `carrybot check -c {file}` says whether it is valid.",
    ),
    "config.valid": Wording("The settings file is valid again.", "The settings in force are those of it.", NOTHING),
    "config.needs_restart": Wording(
        "An edit of the settings needs a restart: {keys}.",
        "These keys stay as they were; everything else of the edit is in force.",
        "Restart the daemon when it suits you, or take the edit back.",
    ),
    "config.not_stored": Wording(
        "The new settings could not be stored in the books: {reason}.",
        "They are in force all the same.",
        "Look at the database.",
    ),
    "resource.high": Wording(
        "The daemon takes more of its machine than it should: {what} is {value}, the ceiling {ceiling}.",
        "It goes on.",
        "Watch the gauge of that name at /metrics; if it keeps growing, restart the daemon and report it.",
    ),
    "lock.taken_over": Wording(
        "The daemon took over from process {from_process}, which held the lock and showed no life.",
        "The other one can neither write to the books nor send any more; it ends when it wakes.",
        "Find out what froze it: a stopped process, a paused machine or a stuck disk.",
    ),
    "tape.paused": Wording(
        "The inputs tape paused: {reason}.",
        "Trading and the books go on; taping begins again in a new file as soon as it can.",
        "Make room on the disk under the data folder, or set a smaller `tape.size_mb`.",
    ),
    "alerts.undelivered": Wording(
        "Channel {channel} takes no alerts ({failures} failures in a row).",
        "It is tried again with growing pauses; {waiting} messages wait.",
        "Look at the service, or test it with `carrybot alerts test`.",
    ),
}

WORDINGS: Mapping[str, Wording] = {**ORDERS, **HEDGES, **MARKET, **RULES, **LOANS, **BOOKS, **VENUES, **DAEMON}


class _Values(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "?"


def said(emit: Emit) -> Said:
    """The event in words. An event without an entry is told by its name and fields."""
    values = _Values({name: _shown(value) for name, value in emit.fields.items() if value is not None})
    wording = WORDINGS.get(emit.name)
    if wording is None:
        facts = ", ".join(f"{name} {value}" for name, value in values.items())
        return Said(f"{emit.name}: {facts or 'no details'}.", "It was logged.", "Look at the log around it.")
    happened, did, todo = (part.format_map(values) for part in (wording.happened, wording.did, wording.todo))
    return Said(happened, did, todo)


def describe(emit: Emit) -> str:
    """One line for the books: all three sentences."""
    return said(emit).text


def _shown(value: object) -> str:
    """One printable line without a full stop of its own: a venue's text must not steer the owner's screen."""
    words = text(value) if isinstance(value, Decimal) else str(value)
    flat = "".join(each for each in " ".join(words.split()) if each.isprintable()).rstrip(".")
    return flat if len(flat) <= VALUE_CHARS_MAX else flat[:VALUE_CHARS_MAX] + "…"
