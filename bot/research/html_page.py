"""The frame of every HTML report: one self-contained page, light or dark as the reader's system is.

Nothing is fetched and nothing runs.
"""

from collections.abc import Iterable, Sequence
from html import escape

_STYLE = """
:root{color-scheme:light dark;--ink:#1f2328;--soft:#57606a;--line:#d8dee4;--page:#f6f8fa;--card:#fff;--good:#1a7f37;
--bad:#cf222e;--grid:#eaeef2;--zero:#8c959f;--c0:#1f6feb;--c1:#d29922;--c2:#2da44e;--c3:#a371f7;--c4:#e5534b;--c5:#8b949e}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9198a1;--line:#30363d;--page:#0d1117;--card:#161b22;
--good:#3fb950;--bad:#f85149;--grid:#21262d;--zero:#6e7681;--c0:#4493f8;--c1:#d29922;--c2:#3fb950;--c3:#ab7df8;--c4:#f85149}}
*{box-sizing:border-box}
body{font:14px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif;margin:0;color:var(--ink);
background:var(--page)}main{max-width:1080px;margin:0 auto;padding:28px 16px 60px}
h1{font-size:24px;letter-spacing:-.01em;margin:0 0 4px}h2{font-size:16px;margin:0 0 10px}
p{color:var(--soft);margin:4px 0 12px}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px 18px;margin:16px 0}
nav{margin:10px 0 4px}nav a{color:var(--c0);text-decoration:none;margin-right:14px}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(140px,1fr));gap:12px;margin:16px 0}
.cards div{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:10px 14px}
.cards b{display:block;font-size:21px;font-variant-numeric:tabular-nums}.cards span{color:var(--soft);font-size:12px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:4px 9px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th{color:var(--soft);font-weight:600;font-size:12px;position:sticky;top:0;background:var(--card)}
tbody tr:hover td{background:var(--page)}th.l,td.l{text-align:left}td.w{white-space:normal}tr.sum td{font-weight:600}
td.n{color:var(--bad)}.box{max-height:440px;overflow:auto}.wide{overflow-x:auto}
figure{margin:6px 0 20px}figcaption{font-weight:600;margin-bottom:4px}
figcaption span{font-weight:400;margin-left:14px;white-space:nowrap}
figcaption i{display:inline-block;width:10px;height:10px;border-radius:2px;margin-right:5px}
svg{width:100%;height:auto;display:block}.g{stroke:var(--grid)}
.z{stroke:var(--zero)}.t{font-size:11px;fill:var(--soft)}
.m{font-size:12px;font-variant-numeric:tabular-nums}
"""


def page(title: str, parts: Iterable[str]) -> str:
    """The whole document."""
    body = "\n".join(parts)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>\n{body}\n</main></body></html>\n"
    )


def section(title: str, *parts: str) -> str:
    """A part of the page with its own heading, which `contents` can point at."""
    return f'<section id="{anchor(title)}"><h2>{escape(title)}</h2>{"".join(parts)}</section>'


def anchor(title: str) -> str:
    return "".join(each if each.isalnum() else "-" for each in title.lower())


def contents(titles: Iterable[str]) -> str:
    """Links to the sections."""
    return "<nav>" + "".join(f'<a href="#{anchor(each)}">{escape(each)}</a>' for each in titles) + "</nav>"


def cards(facts: Iterable[tuple[str, str]]) -> str:
    """Large figures with what they are: (name, value)."""
    each = (f"<div><b>{escape(value)}</b><span>{escape(name)}</span></div>" for name, value in facts)
    return f'<div class="cards">{"".join(each)}</div>'


def percent(value: float, digits: int = 2) -> str:
    """A fraction as per cent; what rounds to nothing has no sign."""
    shown = f"{value:.{digits}%}"
    return shown.removeprefix("-") if not shown.strip("-0.%") else shown


def note(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    text: Sequence[int] = (0,),
    wrapped: Sequence[int] = (),
    box: bool = False,
    last_is_sum: bool = False,
) -> str:
    """Columns of numbers; those numbered in `text` are words, those in `wrapped` may take several lines.

    Negative numbers are red. `box` gives a long table a height of its own to scroll in.
    """
    words = {*text, *wrapped}
    head = "".join(
        f'<th class="l">{escape(one)}</th>' if column in words else f"<th>{escape(one)}</th>"
        for column, one in enumerate(heads)
    )
    lines = [
        "".join(_cell(cell, is_text=column in words, wrapped=column in wrapped) for column, cell in enumerate(row))
        for row in rows
    ]
    body = "".join(
        f'<tr class="sum">{line}</tr>' if last_is_sum and place == len(lines) - 1 else f"<tr>{line}</tr>"
        for place, line in enumerate(lines)
    )
    kind = "box" if box else "wide"
    return f'<div class="{kind}"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(cell: str, *, is_text: bool, wrapped: bool) -> str:
    if wrapped:
        return f'<td class="l w">{escape(cell)}</td>'
    if is_text:
        return f'<td class="l">{escape(cell)}</td>'
    if cell.startswith("-") and len(cell) > 1:
        return f'<td class="n">{escape(cell)}</td>'
    return f"<td>{escape(cell)}</td>"
