"""What is said to the control port reaches books, tape and log, whatever terminal it was typed on."""

import http.client
import json
from asyncio import to_thread
from collections.abc import Mapping
from pathlib import Path

from bot.observe.api import ControlServer
from bot.observe.views import View

HALF = "caf\udce9"
"""What Python makes of `café` in Latin-1 where it expects UTF-8."""


async def test_a_reason_in_another_encoding_is_a_reason_all_the_same(tmp_path: Path) -> None:
    """It was no text for the database: that commit was refused, and all after it, those that reduce as well."""
    heard: list[Mapping[str, str]] = []

    async def hear(fields: Mapping[str, str]) -> View:
        heard.append(fields)
        return {}

    server = ControlServer(tmp_path, tmp_path / "token", {"question": hear}, {"flatten": hear})
    port = await server.start("127.0.0.1", 0, ("127.0.0.1", 1))

    def ask(method: str, path: str, body: str | None = None) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request(method, path, body, {"Authorization": f"Bearer {server.token}"})
        status = connection.getresponse().status
        connection.close()
        return status

    try:
        assert await to_thread(ask, "POST", "/v1/flatten", json.dumps({"reason": HALF})) == 200
        assert await to_thread(ask, "GET", "/v1/question?coin=caf%E9") == 200
        assert await to_thread(ask, "POST", "/v1/flatten", json.dumps({"reason": "café 币"})) == 200
    finally:
        await server.close()
    for fields in heard:
        assert json.dumps(dict(fields), ensure_ascii=False).encode()
    assert [fields.get("reason") for fields in heard] == ["caf?", None, "café 币"]
