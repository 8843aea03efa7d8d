"""The planner's pictures, as text for a terminal and as SVG: liquidation over leverage, and a what-if's course."""

from decimal import Decimal

from bot.research import chart_svg, chart_text
from bot.research.chart_svg import Frame
from bot.research.chart_text import Line
from bot.research.planner import liquidation, what_if
from bot.research.planner.liquidation import Account
from bot.research.planner.sheet import percent_text
from bot.research.planner.what_if import Outcome, Shock

STEPS = 120


def over_leverage(
    maintenance_rate: Decimal, perp_maintenance_rate: Decimal, widening: Decimal, leverage_max: Decimal
) -> tuple[Line, ...]:
    """Move to liquidation (per cent) over leverage, one side over equity."""
    places = [1 + (leverage_max - 1) * step / STEPS for step in range(STEPS + 1)]
    wider = f"premium {percent_text(widening)} wider"

    def line(name: str, at: "list[Decimal | None]") -> Line:
        moves = [None if each is None else float(100 * each) for each in at]
        return Line(name, tuple(zip(map(float, places), moves, strict=True)))

    falls = [liquidation.unified_move(each, maintenance_rate) for each in places]
    falls_wide = [liquidation.unified_move(each, maintenance_rate, widening) for each in places]
    rises = [_capped(liquidation.wallet_move(each, perp_maintenance_rate)) for each in places]
    return (
        line("split accounts: a rise", rises),
        line("unified, coin-margined: a fall", falls),
        line(f"unified, {wider}", falls_wide),
    )


def _capped(move: Decimal | None) -> Decimal | None:
    """A doubling is as far as the picture looks."""
    return None if move is None else min(move, Decimal(1))


def text_over_leverage(drawn: tuple[Line, ...]) -> list[str]:
    return ["Move to liquidation, % (down: leverage, one side)", *chart_text.lines(drawn, _times, _percent)]


def svg_over_leverage(drawn: tuple[Line, ...]) -> str:
    frame = Frame("Move to liquidation over leverage", "leverage, one side over equity", "%", height=380)
    return chart_svg.line_chart(frame, drawn, _times, _percent)


def course(account: Account, shock: Shock, outcome: Outcome) -> tuple[Line, ...]:
    """Price and liquidation price over the start's price, against minutes."""
    end_s = shock.seconds if outcome.liquidated_s is None else outcome.liquidated_s
    if outcome.arrives_s is not None and outcome.liquidated_s is None:
        end_s = max(end_s, outcome.arrives_s)
    times = [end_s * step / STEPS for step in range(STEPS + 1)]

    def line(name: str, values: list[Decimal]) -> Line:
        return Line(name, tuple((float(at / 60), float(each)) for at, each in zip(times, values, strict=True)))

    return (
        line("price over start", [what_if.factor_at(shock, at) for at in times]),
        line("liquidation over start", [what_if.liquidation_at(account, outcome, at) for at in times]),
    )


def text_course(drawn: tuple[Line, ...]) -> list[str]:
    return chart_text.lines(drawn, _minutes, _plain)


def svg_course(drawn: tuple[Line, ...], title: str) -> str:
    return chart_svg.line_chart(Frame(title, "minutes", "over the price at the start"), drawn, _minutes, _plain)


def _times(value: float) -> str:
    return f"{value:g}x"


def _percent(value: float) -> str:
    return f"{value:+.0f} %"


def _minutes(value: float) -> str:
    return f"{value:.3g} min"


def _plain(value: float) -> str:
    return f"{value:.2f}"
