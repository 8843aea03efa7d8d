"""The end of a seed: what is not in order yet, and everything once more from the database."""

import hashlib
from collections import defaultdict
from decimal import Decimal
from itertools import pairwise

from bot.simulator.model import Book, Settlement, Status
from tests.campaign.answers import CANARY
from tests.campaign.figures import Figures
from tests.campaign.hands import OWN_PREFIX
from tests.campaign.market import COINS
from tests.campaign.moves import Moves
from tests.campaign.truth import ZERO

BASIS_MAX = Decimal("0.08")
"""How far a perpetual may be from its spot."""
INTERVALS_S = {hours * 3_600 for hours in (1, 2, 4, 8)}
"""The first settlement by a longer interval comes sooner after the last one by a shorter: that is none of these."""


class Audit(Moves):
    def unsettled(self) -> list[tuple[int, str]]:
        """What is not in order yet; empty when everything is."""
        found = [(5, f"{name} is still {row['state']}") for name, row in self.orders.items() if not row["settled"]]
        for coin in COINS:
            gap, limit = self._gap(coin)
            if gap > limit and not self.out_of_hand(coin):
                found.append((1, f"{coin} is unhedged by {gap}, allowed is {limit}"))
        if self.world.plan.flatten_at_end:
            for symbol, holding in self._account().holdings.items():
                coin = self.world.market.by_symbol[Book.PERP, symbol]
                if self.trades(coin.name, Book.SPOT) and abs(holding.quantity) >= coin.perp.quantity_min:
                    found.append((1, f"{symbol} is still held, {holding.quantity}, after a flatten"))
        found += self.loans_unsettled()
        found += [(8, text) for text in self._ledger_gaps()]
        missing = self._income() - self.receipts
        if missing:
            found.append((9, f"{len(missing)} receipts of the venue are not in the books: {sorted(missing)[:3]}"))
        lacking = self._trades().keys() - self.fills.keys()
        if lacking:
            found.append((8, f"{len(lacking)} trades of the venue are not in the books: {sorted(lacking)[:3]}"))
        return found

    def _ledger_gaps(self) -> list[str]:
        account = self._account()
        theirs = {("venue:binance:spot", a): b.free + b.locked for a, b in account.spot.items()}
        theirs["venue:binance:perp", "USDT"] = account.perp_wallet
        theirs |= {("venue:binance:margin", asset): net for asset, net in account.margin.net().items()}
        ours = {key: amount for key, amount in self.ledger.items() if key[0].startswith("venue:")}
        return [
            f"{key}: ledger {ours.get(key, ZERO)}, venue {theirs.get(key, ZERO)}"
            for key in sorted(ours.keys() | theirs.keys())
            if ours.get(key, ZERO) != theirs.get(key, ZERO)
        ]

    def audit(self) -> None:
        """Everything once more, from the database as it is on the disk."""
        for number, text in self.unsettled():
            self.violation(number, f"at the end: {text}")
        rows = self.world.database.rows
        self.check(9, self.receipt_rows == len(self.receipts), "a receipt is booked twice")
        stored = rows("SELECT count(*) FROM receipts")[0][0]
        self.check(
            9, stored == self.receipt_rows, f"{stored} receipts are stored, {self.receipt_rows} were committed"
        )
        self._audit_totals()
        self._audit_ledger()
        self._audit_capital()
        self._audit_moves()
        self._audit_left_alone()
        self._audit_legs()
        self._audit_hedges()
        self._audit_figures()
        self._audit_rates()
        self.check(17, CANARY.encode() not in self.world.database.raw.serialize(), "the canary is in the database")
        self.check(18, not self.world.loop.failures, f"the loop complains: {self.world.loop.failures[:3]}")

    def books(self) -> dict[str, object]:
        """The final books by name: what two runs are compared by."""
        rows = self.world.database.rows
        found: dict[str, object] = {
            "hedges": sorted(rows("SELECT coin, state FROM hedges WHERE state <> 'closed'")),
            "receipts": sorted((name, at_ms, str(paid)) for name, at_ms, paid, _ in self.receipts),
        }
        for coin in COINS:
            spot, perp = self.held(coin)
            found[f"{coin} spot"], found[f"{coin} perp"] = spot, perp
        kinds: dict[str, Decimal] = defaultdict(Decimal)
        for (account, asset), amount in self.ledger.items():  # hedges may bear other numbers
            kinds[f"ledger: {account.partition(':')[0]} in {asset}"] += amount
        return found | kinds

    def _audit_left_alone(self) -> None:
        """13: nobody cancelled what the owner left in the book, unless its market has closed."""
        for order in self._account().orders.values():
            asked = order.request
            if asked.client_id.startswith(OWN_PREFIX) and order.status is Status.CANCELED:
                coin = self.world.market.by_symbol[asked.book, asked.symbol].name
                self.check(13, not self.trades(coin, asked.book), f"the owner's {asked.client_id} was cancelled")

    def _audit_totals(self) -> None:
        """9: what the owner is shown of each coin's funding is the sum of its receipts."""
        sums: dict[tuple[str, str], list[Decimal]] = defaultdict(list)
        for coin, asset, payment in self.world.database.rows("SELECT coin, asset, payment FROM receipts"):
            sums[coin, asset].append(Decimal(payment))
        shown = {
            (coin, asset): (number, Decimal(payment))
            for coin, asset, number, payment in self.world.database.rows(
                "SELECT coin, asset, receipts, payment FROM receipt_totals"
            )
        }
        right = {key: (len(payments), sum(payments, ZERO)) for key, payments in sums.items()}
        self.check(9, shown == right, f"receipts sum to {right}, the totals say {shown}")

    def _audit_ledger(self) -> None:
        rows, chain, expected = self.world.database.rows, "", 1
        entries: dict[int, list[tuple[str, str, str]]] = defaultdict(list)
        for number, account, asset, amount in rows(
            "SELECT number, account, asset, amount FROM ledger_entries ORDER BY number, line"
        ):
            entries[number].append((account, asset, amount))
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for number, name, at_ms, kind, hedge, link in rows(
            "SELECT number, id, at_ms, kind, hedge_id, chain FROM ledger_transactions ORDER BY number"
        ):
            self.check(7, number == expected, f"transaction {expected} is missing")
            expected = number + 1
            lines = [chain, str(number), name, str(at_ms), kind, hedge or ""]
            for account, asset, amount in entries[number]:
                lines.append(f"{account}\x1f{asset}\x1f{amount}")
                sums[asset] += Decimal(amount)
            chain = hashlib.sha256("\x1e".join(lines).encode()).hexdigest()
            self.check(7, chain == link, f"the chain breaks at transaction {number}")
        self.check(7, not any(sums.values()), f"the ledger does not sum to nothing: {dict(sums)}")

    def _audit_figures(self) -> None:
        """What each hedge is said to hold, to have earned and to have cost."""
        renamed = {f"binance:{self.world.market.coins[coin].spot.symbol}:spot" for coin in self.renamed}
        wrong = [*Figures(self.world.database.rows, self._least, self._prices, renamed).wrong()]
        self.check(8, not wrong, f"{len(wrong)} figures of hedges are wrong: {wrong[:3]}")

    def _audit_rates(self) -> None:
        """What R1 and the estimates go by is what settled, and the time since the settlement before it."""
        settled: dict[str, list[Settlement]] = defaultdict(list)
        for one in self.world.market.settlements(0, int(self.world.market_ms)):
            settled[one.symbol].append(one)
        rows = self.world.database.rows("SELECT instrument, settled_ms, rate, interval_s FROM rates")
        stored = {(str(name).split(":")[1], at_ms): (Decimal(rate), gap_s) for name, at_ms, rate, gap_s in rows}
        for symbol, known in settled.items():
            for before, one in pairwise(known):
                row, gap_s = stored.get((symbol, one.at_ms)), (one.at_ms - before.at_ms) // 1000
                if row is not None and (symbol, before.at_ms) in stored:
                    right = row[0] == one.rate and (row[1] == gap_s or gap_s not in INTERVALS_S)
                    self.check(22, right, f"{symbol} settled {one.rate} after {gap_s} s, the books say {row}")

    def _least(self, instrument: str) -> Decimal:
        return self.tradeable(self._coin(instrument))

    def _prices(self, coin: str) -> tuple[Decimal, Decimal]:
        """The lowest and the highest until now, by mark or quote. Interest that is told before any price is known, as
        right after a start, counts at that of the entry."""
        listed = self.world.market.coins[coin]
        prices = listed.path[: listed.step(int(self.world.market_ms)) + 1]
        return Decimal(min(prices)) * (1 - BASIS_MAX), Decimal(max(prices)) * (1 + BASIS_MAX)

    def _audit_hedges(self) -> None:
        """Each hedge by itself is whole, also a closed one: a fill must not count for another one's leg."""
        legs: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for hedge, coin, quantity in self.world.database.rows(
            "SELECT h.id, h.coin, l.quantity_base FROM legs l JOIN hedges h ON h.id = l.hedge_id"
        ):
            legs[hedge, coin] += Decimal(quantity)
        for (hedge, coin), left in legs.items():
            limit = self.tradeable(coin) * 3 + self.world.market.coins[coin].spot.lot
            fine = abs(left) <= limit or self.out_of_hand(coin)
            self.check(1, fine, f"the legs of {hedge} ({coin}) leave {left}, allowed is {limit}")

    def _audit_legs(self) -> None:
        """The legs of all hedges are what the venue holds."""
        held: dict[str, Decimal] = defaultdict(Decimal)
        closed = dict(
            self.world.database.rows("SELECT coin, count(*) FROM hedges WHERE state = 'closed' GROUP BY coin")
        )
        for instrument, quantity in self.world.database.rows("SELECT instrument, quantity_base FROM legs"):
            held[instrument] += Decimal(quantity)
        for coin in COINS:
            listed = self.world.market.coins[coin]
            spot, perp = self.held(coin)
            booked = held[f"binance:{listed.perp.symbol}:perp"]
            self.check(8, booked == perp, f"{coin}: legs hold {booked} of the perpetual, the venue {perp}")
            booked, lent = held[f"binance:{listed.spot.symbol}:spot"], self.lent(coin)
            crumbs = booked - (spot - lent) - self.turned.get(coin, ZERO)
            # Of a renamed coin closed hedges keep what was too little to sell: nobody gives it up in their name.
            same = not crumbs or (coin in self.renamed and 0 < crumbs <= self.tradeable(coin) * closed[coin])
            self.check(8, same, f"{coin}: legs hold {booked} of the coin, the venue {spot - lent}")
            booked = held[f"binance:{listed.spot.symbol}:margin"]
            self.check(8, booked == lent, f"{coin}: legs owe {-booked}, at the venue {-lent} are owed")
