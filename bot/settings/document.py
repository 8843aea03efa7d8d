"""One YAML file -> plain data in which every value knows its line. Nothing here knows any key.

A strict subset of YAML: one document, one mapping on top, no anchors, aliases, tags or merge keys (so that a small
file cannot grow large), no duplicate keys. Plain scalars are read as YAML 1.2 reads them: `true`, `false`, `null`,
decimal numbers, and text otherwise, so that a coin called ON stays a coin. Numbers keep their text.
"""

import codecs
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Never

import yaml
from yaml.reader import ReaderError

from bot.settings.problems import Problem, SettingsError

SIZE_MAX_BYTES = 128 * 1024
DEPTH_MAX = 16
NODES_MAX = 20_000
NUMBER_CHARS_MAX = 40

_UNUSABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
"""Characters that stand for nothing: controls, and halves of characters, which no file, log or database takes."""
_NUMBER = re.compile(r"[-+]?(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,3})?")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}

KeyPath = tuple[str | int, ...]
"""Keys from the top of the file, list positions counted from 0."""


class NumberText(str):
    """A number exactly as written in the file."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """Lines, counted from 1, of a key and of its value; equal for sections, lists and list items."""

    key_line: int
    value_line: int


@dataclass(slots=True)
class Document:
    """`data` holds dicts, lists, str, NumberText, bool and None. The root has the empty path in `marks`."""

    name: str
    data: dict[str, Any]
    marks: dict[KeyPath, Mark]
    problems: list[Problem] = field(default_factory=list)

    def line_of(self, path: KeyPath) -> int:
        """The line of the value at `path`, or of the nearest thing around it."""
        while path not in self.marks:
            path = path[:-1]
        return self.marks[path].value_line

    def key_line_of(self, path: KeyPath) -> int:
        """The line of the key at `path`, or of the nearest thing around it."""
        while path not in self.marks:
            path = path[:-1]
        return self.marks[path].key_line


class _TextLoader(yaml.SafeLoader):
    """Resolves nothing: every scalar stays text until `_scalar` has seen how it was written."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - the library's own protocol


def is_number(text: str) -> bool:
    return len(text) <= NUMBER_CHARS_MAX and _NUMBER.fullmatch(text) is not None


def unusable(text: str) -> str | None:
    """What is wrong with the first character that no value can have, if there is one: an escape can make any."""
    found = _UNUSABLE.search(text)
    return None if found is None else f"the character \\u{ord(found[0]):04x} is not allowed here"


def read_text(path: Path, name: str, missing_remedy: str = "") -> str:
    """The file's text. Raises SettingsError when it is not a readable UTF-8 file of reasonable size."""

    def refuse(wrong: str, remedy: str = "", line: int | None = None) -> Never:
        raise SettingsError([Problem(name, line, "", wrong, remedy)])

    try:
        # Non-blocking, because opening a pipe that nobody writes to would wait for ever.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except FileNotFoundError:
        refuse("there is no such file", missing_remedy)
    except PermissionError:
        refuse("the file cannot be read: permission denied", "let the user that runs carrybot read it")
    except (OSError, ValueError) as error:
        refuse(f"the file cannot be opened: {getattr(error, 'strerror', None) or error}", "check the path")
    try:
        mode = os.fstat(handle).st_mode
        if stat.S_ISDIR(mode):
            refuse("this is a directory, not a file", "name the YAML file in it")
        if not stat.S_ISREG(mode):
            refuse("this is not a regular file", "name a YAML file")
        raw = _read_all(handle)
    except OSError as error:
        refuse(f"the file cannot be read: {error.strerror or error}", "check the disk")
    finally:
        os.close(handle)
    if len(raw) > SIZE_MAX_BYTES:
        refuse(f"the file is larger than {SIZE_MAX_BYTES // 1024} KiB", "this cannot be a settings file")
    try:
        return raw.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as error:
        refuse("the file is not UTF-8 text", "save it as UTF-8", raw.count(b"\n", 0, error.start) + 1)


def _read_all(handle: int) -> bytes:
    """Up to one byte more than is allowed; a single read may return less than there is."""
    raw = b""
    while len(raw) <= SIZE_MAX_BYTES:
        part = os.read(handle, SIZE_MAX_BYTES + 1 - len(raw))
        if not part:
            break
        raw += part
    return raw


