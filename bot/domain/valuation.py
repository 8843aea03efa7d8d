"""What the book is worth and how far it reaches: NAV, notionals, leverage, unhedged exposure. All USD.

USD-like quote assets count as one dollar each; the account's own stable coin is its unit of account.
"""

from collections.abc import Sequence
from decimal import Decimal

from bot.domain.book import Book
from bot.domain.hedges import Hedge, Leg
from bot.domain.instruments import Kind, Wallet
from bot.domain.loans import MarginWallet
from bot.domain.numbers import ZERO
from bot.domain.orders import OrderIntent, Side

USD_ASSETS = frozenset({"USDT", "USDC", "USD", "FDUSD"})
AWRY = Decimal("0.05")
"""A quote this far from the index (of a spot) or the mark (of a perpetual) is behind a jump, or wrong."""


def coin_price(book: Book, venue: str, asset: str) -> Decimal:
    """Spot price of a coin that a venue holds for us (see `mark_price`), else its perpetual's; zero without any.

    One that a hedge holds and the venue does not list has the hedge's.
    """
    pair = book.market.by_asset.get((venue, asset))
    if pair is None:
        hedge = book.hedge_of(venue, asset)
        return ZERO if hedge is None else price_of(book, hedge)
    return mark_price(book, pair.spot.id) or mark_price(book, pair.perp.id) or ZERO


def mark_price(book: Book, instrument: str) -> Decimal | None:
    """What a leg is valued at: a perp at its mark, its spot at the index of the same message, else the quote's mid.

    A spot quote and a mark are of two moments; in a fast market their difference would look like profit or loss.
    """
    market = book.market
    pair = market.by_coin_leg.get(instrument)
    if pair is None:
        mark = market.marks.get(instrument)
        return market.price(instrument) if mark is None else mark.mark
    paired = market.marks.get(pair.perp.id)
    if paired is not None and paired.next_funding_ms and paired.index > 0:
        return paired.index
    return market.price(instrument)  # a coin's own mark is one out of the books: it stands until a quote comes


def unrealized_usd(book: Book, leg: Leg) -> Decimal:
    """A derivative leg's P&L at the mark that is not in a wallet yet; zero without a price."""
    mark = mark_price(book, leg.instrument)
    return ZERO if mark is None else leg.quantity_base * mark - leg.cost_quote


def nav_usd(book: Book, venue: str | None = None) -> Decimal:
    """All balances of the venue accounts (or of one venue) at spot prices plus unrealised P&L of derivative legs.

    What is owed is a negative balance.
    """
    valued = book.valued
    if valued is None or venue is not None:
        return _nav_usd(book, venue)
    if valued.nav is None:
        valued.nav = _nav_usd(book, None)
    return valued.nav


def _nav_usd(book: Book, venue: str | None) -> Decimal:
    total, balances = ZERO, book.balances
    for key, holder in book.wallets():
        amount = balances.get(key)
        if not amount or (venue is not None and holder != venue):
            continue
        asset = key[1]
        total += amount if asset in USD_ASSETS else amount * coin_price(book, holder, asset)
    for hedge in book.hedges.values():
        if venue is not None and hedge.venue != venue:
            continue
        for leg in hedge.legs:
            if not leg.kind.is_coin and leg.quantity_base:
                total += unrealized_usd(book, leg)
    return total


