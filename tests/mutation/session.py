"""A pytest session that judges mutants instead of running its tests once."""

import importlib
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import pytest

from tests.mutation.operators import Mutant, mutants
from tests.mutation.targets import Target

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 120


def path_of(module: str) -> Path:
    return ROOT / Path(*module.split(".")).with_suffix(".py")


class Judge:
    """Plugin: collects, runs everything once while it watches the lines, then judges each mutant in a fork."""

    def __init__(self, target: Target, line: int | None, killed: dict[tuple[str, int, str], dict[str, Any]]) -> None:
        """`killed` are rows of an earlier run, by module, line and change, that are taken as they are."""
        self._target = target
        self._line = line
        self._killed = killed
        self.rows: list[dict[str, Any]] = []
        self._touching: dict[tuple[str, int], set[int]] = defaultdict(set)
        """(file, line) -> places of the tests that run it."""
        self._took_s: dict[int, float] = {}

    def pytest_configure(self) -> None:
        """Under the watch of its lines a test is slow, which says nothing of it."""
        from hypothesis import HealthCheck, settings  # after pytest, which rewrites its asserts

        settings.register_profile("watched", deadline=None, suppress_health_check=list(HealthCheck))
        settings.load_profile("watched")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            return True
        for place, item in enumerate(session.items):
            began = time.monotonic()
            with self._watching(place):
                _run(item, session)
            self._took_s[place] = time.monotonic() - began
        if session.testsfailed:
            return True
        for module in self._target.modules:
            for mutant in mutants(path_of(module).read_text()):
                if self._line is None or mutant.line == self._line:
                    self._judge(session, importlib.import_module(module), mutant)
        return True

    @contextmanager
    def _watching(self, place: int) -> Iterator[None]:
        files = {str(path_of(module)) for module in self._target.modules}

        def trace(frame: FrameType, event: str, _: Any) -> Any:
            name = frame.f_code.co_filename
            if name not in files:
                return None
            self._touching[name, frame.f_lineno].add(place)
            return trace

        sys.settrace(trace)
        try:
            yield
        finally:
            sys.settrace(None)

    def _judge(self, session: pytest.Session, module: ModuleType, mutant: Mutant) -> None:
        before = self._killed.get((module.__name__, mutant.line, mutant.what))
        if before is not None:
            self.rows.append(before)
            return
        places = self._places(str(path_of(module.__name__)), mutant)
        killed = bool(places) and _notices(session, module, mutant, places)
        row = {"module": module.__name__, "line": mutant.line, "what": mutant.what, "killed": killed}
        self.rows.append({"target": self._target.name, **row, "tests": len(places)})
        if not killed:
            print(f"survived: {module.__name__}:{mutant.line} {mutant.what}", flush=True)

    def _places(self, file: str, mutant: Mutant) -> list[int]:
        """Tests that touch the mutant's statement, the quickest first; all of them for what runs at import."""
        found = set[int]().union(*(self._touching.get((file, line), set()) for line in mutant.lines))
        if not mutant.in_function:
            found = set(self._took_s)
        return sorted(found, key=self._took_s.__getitem__)


def _run(item: pytest.Item, session: pytest.Session) -> None:
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)


def _notices(session: pytest.Session, module: ModuleType, mutant: Mutant, places: list[int]) -> bool:
    """Whether a test fails, or hangs, in a fork that has the mutant in place of the module's own code."""
    child = os.fork()
    if child == 0:
        os.setsid()
        code = 1
        try:
            silent = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silent, 1)
            os.dup2(silent, 2)
            replace(module, mutant.source)
            for place in places:
                _run(session.items[place], session)
                if session.testsfailed:
                    break
            code = int(bool(session.testsfailed))
        finally:
            os._exit(code)
    until = time.monotonic() + TIMEOUT_S
    while time.monotonic() < until:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status) != 0
        time.sleep(0.005)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def replace(module: ModuleType, source: str) -> None:
    """Functions, methods and constants of a module become those of other source, wherever they are used."""
    changed = ModuleType(module.__name__)
    changed.__file__ = module.__file__
    kept = sys.modules[module.__name__]
    sys.modules[module.__name__] = changed
    try:
        exec(compile(source, str(module.__file__), "exec"), changed.__dict__)
    finally:
        sys.modules[module.__name__] = kept
    for name, new in vars(changed).items():
        old = vars(module).get(name)
        if isinstance(new, FunctionType) and isinstance(old, FunctionType):
            _take_over(old, new)
        elif isinstance(new, type) and isinstance(old, type) and new.__module__ == module.__name__:
            _take_over_class(old, new)
        elif not name.startswith("__") and old != new and not isinstance(new, ModuleType):
            _set_everywhere(name, old, new)


def _take_over(old: FunctionType, new: FunctionType) -> None:
    if isinstance(new.__code__, CodeType) and len(old.__code__.co_freevars) == len(new.__code__.co_freevars):
        old.__code__ = new.__code__
        old.__defaults__, old.__kwdefaults__ = new.__defaults__, new.__kwdefaults__


def _take_over_class(old: type, new: type) -> None:
    for name, value in vars(new).items():
        mine = vars(old).get(name)
        if isinstance(value, FunctionType) and isinstance(mine, FunctionType):
            _take_over(mine, value)
        elif isinstance(value, property) and isinstance(mine, property) and value.fget and mine.fget:
            _take_over(mine.fget, value.fget)  # type: ignore[arg-type]


def _set_everywhere(name: str, old: Any, new: Any) -> None:
    """Also in modules that imported the name, and in a mapping that others hold itself."""
    if isinstance(old, dict) and isinstance(new, dict):
        old.clear()
        old.update(new)
        return
    for module in list(sys.modules.values()):
        if getattr(module, "__dict__", {}).get(name) is old:
            setattr(module, name, new)
