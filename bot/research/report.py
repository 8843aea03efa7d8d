"""A backtest as one self-contained HTML page: figures, pictures, tables; nothing is fetched, nothing runs."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from itertools import accumulate

from bot.research import charts
from bot.research.attribution import PARTS, TradeRow
from bot.research.backtest import Answer, YearRow

TRADES_MAX = 1_000
_STYLE = """
body{font:14px/1.45 system-ui,sans-serif;margin:24px auto;max-width:1000px;padding:0 12px;color:#1f2328}
h1{font-size:22px;margin:0 0 4px}h2{font-size:17px;margin:28px 0 6px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:3px 8px;text-align:right;border-bottom:1px solid #d8dee4}th:first-child,td:first-child{text-align:left}
figure{margin:14px 0}figcaption{font-weight:600}figcaption span{font-weight:400;margin-left:12px}
figcaption i{display:inline-block;width:10px;height:10px;margin-right:4px}
body{background:#fff}svg{width:100%;height:auto}.g{stroke:#eaeef2}.z{stroke:#8c959f}.t{font-size:11px;fill:#57606a}
.box{max-height:420px;overflow:auto}p{color:#57606a}
@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}th,td{border-color:#30363d}
.g{stroke:#21262d}.z{stroke:#6e7681}.t{fill:#8b949e}p{color:#8b949e}}
"""


def page(answer: Answer) -> str:
    """The whole page."""
    question = answer.question
    first, last = (_day(at_ms) for at_ms in (question.from_ms, question.until_ms - 1))
    intro = (
        f"<p>{len(answer.coins)} coins, {question.costs.side:.2%} a side, bars of {question.grid_ms // 3_600_000} h, "
        f"{answer.events:,} events, NAV {question.cash_usd:,.0f} to {answer.book.nav_usd:,.0f} USDT (compounded). "
        "All other figures are fractions of NAV, arithmetic, net of every cost.</p>"
    )
    parts = [
        f"<h1>Backtest {first} to {last}</h1>",
        intro,
        _years(answer),
        _pictures(answer),
        "<h2>Beside it</h2>",
        _benchmarks(answer),
        "<h2>By coin</h2>",
        _coins(answer),
        "<h2>By month</h2>",
        _months(answer),
        "<h2>Rule actions</h2>",
        _table(
            ("rule", "forced", "refused"),
            ([rule, f"{counts['forced']:,}", f"{counts['refused']:,}"] for rule, counts in answer.rules.items()),
        ),
        f"<h2>Trades</h2><p>{len(answer.book.trades):,} fills; the latest {TRADES_MAX:,} at most are listed.</p>",
        _trades(answer.book.trades[-TRADES_MAX:]),
    ]
    body = "\n".join(parts)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>carrybot backtest</title>'
        f"<style>{_STYLE}</style></head><body>{body}</body></html>\n"
    )


def _years(answer: Answer) -> str:
    def row(name: str, one: YearRow) -> list[str]:
        share = "-" if one.share is None else f"{one.share:.1%}"
        return [
            name,
            *(f"{value:.2%}" for value in (one.net, one.drawdown, one.deployed)),
            f"{one.turnover:.2f}",
            f"{one.foresight:.2%}",
            share,
            *(f"{getattr(one, part):.2%}" for part in PARTS),
            f"{one.trades:,}",
        ]

    heads = ("year", "net", "drawdown", "deployed", "turnover", "foresight", "share", *PARTS, "fills")
    return _table(heads, [*(row(str(one.year), one) for one in answer.years), row("all", answer.total)])


def _pictures(answer: Answer) -> str:
    book = answer.book
    times = [point.at_ms for point in book.points]
    earned = list(accumulate(point.net for point in book.points))
    peaks = accumulate(earned, max)
    under = [now - max(0.0, peak) for now, peak in zip(earned, peaks, strict=True)]
    months = sorted({month for month, _ in book.months})
    by_month = {
        part: [sum(cell[which] for (at, _), cell in book.months.items() if at == month) for month in months]
        for which, part in enumerate(PARTS)
    }
    coins = sorted({coin for _, shares in book.shares for coin in shares})
    held = {coin: [shares.get(coin, 0.0) for _, shares in book.shares] for coin in coins}
    cap = float(answer.question.config.limits.per_coin_cap)
    return "\n".join(
        (
            charts.lines("Equity: sum of returns", times, {"net": earned}, area=True),
            charts.lines("Drawdown", times, {"below the highest point": under}, area=True),
            charts.lines(
                "Deployed: one-side notional over NAV", times, {"deployed": [p.deployed for p in book.points]}
            ),
            charts.stacked("Where it came from, by month", months, by_month),
            charts.strips("Holdings: darkest is the coin's cap", times, held, cap),
        )
    )


def _benchmarks(answer: Answer) -> str:
    years = [one.year for one in answer.years]
    rows = [["this book", *(f"{one.net:.2%}" for one in answer.years), f"{answer.total.net:.2%}"]]
    rows += [
        [one.what, *(f"{one.net.get(year, 0.0):.2%}" for year in years), f"{sum(one.net.values()):.2%}"]
        for one in answer.benchmarks
    ]
    return _table(("", *map(str, years), "all"), rows)


def _coins(answer: Answer) -> str:
    sums: dict[str, list[float]] = {}
    for (_, coin), cell in answer.book.months.items():
        row = sums.setdefault(coin, [0.0] * len(PARTS))
        for which, value in enumerate(cell):
            row[which] += value
    ranked = sorted(sums.items(), key=lambda one: -sum(one[1]))
    return _table(
        ("coin", "net", *PARTS), ([coin, f"{sum(row):.3%}", *(f"{one:.3%}" for one in row)] for coin, row in ranked)
    )


def _months(answer: Answer) -> str:
    rows = (
        [month, coin, f"{sum(cell):.4%}", *(f"{one:.4%}" for one in cell)]
        for (month, coin), cell in sorted(answer.book.months.items())
    )
    return f'<div class="box">{_table(("month", "coin", "net", *PARTS), rows)}</div>'


def _trades(trades: Sequence[TradeRow]) -> str:
    rows = (
        [_time(one.at_ms), one.coin, one.leg, one.side, one.quantity_base, one.price, one.fee, one.purpose]
        for one in trades
    )
    heads = ("time (UTC)", "coin", "leg", "side", "quantity", "price", "fee", "purpose")
    return f'<div class="box">{_table(heads, rows)}</div>'


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(one)}</th>" for one in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d")


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")