def margin_wallet(book: Book, venue: str, extra: Sequence[OrderIntent] = ()) -> MarginWallet:
    """What the venue's margin wallet holds and owes, with all that may still be borrowed by orders in flight, and
    without what is leaving it."""
    assets, owed = -float(leaving_usd(book, venue, Wallet.MARGIN)), 0.0
    account = f"venue:{venue}:{Wallet.MARGIN.value}"
    for (name, asset), amount in book.balances.items():
        if name != account or not amount:
            continue
        pair = book.market.reverse.get((venue, asset))
        price = 1.0 if asset in USD_ASSETS else float((mark_price(book, pair.spot.id) if pair else None) or 0)
        if amount > 0:
            assets += float(amount) * price
        else:
            owed -= float(amount) * price
    flying = [(order.intent, order.open_base) for order in book.orders.values()]
    flying += [(intent, intent.quantity_base) for intent in extra]
    for intent, open_base in flying:
        instrument = book.market.instruments.get(intent.instrument)
        if instrument is None or instrument.kind is not Kind.MARGIN or intent.venue != venue:
            continue
        if intent.side is Side.SELL:
            lent = float(open_base * (mark_price(book, intent.instrument) or intent.limit_price))
            assets, owed = assets + lent, owed + lent
    return MarginWallet(assets, owed, book.market.collateral_ratio(venue))


def leaving_usd(book: Book, venue: str, wallet: Wallet) -> Decimal:
    """Quote currency that moves out of this wallet whose outcome is not known may have taken."""
    moves = (one for one in book.transfers.values() if one.venue == venue and one.source == wallet.value)
    return sum((one.amount for one in moves if one.asset in USD_ASSETS), ZERO)


def told_price(book: Book, instrument: str) -> Decimal | None:
    """A fresh index (of a spot) or mark (of a perpetual): what the venue itself says that it is worth, else None."""
    market = book.market
    pair = market.by_coin_leg.get(instrument)
    perp = instrument if pair is None else pair.perp.id
    mark, seen_ms = market.marks.get(perp), market.mark_seen_ms.get(perp)
    if mark is None or seen_ms is None or book.now.mono_ms - seen_ms > book.config.limits.stale_s * 1000:
        return None
    told = mark.mark if pair is None else mark.index
    return told if told > 0 else None


def sound_price(book: Book, instrument: str) -> Decimal | None:
    """The quote's mid, unless the venue's own word is far from it: one side of a thin book may be far away."""
    quoted, told = book.market.price(instrument), told_price(book, instrument)
    if quoted is None or told is None:
        return quoted
    return told if abs(quoted - told) > AWRY * told else quoted


def price_of(book: Book, hedge: Hedge) -> Decimal:
    """One price for a hedge's coin (USD per base unit): its spot leg's, else any leg's, else the entry's."""
    for leg in hedge.legs:
        price = sound_price(book, leg.instrument)
        if price is not None:
            return price
    for leg in hedge.legs:
        if leg.entry_price is not None:
            return leg.entry_price
    return ZERO


def notional_usd(book: Book, hedge: Hedge) -> Decimal:
    """Value of the larger side, at prices by which it may be cut."""
    valued = book.valued
    found = valued.notionals.get(hedge.id) if valued is not None else None
    if found is None:
        found = max([leg_usd(leg, sound_price(book, leg.instrument)) for leg in hedge.legs], default=ZERO)
        if valued is not None:
            valued.notionals[hedge.id] = found
    return found


def own_coins_usd(book: Book) -> Decimal:
    """Value of coins in wallets that no hedge holds, the owner's or left over: they buy and bear nothing."""
    held: dict[tuple[str, str], Decimal] = {}
    for hedge in book.live_hedges():
        for leg in hedge.legs:
            if leg.kind.is_coin:
                listed = book.market.instruments.get(leg.instrument)
                key = hedge.venue, hedge.coin if listed is None else listed.base_asset
                held[key] = held.get(key, ZERO) + leg.quantity_base
    there: dict[tuple[str, str], Decimal] = {}
    for (account, asset), venue in book.wallets():
        if asset not in USD_ASSETS:
            there[venue, asset] = there.get((venue, asset), ZERO) + book.balances.get((account, asset), ZERO)
    left = ((key, amount - held.get(key, ZERO)) for key, amount in there.items())
    return sum((amount * coin_price(book, *key) for key, amount in left if amount > 0), ZERO)