def parse(text: str, name: str) -> Document:
    """Raises SettingsError for what is not YAML of the subset; lesser problems are listed in the document."""
    try:
        _check_events(text, name)
        root = yaml.compose(text, Loader=_TextLoader)
    except yaml.MarkedYAMLError as error:
        raise SettingsError([_syntax_problem(error, name)]) from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1 if isinstance(error.position, int) else None
        problem = Problem(name, line, "", "a control character is not allowed here", "remove it")
        raise SettingsError([problem]) from None
    if root is None or (isinstance(root, yaml.ScalarNode) and root.value == ""):
        wrong = "the file holds no settings"
        raise SettingsError([Problem(name, 1, "", wrong, "start from config/demo.yaml or config/live.yaml")])
    if not isinstance(root, yaml.MappingNode):
        raise SettingsError(
            [Problem(name, _line(root), "", "the file must be a mapping", "write `key: value` lines")]
        )
    document = Document(name, {}, {(): Mark(_line(root), _line(root))})
    document.data = _convert(root, (), document)
    return document


def _line(node: yaml.Node | yaml.Event) -> int:
    mark = node.start_mark
    assert mark is not None, "PyYAML marks every node and event of a text"
    return int(mark.line) + 1


def _check_events(text: str, name: str) -> None:
    """Refuses what could make composing expensive or ambiguous, before anything is built."""

    def refuse(event: yaml.Event, wrong: str, remedy: str) -> Never:
        raise SettingsError([Problem(name, _line(event), "", wrong, remedy)])

    depth = documents = nodes = 0
    for event in _events(text):
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                refuse(event, "a second document starts here", "keep one document: remove this `---` line")
        if isinstance(event, yaml.AliasEvent) or (isinstance(event, yaml.NodeEvent) and event.anchor):
            refuse(event, "anchors and aliases (& and *) are not accepted", "write the value out")
        if isinstance(event, (yaml.ScalarEvent, yaml.CollectionStartEvent)):
            nodes += 1
            wrong = unusable(event.value) if isinstance(event, yaml.ScalarEvent) else None
            if wrong is not None:
                refuse(event, wrong, "remove it")
            if event.tag:
                refuse(event, f"the tag {event.tag} is not accepted", "write the plain value")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEPTH_MAX:
            refuse(event, f"more than {DEPTH_MAX} levels of nesting", "the settings need four")
        if nodes > NODES_MAX:
            refuse(event, f"more than {NODES_MAX} values", "this cannot be a settings file")


def _events(text: str) -> Iterator[yaml.Event]:
    yield from yaml.parse(text, Loader=_TextLoader)


def _syntax_problem(error: yaml.MarkedYAMLError, name: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    line = None if mark is None else int(mark.line) + 1
    wrong = " ".join((error.problem or "it cannot be read").split())
    if "'\\t'" in wrong or "\t" in (error.problem or ""):
        return Problem(name, line, "", "a tab is not accepted as indentation", "indent by spaces")
    remedy = "check the indentation, the colons and the quotes on this line and the one before it"
    return Problem(name, line, "", f"not valid YAML: {wrong}", remedy)


def _convert(node: yaml.Node, path: KeyPath, document: Document) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, document)
    if isinstance(node, yaml.SequenceNode):
        return _sequence(node.value, path, document)
    return _scalar(node)


def _mapping(node: yaml.MappingNode, path: KeyPath, document: Document) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            where = ".".join(map(str, path))
            document.problems.append(
                Problem(document.name, _line(key_node), where, "a key must be plain text", "write `key: value`")
            )
            continue
        key = str(key_node.value)
        here = (*path, key)
        if key in result:
            wrong = f"the key is written twice; line {document.marks[here].key_line} already has it"
            document.problems.append(
                Problem(document.name, _line(key_node), ".".join(map(str, here)), wrong, "keep one of them")
            )
            continue
        # A section or list is where its key is; a scalar where it stands, which may be on a line of its own.
        at_value = isinstance(value_node, yaml.ScalarNode) and value_node.value
        document.marks[here] = Mark(_line(key_node), _line(value_node if at_value else key_node))
        result[key] = _convert(value_node, here, document)
    return result


def _sequence(nodes: Sequence[yaml.Node], path: KeyPath, document: Document) -> list[Any]:
    result = []
    for index, node in enumerate(nodes):
        here = (*path, index)
        document.marks[here] = Mark(_line(node), _line(node))
        result.append(_convert(node, here, document))
    return result


def _scalar(node: yaml.Node) -> Any:
    text = str(node.value)
    if isinstance(node, yaml.ScalarNode) and node.style is None:
        if text in _WORDS:
            return _WORDS[text]
        if is_number(text):
            return NumberText(text)
    return text
