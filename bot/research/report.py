"""A backtest as one self-contained HTML page: figures, pictures, tables; nothing is fetched, nothing runs."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import accumulate

from bot.research import charts, html_page
from bot.research.attribution import PARTS, Cells, TradeRow, summed
from bot.research.backtest import Answer, YearRow
from bot.research.html_page import percent
from bot.research.rule_actions import REFUSED, counts
from bot.research.trace import HEADS, trace_cells

TRADES_MAX = 5_000
ACTIONS_MAX = 2_000
SECTIONS = (
    "Years", "Equity", "Carry", "Holdings", "Beside it", "By coin", "By month", "By month and coin", "Rules",
    "Trades",
)  # fmt: skip


def page(answer: Answer, traced: str = "") -> str:
    """The whole page; with `traced` a section that follows this coin day by day."""
    question = answer.question
    title = f"Backtest {_day(question.from_ms)} to {_day(question.until_ms - 1)}"
    total = answer.total
    facts = [
        ("net", f"{total.net:.2%}"),
        ("deepest drawdown", f"{total.drawdown:.2%}"),
        ("mean deployed", f"{total.deployed:.1%}"),
        ("turnover, one side", f"{total.turnover:.1f} x NAV"),
        ("perfect foresight", f"{total.foresight:.2%}"),
        ("share of it captured", "-" if total.share is None else f"{total.share:.1%}"),
    ]
    intro = (
        f"{len(answer.coins)} coins, {question.costs.side:.2%} a side, bars of {question.grid_ms // 3_600_000} h, "
        f"{answer.events:,} events. NAV {question.cash_usd:,.0f} to {answer.book.nav_usd:,.0f} USDT, compounded; all "
        "other figures are fractions of NAV, arithmetic, net of every cost."
    )
    months = answer.book.months()
    parts = [
        f"<h1>{title}</h1>",
        html_page.note(intro),
        html_page.contents([*SECTIONS, *([traced] if traced else [])]),
        html_page.cards(facts),
        html_page.section("Years", _years(answer)),
        html_page.section("Equity", *_equity(answer)),
        html_page.section("Carry", _carry(months)),
        html_page.section("Holdings", _holdings(answer)),
        html_page.section("Beside it", _benchmarks(answer)),
        html_page.section("By coin", _coins(answer)),
        html_page.section("By month", _months(months)),
        html_page.section("By month and coin", _months_and_coins(months)),
        html_page.section("Rules", *_rules(answer)),
        html_page.section("Trades", *_trades(answer.book.trades)),
    ]
    if traced:
        parts.append(
            html_page.section(traced, html_page.table(HEADS, trace_cells(answer, traced), wrapped=(len(HEADS) - 1,)))
        )
    return html_page.page(f"carrybot: {title}", parts)


def _years(answer: Answer) -> str:
    def row(name: str, one: YearRow) -> list[str]:
        return [
            name,
            *(percent(value) for value in (one.net, one.drawdown, one.deployed)),
            f"{one.turnover:.2f}",
            f"{one.foresight:.2%}",
            "-" if one.share is None else f"{one.share:.1%}",
            *(percent(getattr(one, part)) for part in PARTS),
            f"{one.trades:,}",
        ]

    heads = ("year", "net", "drawdown", "deployed", "turnover", "foresight", "share", *PARTS, "fills")
    rows = [*(row(str(one.year), one) for one in answer.years), row("all", answer.total)]
    return html_page.table(heads, rows, last_is_sum=True)


def _equity(answer: Answer) -> list[str]:
    book = answer.book
    times = [point.at_ms for point in book.points]
    earned = list(accumulate(point.net for point in book.points))
    under = [now - max(0.0, peak) for now, peak in zip(earned, accumulate(earned, max), strict=True)]
    curves: dict[str, tuple[Sequence[int], Sequence[float]]] = {"this book": (times, earned)}
    for one in answer.benchmarks:
        if one.curve is not None:
            curves[one.name.replace("_", " ")] = one.curve.times_ms, list(accumulate(one.curve.earned))
    return [
        charts.lines("Sum of returns", curves, area=True),
        charts.lines("Drawdown", {"below the highest point": (times, under)}, area=True),
        charts.lines(
            "Leverage: one-side notional over NAV", {"deployed": (times, [each.deployed for each in book.points])}
        ),
    ]


def _carry(months: Cells) -> str:
    labels = sorted({month for month, _ in months})
    by_month = {
        part: [sum(cell[which] for (at, _), cell in months.items() if at == month) for month in labels]
        for which, part in enumerate(PARTS)
    }
    return charts.stacked("Where it came from, by month", labels, by_month)


def _holdings(answer: Answer) -> str:
    shares = answer.book.shares
    coins = sorted({coin for _, held in shares for coin in held})
    held = {coin: [held.get(coin, 0.0) for _, held in shares] for coin in coins}
    cap = float(answer.question.config.limits.per_coin_cap)
    return charts.strips("Darkest is the coin's cap", [at_ms for at_ms, _ in shares], held, cap)


def _benchmarks(answer: Answer) -> str:
    years = [one.year for one in answer.years]
    rows = [["this book", *(percent(one.net) for one in answer.years), percent(answer.total.net)]]
    rows += [
        [one.what, *(percent(one.net.get(year, 0.0)) for year in years), percent(sum(one.net.values()))]
        for one in answer.benchmarks
    ]
    return html_page.table(("", *map(str, years), "all"), rows)


def _coins(answer: Answer) -> str:
    sums = {coin: cell for (_, coin), cell in summed(answer.book.days, lambda _: "all").items()}
    ranked = sorted(sums.items(), key=lambda one: -sum(one[1]))
    return html_page.table(("coin", "net", *PARTS), [[coin, *_net_and_parts(cell, 3)] for coin, cell in ranked])


def _months(months: Cells) -> str:
    totals: dict[str, list[float]] = {}
    for (month, _), cell in sorted(months.items()):
        row = totals.setdefault(month, [0.0] * len(PARTS))
        for which, value in enumerate(cell):
            row[which] += value
    rows = [[month, *_net_and_parts(cell, 3)] for month, cell in totals.items()]
    return html_page.table(("month", "net", *PARTS), rows, box=True)


def _months_and_coins(months: Cells) -> str:
    rows = [[month, coin, *_net_and_parts(cell, 4)] for (month, coin), cell in sorted(months.items())]
    return html_page.table(("month", "coin", "net", *PARTS), rows, text=(0, 1), box=True)


def _net_and_parts(cell: Sequence[float], digits: int) -> list[str]:
    return [percent(sum(cell), digits), *(percent(one, digits) for one in cell)]


def _rules(answer: Answer) -> list[str]:
    counted = counts(answer.actions)
    done = [one for one in answer.actions if one.event != REFUSED][-ACTIONS_MAX:]
    return [
        html_page.table(
            ("rule", "forced", "refused", "other"),
            ([rule, *(f"{count:,}" for count in row.values())] for rule, row in counted.items()),
        ),
        *_forced(answer),
        html_page.note(f"What they did, refusals left out; the latest {ACTIONS_MAX:,} at most."),
        html_page.table(
            ("time (UTC)", "rule", "event", "coin", "observed", "limit"),
            ([_time(one.at_ms), one.rule, one.event, one.coin, one.observed, one.limit] for one in done),
            text=range(4),
            wrapped=(4, 5),
            box=True,
        ),
    ]


def _forced(answer: Answer) -> list[str]:
    """Forced reductions by year, with the months that are no ordinary ones."""
    wild = ", ".join(f"{one.month} {one.coin} {one.move:+.0%}" for one in answer.far_moves)
    rows = ([str(one.year), one.rule, f"{one.count:,}", f"{one.ordinary:,}"] for one in answer.forced)
    return [
        html_page.note(f"Forced reductions. Months in which a core coin moved far in a day: {wild or 'none'}."),
        html_page.table(("year", "rule", "forced", "in ordinary months"), rows, text=(0, 1)),
    ]


def _trades(trades: Sequence[TradeRow]) -> list[str]:
    rows = (
        [_time(one.at_ms), one.coin, one.leg, one.side, one.purpose, one.quantity_base, one.price, one.fee]
        for one in trades[-TRADES_MAX:]
    )
    heads = ("time (UTC)", "coin", "leg", "side", "purpose", "quantity", "price", "fee")
    return [
        html_page.note(f"{len(trades):,} fills; the latest {TRADES_MAX:,} at most are listed."),
        html_page.table(heads, rows, text=range(5), box=True),
    ]


def _day(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d}"


def _time(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M}"
