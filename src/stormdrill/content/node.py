"""One node of a content file: decodes itself to a value, and reports what is wrong at its own line.

A wrong or absent value is reported once and read as the default, so that decoding goes on and finds the rest;
the decoder raises at its end, so a defaulted value never escapes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import yaml

from stormdrill import units
from stormdrill.content.problems import Problems, unknown

T = TypeVar("T")
# The last three are what the library lets out for values such as `!!int ""` or 2026-13-41.
_UNREADABLE = (yaml.YAMLError, ValueError, IndexError, RecursionError)
_STR, _NULL, _MERGE = "tag:yaml.org,2002:str", "tag:yaml.org,2002:null", "tag:yaml.org,2002:merge"


class Node:
    """A place in a file. Absent nodes (`present` false) read as the default without a report."""

    def __init__(self, raw: yaml.Node | None, path: str, line: int, problems: Problems) -> None:
        self._raw = raw
        self.path = path
        self.line = raw.start_mark.line + 1 if raw is not None else line
        self.problems = problems

    @property
    def present(self) -> bool:
        """Whether the file says something here (`key:` with nothing after it says nothing)."""
        return self._raw is not None and self._raw.tag != _NULL

    @property
    def is_list(self) -> bool:
        """Whether the file has a list here."""
        return isinstance(self._raw, yaml.SequenceNode)

    @property
    def is_mapping(self) -> bool:
        """Whether the file has a mapping here."""
        return isinstance(self._raw, yaml.MappingNode)

    def problem(self, message: str) -> None:
        """Report that this place is wrong."""
        self.problems.add(self.line, f"{self.path}: {message}" if self.path else message)

    def nowhere(self) -> Node:
        """An absent node at this place: everything below it reads as default, without a report."""
        return Node(None, self.path, self.line, self.problems)

    def maybe(self, read: Callable[[Node], T]) -> T | None:
        """`read(self)` when present, else None."""
        return read(self) if self.present else None

    # Structure

    def items(self) -> list[tuple[str, Node]]:
        """Keys and values of a mapping, in order; keys given twice are reported."""
        if not self.present:
            return []
        if not isinstance(self._raw, yaml.MappingNode):
            self.problem("must be a mapping (`key: value`)")
            return []
        found: dict[str, Node] = {}
        for key, value in self._raw.value:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else ""
            child = Node(value, f"{self.path}.{name}".lstrip("."), 0, self.problems)
            child.line = key.start_mark.line + 1 if isinstance(value, yaml.CollectionNode) else child.line
            if not name or key.tag == _MERGE:
                child.problem("keys must be plain text; merge keys are not supported")
            elif name in found:
                child.problem("given twice")
            else:
                found[name] = child
        return list(found.items())

    def fields(self) -> Fields:
        """The mapping as fields with known names; use it in a `with`, whose end reports unknown keys."""
        return Fields(self)

    def elements(self) -> list[Node]:
        """The elements of a list."""
        if not self.present:
            return []
        if not isinstance(self._raw, yaml.SequenceNode):
            self.problem("must be a list")
            return []
        return [Node(raw, f"{self.path}[{i}]", 0, self.problems) for i, raw in enumerate(self._raw.value)]

    def plain(self) -> Any:
        """The whole subtree as plain Python values, for parts that somebody else checks."""
        try:
            return self._built()
        except _UNREADABLE as error:
            self.problem(f"cannot be read: {getattr(error, 'problem', None) or error}")
            return None

    def _built(self) -> Any:
        if self._raw is None:
            return None
        loader = yaml.SafeLoader("")
        try:
            return loader.construct_document(self._raw)
        finally:
            loader.dispose()

    # Scalars

    def text(self, default: str = "") -> str:
        """Non-empty text. Numbers and words that YAML reads as something else must be quoted."""
        value = self._scalar(default)
        if isinstance(value, str) and (value or value == default):
            return value
        self.problem(
            "must be text" if isinstance(value, str) else f'must be text; quote it: "{self._source()}"'
        )
        return default

    def texts(self) -> tuple[str, ...]:
        """A list of texts."""
        return tuple(element.text() for element in self.elements())

    def name(self, default: str = "unnamed") -> str:
        """Text usable in file names and identifiers: lower-case letters, digits, `-`, `_` and `.`."""
        text = self.text(default)
        if not text or not all(c.islower() or c.isdigit() or c in "-_." for c in text) or not text.isascii():
            self.problem(f"'{text}' must be lower-case letters, digits, '-', '_' and '.'")
            return default
        return text

    def choice(self, names: Iterable[str], default: str = "") -> str:
        """One of `names`."""
        known = list(names)
        text = self.text(default)
        if self.present and text not in known and text != default:
            self.problem(unknown("value", text, known))
            return default
        return text

    def boolean(self, default: bool = False) -> bool:
        """True or false."""
        value = self._scalar(default)
        if not isinstance(value, bool):
            self.problem("must be true or false")
            return default
        return value

    def integer(self, default: int = 0, *, low: int | None = None, high: int | None = None) -> int:
        """A whole number within [low, high]."""
        value = self._scalar(default)
        if not isinstance(value, int) or isinstance(value, bool):
            self.problem("must be a whole number")
            return default
        return int(self._bounded(value, default, low, high))

    def number(self, default: float = 0.0, *, low: float | None = None, high: float | None = None) -> float:
        """A finite number within [low, high]."""
        value = self._scalar(default)
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            self.problem("must be a number")
            return default
        return float(self._bounded(value, default, low, high))

    def duration_s(
        self, default: float = 0.0, *, low: float | None = None, high: float | None = None
    ) -> float:
        """`20s`, `1m30s`, `500ms` as seconds."""
        return self._bounded(self._unit(units.parse_duration_s, default), default, low, high)

    def ratio(self, default: float = 0.0) -> float:
        """`0.5%` or `0.005`."""
        return self._unit(units.parse_ratio, default)

    def rate_per_s(self, default: float = 0.0) -> float:
        """`100/s`, `30/min` or a bare number a second."""
        return self._unit(units.parse_rate_per_s, default)

    def file(self, base: Path) -> Path:
        """An existing file, named relative to `base`."""
        path = Path(base, self.text(".")).resolve()
        if self.present and not path.is_file():
            self.problem(f"no such file: {self._source()}")
        return path

    def parsed(self, parse: Callable[[str], T], default: T) -> T:
        """Text read by `parse`, whose ValueError is the report."""
        if not self.present:
            return default
        text = self.text()
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as error:
            self.problem(str(error))
            return default

    def _unit(self, parse: Callable[[Any], float], default: float) -> float:
        if not self.present:
            return default
        try:
            value = parse(self._scalar(None))
        except (ValueError, TypeError) as error:
            self.problem(str(error))
            return default
        if not math.isfinite(value) or value < 0:
            self.problem(f"must be a finite number, not below 0: {self._source()}")
            return default
        return value

    def _bounded(self, value: float, default: float, low: float | None, high: float | None) -> float:
        if not self.present or not ((low is not None and value < low) or (high is not None and value > high)):
            return value
        span = f"from {low:g} to {high:g}" if low is not None and high is not None else ""
        side = f"at least {low:g}" if low is not None else f"at most {high:g}"
        self.problem(f"must be {span or side}: {self._source()}")
        return default

    def _scalar(self, default: Any) -> Any:
        if not self.present:
            return default
        if not isinstance(self._raw, yaml.ScalarNode):
            return None
        try:
            return self._raw.value if self._raw.tag == _STR else self._built()
        except _UNREADABLE:
            return None

    def _source(self) -> str:
        return str(self._raw.value) if isinstance(self._raw, yaml.ScalarNode) else "..."


class Fields:
    """A mapping whose keys are asked for by name; leaving the `with` reports the keys nobody asked for."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._found = dict(node.items())
        self._asked: dict[str, None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        if kind is not None:
            return
        for name, child in self._found.items():
            if name not in self._asked:
                where = f"{self.node.path}: " if self.node.path else ""
                self.node.problems.add(child.line, where + unknown("key", name, self._asked))

    def pass_over(self) -> None:
        """Ask for every key: what they should be is not known, and said to be wrong already."""
        self._asked |= dict.fromkeys(self._found)

    def get(self, name: str) -> Node:
        """The value of an optional key; an absent node when it is not there."""
        self._asked[name] = None
        path = f"{self.node.path}.{name}".lstrip(".")
        return self._found.get(name) or Node(None, path, self.node.line, self.node.problems)

    def need(self, name: str) -> Node:
        """The value of a required key; its absence is reported."""
        child = self.get(name)
        if not child.present and self.node.present:
            self.node.problem(f"'{name}' is missing")
        return child
