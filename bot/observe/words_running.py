"""Words for what happens to what it runs on: the books, the venues, the daemon itself."""

from bot.observe.words import NOTHING, Wording

_LOOK = (
    "Run `carrybot ledger --verify`. Deposits and withdrawals were looked for: a trade by hand is most likely. "
    "What is yours and has no record, as an airdrop, is booked with `carrybot accept`."
)

BOOKS = {
    "ledger.difference": Wording(
        "The balance of {asset} in {venue} {wallet} is {venue_less_ledger} off the ledger.",
        "The difference is kept as it is; while it stands, nothing opens at {venue}.",
        _LOOK,
    ),
    "venue.unexplained": Wording(
        "The balances at {venue} differ from the ledger for sure.",
        "Nothing opens there until the difference is explained; what reduces goes on.",
        _LOOK,
    ),
    "ledger.accepted": Wording(
        "{amount} {asset} in {venue} {wallet}, which no record explained, was accepted by the owner: {reason}.",
        "It was booked as the owner's capital and taken out of the drawdown.",
        NOTHING,
    ),
    "ledger.not_accepted": Wording(
        "{amount} {asset} in {venue} {wallet} could not be accepted: {reason}.",
        "Nothing was booked.",
        "Run `carrybot ledger --verify` and look again.",
    ),
    "venue.short": Wording(
        "{venue} refused an order for want of money that the books say is there.",
        "Nothing opens there until its balances were fetched and agree; what had filled is taken back.",
        "Nothing, if you have just withdrawn: it is found and booked. Else see that margin is not used by hand.",
    ),
    "margin.beyond_liquidation": Wording(
        "The margin account at {venue} is at a level of {level}: there the venue buys back what is owed.",
        "Nothing opens there until its balances and trades were looked at; perpetuals without their loan are closed.",
        "Look at the margin account; bring collateral if the loans are still there.",
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
    "venue.cannot_borrow": Wording(
        "{venue} does not let this account borrow: {reason}.",
        "The strategies that need no loan go on; it is asked for again with each listing, hourly.",
        "Open the margin account at the venue and allow the key loans, or take reverse_carry out of `strategies`.",
    ),
    "venue.instrument_left_out": Wording(
        "{symbol} was left out: {why}.",
        "It is not traded.",
        "Nothing, unless it is one that you hold.",
    ),
    "venue.account_modes": Wording(
        "The account at {venue} is not set up as it should be: {problem}.",
        "The daemon goes on; what it counts of margin or interest may be wrong.",
        "Change the setting at the venue; `carrybot check` says when it is right.",
    ),
    "venue.isolated_margin": Wording(
        "{symbols} at {venue} are set to isolated margin: the wallet does not stand behind a short of them.",
        "They are left out; what is held of one is kept, but its liquidation is nearer than R7 counts.",
        "Set them to cross margin in the USD-M preferences; what is held has to be closed first.",
    ),
    "venue.not_permitted": Wording(
        "{venue} does not permit this account to trade {symbols}.",
        "They are left out: a purchase would be refused, and the short beside it bought back. What is held is kept.",
        "Open one in the venue's app: it says whether a quiz or a consent is wanted, or your country has no access.",
    ),
    "venue.leverage_low": Wording(
        "{symbols} at {venue} are set to so little leverage that a short wants more margin than is kept for it.",
        "They are left out: each short would be refused, and the spot beside it sold again. What is held is kept.",
        "Set them to 20x in the USD-M preferences: it is a bound on size, not what the daemon uses.",
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
    "daemon.killed": Wording(
        "The last daemon (process {process}) ended without a word: it was killed, or its machine stopped.",
        "This one recovers from the books and the venue; what the last one had just told may not have been sent.",
        "Look at `carrybot alerts`, and at the machine for what ended it, such as a lack of memory.",
    ),
    "task.died": Wording(
        "Part {task} of the daemon died: {reason}.",
        "It was started again ({restarts} so far); after too many the daemon ends.",
        "Keep the log and report it; see that the service manager restarts the daemon.",
    ),
    "task.stalled": Wording(
        "Part {task} of the daemon has not moved for {still_s} s: no hedge is managed.",
        "It waits for its machine, most likely for the disk of the books; nothing is sent meanwhile.",
        "Look at the disk and the load; if it does not move again, restart the daemon, or close the hedges by hand.",
    ),
    "task.moves": Wording("Part {task} of the daemon moves again.", "Hedges are managed again.", NOTHING),
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
