"""How the tests start `carrybot`: as its owner does, with a data folder and an environment of its own."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def environment(data: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CARRYBOT")}
    return {**kept, "CARRYBOT_DATA": str(data), "COLUMNS": "160", **more}
