"""The image and the compose file, read as data: their promises of safety are checked without a container engine."""

import json
import os
import re
import shlex
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.settings import load, require_credentials, secrets

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Instruction:
    word: str
    text: str


def instructions() -> list[Instruction]:
    """The Dockerfile's instructions in order, with continued lines joined and comments left out."""
    lines = [each for each in (ROOT / "Dockerfile").read_text().splitlines() if not each.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [Instruction(*each.split(maxsplit=1)) for each in joined.splitlines() if each.strip()]


def stages() -> list[list[Instruction]]:
    found: list[list[Instruction]] = []
    for each in instructions():
        if each.word == "FROM":
            found.append([])
        if found:
            found[-1].append(each)
    return found


BUILD, FINAL = stages()


def of(stage: list[Instruction], word: str) -> list[str]:
    return [each.text for each in stage if each.word == word]


def environment(stage: list[Instruction]) -> dict[str, str]:
    return dict(part.split("=", 1) for text in of(stage, "ENV") for part in shlex.split(text))


def test_every_base_has_a_slim_tag():
    arguments = dict(text.split("=", 1) for text in of(instructions(), "ARG"))
    for text in of(instructions(), "FROM"):
        image = text.split()[0]
        image = arguments[image[2:-1]] if image.startswith("${") else image
        assert re.fullmatch(r"python:3\.\d+(\.\d+)?-slim(@sha256:[0-9a-f]{64})?", image)


def test_packages_are_installed_by_hash_from_wheels_alone():
    installs = [part for text in of(BUILD, "RUN") for part in text.split("&&") if "pip install" in part]
    assert len(installs) == 2
    assert "--require-hashes" in installs[0]
    assert "--only-binary :all:" in installs[0]
    assert "-r requirements.lock" in installs[0]
    assert "--no-deps" in installs[1]
    assert "--no-build-isolation" in installs[1]


def test_the_final_stage_installs_and_compiles_nothing():
    for text in of(FINAL, "RUN"):
        assert not re.search(r"\b(apt|apt-get|pip|gcc|make|curl|wget|git)\b", text)
    assert "pip uninstall --yes setuptools pip" in " ".join(of(BUILD, "RUN"))
    assert not of(FINAL, "ADD")


def test_it_runs_as_a_fixed_user_who_is_not_root():
    (user,) = of(FINAL, "USER")
    assert user == "10001:10001"
    made = " ".join(of(FINAL, "RUN"))
    assert "useradd --uid 10001 --gid 10001" in made
    assert "install -d -o 10001 -g 10001 -m 0700 /data" in made
    words = [each.word for each in FINAL]
    assert words.index("USER") > max(index for index, word in enumerate(words) if word in ("RUN", "COPY"))


def test_the_root_file_system_may_be_read_only():
    variables = environment(FINAL)
    assert variables["PYTHONDONTWRITEBYTECODE"] == "1"
    assert variables["CARRYBOT_DATA"] == "/data"
    assert json.loads(of(FINAL, "VOLUME")[0]) == ["/data"]


def test_signals_reach_the_daemon():
    assert of(FINAL, "STOPSIGNAL") == ["SIGTERM"]
    assert json.loads(of(FINAL, "ENTRYPOINT")[0]) == ["carrybot"]
    assert json.loads(of(FINAL, "CMD")[0]) == ["run", "-c", "/config/live.yaml"]


def test_no_secret_is_baked_in():
    assert not re.search(r"(?i)(api_key|api_secret|password|token)\s*=", (ROOT / "Dockerfile").read_text())


def copied() -> list[str]:
    sources = []
    for text in (*of(BUILD, "COPY"), *of(FINAL, "COPY")):
        parts = text.split()
        if not parts[0].startswith("--from"):
            sources.extend(parts[:-1])
    return sources


@pytest.mark.parametrize("source", sorted(set(copied())))
def test_what_is_copied_exists_and_is_sent_to_the_engine(source):
    assert (ROOT / source).exists()
    allowed = (ROOT / ".dockerignore").read_text().splitlines()
    assert f"!{source}" in allowed


def test_nothing_else_is_sent_to_the_engine():
    lines = [each for each in (ROOT / ".dockerignore").read_text().splitlines() if each and not each.startswith("#")]
    assert lines[0] == "*"
    assert {each[1:] for each in lines if each.startswith("!")} == set(copied())


def test_secrets_stay_out_of_the_repository():
    ignored = subprocess.run(
        ["git", "check-ignore", "secrets/x", "data/x"], check=False, cwd=ROOT, capture_output=True, text=True
    )
    if ignored.returncode == 128:
        pytest.skip("not a git checkout")
    assert ignored.stdout.split() == ["secrets/x", "data/x"]


@contextmanager
def answering(status: int) -> Iterator[int]:
    """A server whose /readyz answers with the status; yields its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def health_check(port: int) -> int:
    (text,) = of(FINAL, "HEALTHCHECK")
    command = json.loads(text.partition("CMD ")[2])
    assert command[0] == "python"
    environ = {**os.environ, "CARRYBOT_HEALTH__PORT": str(port), "http_proxy": "http://127.0.0.1:9"}
    run = [sys.executable, *command[1:]]
    return subprocess.run(run, check=False, env=environ, capture_output=True, timeout=30).returncode


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_the_health_check_follows_readyz(status, healthy):
    with answering(status) as port:
        assert (health_check(port) == 0) is healthy


def test_the_health_check_fails_where_nobody_answers():
    with answering(200) as port:
        pass
    assert health_check(port) != 0


def compose() -> dict[str, Any]:
    loaded = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert isinstance(loaded, dict)
    return loaded


def service() -> dict[str, Any]:
    (only,) = compose()["services"].values()
    assert isinstance(only, dict)
    return only


def test_the_container_has_no_rights_to_spare():
    made = service()
    assert made["cap_drop"] == ["ALL"]
    assert "cap_add" not in made
    assert "privileged" not in made
    assert made["security_opt"] == ["no-new-privileges:true"]
    assert made["read_only"] is True
    assert made["user"] == of(FINAL, "USER")[0]
    assert [each.split(":")[0] for each in made["tmpfs"]] == ["/tmp"]
    assert "noexec" in made["tmpfs"][0]


def test_the_container_is_bounded_and_comes_back():
    made = service()
    assert made["restart"] == "unless-stopped"
    assert re.fullmatch(r"\d+s", made["stop_grace_period"])
    assert made["stop_signal"] == "SIGTERM"
    assert made["mem_limit"]
    assert made["pids_limit"] <= 512
    assert set(made["logging"]["options"]) == {"max-size", "max-file"}
    assert "healthcheck" not in made, "the image's own is inherited"


def test_volumes_and_ports():
    made = service()
    assert "./config:/config:ro" in made["volumes"]
    assert "data:/data" in made["volumes"]
    assert compose()["volumes"] == {"data": {}}
    (port,) = made["ports"]
    assert port == f"127.0.0.1:8470:{environment(FINAL)['CARRYBOT_HEALTH__PORT']}"


def test_the_containers_environment_is_valid_and_takes_secrets_from_files(tmp_path):
    made = service()
    assert set(made["secrets"]) == set(compose()["secrets"])
    environ = {**environment(FINAL), **made["environment"]}
    for name, text in made["environment"].items():
        assert not re.search(r"(KEY|SECRET)$", name), "a secret's value is not in the file"
        if str(text).startswith("/run/secrets/"):
            secret = tmp_path / Path(text).name
            assert secret.name in made["secrets"]
            secret.write_text(f"{secret.name}-value\n")
            environ[name] = str(secret)
    config = made["command"][made["command"].index("-c") + 1]
    settings = load(ROOT / config.lstrip("/"), {key: str(each) for key, each in environ.items()})
    require_credentials(settings)
    assert secrets(settings) == ("binance_api_key-value", "binance_api_secret-value")
    assert settings.health.host == "0.0.0.0"
    assert str(settings.data_dir) == "/data"


def test_ci_runs_what_make_check_runs():
    script = ROOT / ".ci/run"
    text = script.read_text()
    assert os.access(script, os.X_OK)
    assert text.startswith("#!/usr/bin/env bash\n")
    assert "set -euo pipefail" in text
    assert "make check" in text
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_locks_are_complete_by_hash_and_name_no_index(name):
    text = (ROOT / name).read_text()
    assert not re.search(r"https?://|--(index-url|find-links|trusted-host)", text)
    entries = re.split(r"\n(?=[a-z0-9])", re.sub(r"(?m)^\s*#.*\n", "", text).strip())
    pinned = set()
    for entry in entries:
        found = re.match(r"([a-z0-9][a-z0-9._-]*)(?:\[[a-z,]+\])?==\S+", entry)
        assert found, entry[:80]
        assert "--hash=sha256:" in entry, found.group()
        pinned.add(found.group(1))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + (project["optional-dependencies"]["dev"] if "dev" in name else [])
    for each in wanted:
        assert re.split(r"[\[>=<; ]", each.lower())[0] in pinned, each
