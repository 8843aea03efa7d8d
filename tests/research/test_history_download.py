"""`history download` over HTTP from the simulated exchange: complete, resumed, readable by a backtest; and by a fake
venue what no server does on demand: holes, interruptions, refusals."""

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bot.cli.main import main
from bot.domain.time import DAY_MS, HOUR_MS
from bot.ports import VenueError, VenueRefusedError
from bot.research.history import download as module
from bot.research.history.download import Progress, Wish, download
from bot.research.history.files import CANDLES, candle_gaps, rate_gaps, read_lines, write_lines
from bot.research.recordings import read_recordings
from bot.simulator.market.table import HistoryError
from bot.simulator.wire.options import Endpoint
from bot.venues.binance.history import CANDLES_MAX, BinanceHistory, Listed, Row
from tests.simulated import running

ROOT = Path(__file__).resolve().parents[2]
START = 20_000 * DAY_MS


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    with running(tmp_path_factory.mktemp("simulator")) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def config(simulator: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "mine.yaml"
    transport = f"{{port: {simulator.port}, ca_file: {simulator.ca_file}}}"
    path.write_text(f"venues: {{binance: {{adapter: binance, transport: {transport}}}}}\n")
    return path


def carrybot(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bot", "history", "download", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_from_the_exchange_in_two_runs_and_into_a_backtest(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    words = ("--coins", "BTC,ETH", "--out", str(out), "-c", str(config), "--json")
    first = carrybot(*words, "--from", "2024-10-10", "--to", "2024-10-25")
    assert first.returncode == 0, first.stderr
    files = {each["file"]: each for each in json.loads(first.stdout)["files"]}
    assert set(files) == {
        "funding/binance-usdm/BTCUSDT.csv.gz",
        "funding/binance-usdm/ETHUSDT.csv.gz",
        "klines/binance/um-perp/BTCUSDT-1h.csv.gz",
        "klines/binance/um-perp/ETHUSDT-1h.csv.gz",
        "klines/binance/spot/BTCUSDT-1h.csv.gz",
        "klines/binance/spot/ETHUSDT-1h.csv.gz",
    }
    assert [files[name]["rows"] for name in sorted(files) if "klines" in name] == [16 * 24] * 4
    assert files["funding/binance-usdm/BTCUSDT.csv.gz"]["rows"] == 16 * 3
    assert all(each["gaps"] == [] for each in files.values())
    second = carrybot(*words, "--from", "2024-10-05", "--to", "2024-10-28")
    assert second.returncode == 0, second.stderr
    more = {each["file"]: each for each in json.loads(second.stdout)["files"]}
    assert more["klines/binance/spot/BTCUSDT-1h.csv.gz"]["new"] == 8 * 24
    assert more["klines/binance/spot/BTCUSDT-1h.csv.gz"]["gaps"] == []
    recordings = read_recordings(out)
    assert [one.coin for one in recordings] == ["BTC", "ETH"]
    assert [len(one.rates) for one in recordings] == [24 * 3, 24 * 3]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--coins", ""), "names none"),
        (("--coins", "BTC", "--interval", "7m"), "not one of 1m"),
        (("--coins", "BTC", "--venue", "okx"), "only binance"),
    ],
)
def test_words_that_cannot_be_used(tmp_path: Path, words: tuple[str, ...], told: str, monkeypatch, capsys) -> None:
    window = ("--from", "2024-10-10", "--to", "2024-11-20", "--out", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["carrybot", "history", "download", *words, *window])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


async def test_multiplied_perpetuals_are_found_by_their_coin(monkeypatch: pytest.MonkeyPatch) -> None:
    source = BinanceHistory(None)
    perps = [("1000PEPEUSDT", "PERPETUAL"), ("BTCUSDT_260925", "CURRENT_QUARTER"), ("1MBABYDOGEUSDT", "PERPETUAL")]
    replies = {
        "fapiPublicGetExchangeInfo": [{"symbol": s, "contractType": c, "quoteAsset": "USDT"} for s, c in perps],
        "publicGetExchangeInfo": [
            {"symbol": "PEPEUSDT", "quoteAsset": "USDT"},
            {"symbol": "PEPEBTC", "quoteAsset": "BTC"},
        ],
    }

    async def data(endpoint: str, params: object = None) -> object:
        return {"symbols": replies[endpoint]}

    monkeypatch.setattr(source._rest, "data", data)
    assert await source.listing() == {
        "PEPE": Listed("1000PEPEUSDT", "PEPEUSDT"),
        "BABYDOGE": Listed("1MBABYDOGEUSDT", None),
    }