def coins_usd(book: Book) -> dict[str, Decimal]:
    """`staying_usd` of all live hedges of each coin."""
    valued = book.valued
    if valued is not None and valued.staying is not None:
        return valued.staying
    found: dict[str, Decimal] = {}
    for hedge in book.live_hedges():
        found[hedge.coin] = found.get(hedge.coin, ZERO) + staying_usd(book, hedge)
    if valued is not None:
        valued.staying = found
    return found


def staying_usd(book: Book, hedge: Hedge) -> Decimal:
    """Value of the larger side once what is on its way out has gone."""
    held, size = notional_usd(book, hedge), hedge.size_base
    return held * hedge.target_base / size if hedge.target_base < size else held


def leg_usd(leg: Leg, price: Decimal | None) -> Decimal:
    quantity = leg.quantity_base
    return abs(quantity) * (price or leg.entry_price or ZERO) if quantity else ZERO


def worst_usd(book: Book, hedge: Hedge, extra: Sequence[OrderIntent] = ()) -> Decimal:
    """Value of the larger side if everything that may still fill fills at the worst of limit, touch and price of now.

    Counts open and unknown orders and the `extra` ones that are about to be sent for this hedge.
    """
    flying = [(order.intent, order.open_base) for order in book.orders_of(hedge)]
    flying += [(intent, intent.quantity_base) for intent in extra if intent.hedge_id == hedge.id]
    sides = []
    for position, leg in enumerate(hedge.legs):
        price = book.market.price(leg.instrument) or ZERO
        usd = leg_usd(leg, price)
        for intent, open_base in flying:
            if intent.leg == position and intent.side.sign == leg.direction:
                usd += open_base * max(intent.limit_price, intent.decided_price, price)
        sides.append(usd)
    return max(sides, default=ZERO)


def heard(book: Book, hedge: Hedge) -> bool:
    """Whether the price of its coin is one of this process, and not one that the books kept."""
    pair = book.pair_of(hedge)
    return pair is None or book.market.heard(pair)


def deployed_usd(book: Book) -> Decimal:
    return sum((notional_usd(book, hedge) for hedge in book.live_hedges()), ZERO)


def leverage(book: Book, nav: Decimal | None = None, deployed: Decimal | None = None) -> Decimal:
    """Sum of the notionals of all hedges divided by NAV; zero while NAV is not positive and nothing is held."""
    worth = nav_usd(book) if nav is None else nav
    held = deployed_usd(book) if deployed is None else deployed
    if worth <= 0:
        return ZERO if not held else Decimal("Infinity")
    return held / worth


def unhedged_usd(book: Book) -> Decimal:
    """Sum of the absolute leg imbalances, valued at the coins' prices."""
    return sum((abs(hedge.imbalance_base) * price_of(book, hedge) for hedge in book.live_hedges()), ZERO)


def basis(book: Book, venue: str, coin: str) -> Decimal | None:
    """(perp - spot) / spot as a fraction; None without both prices.

    Mark over index where the venue publishes them: one message, one moment. Two quotes are of two moments, and in
    a fast market the move between them is larger than any basis.
    """
    pair = book.market.pairs.get((venue, coin))
    if pair is None:
        return None
    mark = book.market.marks.get(pair.perp.id)
    if mark is not None and mark.next_funding_ms and mark.index > 0:
        return mark.mark / mark.index - 1
    spot, perp = book.market.price(pair.spot.id), book.market.price(pair.perp.id)
    return None if spot is None or perp is None or not spot else perp / spot - 1


def price_pnl_usd(book: Book, hedge: Hedge) -> Decimal:
    """Price P&L of all legs, realised and open, at current prices, before fees."""
    total = ZERO
    for leg in hedge.legs:
        price = mark_price(book, leg.instrument)
        total += leg.realized_quote
        if price is not None:
            total += leg.quantity_base * price - leg.cost_quote
    return total