class Venue:
    """Hourly candles and 8-hourly rates from START on; `fail` raises what it is given, once each."""

    def __init__(self, *, missing: range = range(0), until_ms: int = START + 400 * DAY_MS) -> None:
        self.missing, self.until_ms = missing, until_ms
        self.fail: list[VenueError] = []
        self.asked: list[tuple[str, int, int]] = []
        self.stop_after: int | None = None

    async def listing(self) -> dict[str, Listed]:
        return {"AAA": Listed("AAAUSDT", "AAAUSDT")}

    async def market_ms(self, perp: str) -> int:
        return self.until_ms

    def _page(self, what: str, start_ms: int, end_ms: int, step_ms: int) -> list[int]:
        self.asked.append((what, start_ms, end_ms))
        if self.stop_after is not None and len(self.asked) > self.stop_after:
            raise KeyboardInterrupt
        if self.fail:
            raise self.fail.pop()
        first = -(-max(start_ms, START) // step_ms) * step_ms
        times = [at for at in range(first, min(end_ms, self.until_ms) + 1, step_ms) if at not in self.missing]
        return times[:CANDLES_MAX]

    async def candles(self, symbol: str, interval: str, start_ms: int, end_ms: int, *, perp: bool) -> Sequence[Row]:
        if symbol != "AAAUSDT":
            raise VenueRefusedError("-1121", "Invalid symbol.")
        where = "perp" if perp else "spot"
        return [Row(at, ("1", "1", "1", "1", "5")) for at in self._page(where, start_ms, end_ms, HOUR_MS)]

    async def rates(self, symbol: str, start_ms: int, end_ms: int) -> Sequence[Row]:
        if symbol != "AAAUSDT":
            raise VenueRefusedError("-1121", "Invalid symbol.")
        return [Row(at + 3, ("0.0001", "")) for at in self._page("rates", start_ms, end_ms, 8 * HOUR_MS)]


def wish(out: Path, days: int = 100, coins: tuple[str, ...] = ("AAA",)) -> Wish:
    return Wish(coins, START - DAY_MS, START + days * DAY_MS, "1h", out)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 0.0)


async def test_many_pages_holes_and_what_is_not_listed(tmp_path: Path) -> None:
    hole = range(START + 50 * HOUR_MS, START + 53 * HOUR_MS)
    reports = await download(Venue(missing=hole), wish(tmp_path, coins=("AAA", "ZZZ")), Progress())
    assert [one.rows for one in reports] == [300, 2397, 2397, 0, 0, 0]
    assert [(gap.after_ms, gap.missing) for gap in reports[1].gaps] == [(START + 49 * HOUR_MS, 3)]
    assert reports[0].gaps == ()
    assert not reports[3].path.exists()


async def test_an_unfinished_candle_is_left_out(tmp_path: Path) -> None:
    now = START + 5 * HOUR_MS + 1_000
    reports = await download(Venue(until_ms=now), wish(tmp_path), Progress())
    assert reports[1].last_ms == START + 4 * HOUR_MS
    later = await download(Venue(until_ms=now + HOUR_MS), wish(tmp_path), Progress())
    assert (later[1].last_ms, later[1].new) == (START + 5 * HOUR_MS, 1)


async def test_an_interrupted_download_goes_on_and_ends_the_same(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(module, "FLUSH_PAGES", 1)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    await download(Venue(), wish(whole), Progress())
    for pages in (2, 3, 4, 5):
        venue = Venue()
        venue.stop_after = pages
        with pytest.raises(KeyboardInterrupt):
            await download(venue, wish(broken), Progress())
    venue = Venue()
    await download(venue, wish(broken), Progress())
    for path in whole.rglob("*.gz"):
        assert (broken / path.relative_to(whole)).read_bytes() == path.read_bytes()
    assert not list(broken.rglob(".*"))


async def test_a_hole_left_behind_is_filled(tmp_path: Path) -> None:
    first = await download(
        Venue(missing=range(START + 10 * HOUR_MS, START + 90 * HOUR_MS)), wish(tmp_path), Progress()
    )
    assert first[1].gaps
    venue = Venue()
    second = await download(venue, wish(tmp_path), Progress())
    assert (second[1].new, second[1].gaps) == (80, ())
    assert sum(what == "perp" for what, _, _ in venue.asked) == 3


async def test_what_may_be_asked_again_and_what_not(tmp_path: Path) -> None:
    venue = Venue()
    venue.fail = [VenueError("no answer"), VenueRefusedError("-1003", "too many requests")]
    reports = await download(venue, wish(tmp_path / "a"), Progress())
    assert reports[0].rows == 300
    venue.fail = [VenueRefusedError("-1100", "illegal")]
    with pytest.raises(VenueRefusedError):
        await download(venue, wish(tmp_path / "b"), Progress())
    venue.fail = [VenueError("no answer")] * module.TRIES
    with pytest.raises(VenueError):
        await download(venue, wish(tmp_path / "c"), Progress())


def test_a_file_of_another_making_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(b"open_time_ms,close\n1,2\n"))
    with pytest.raises(HistoryError, match="not a file of"):
        read_lines(path, CANDLES)


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.csv.gz"
    write_lines(path, CANDLES, {3: ("1",) * 5, 1: ("2",) * 5})
    assert list(read_lines(path, CANDLES)) == [1, 3]
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_lines(path, CANDLES, {1: ("9",) * 5})
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["x.csv.gz"]


def test_gaps() -> None:
    assert candle_gaps([0, 60, 120, 300], 60)[0].missing == 2
    hours = [0, 8, 12, 16, 24, 48, 49]
    found = rate_gaps([at * HOUR_MS + 12 for at in hours])
    assert [(gap.after_ms // HOUR_MS, gap.missing) for gap in found] == [(24, 2)]
