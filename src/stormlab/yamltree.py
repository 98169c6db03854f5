"""A YAML file as a tree that knows its lines, read so that every problem is reported, not only the first."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from stormlab.errors import BadInputError


class Problems:
    """Collects `file:line: text` until `raise_if_any`."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._found: list[tuple[int, str]] = []
        self._heard: Container[int] | None = None

    def add(self, line: int, text: str) -> None:
        """Remember one problem; `line` counts from 1."""
        if self._heard is None or line in self._heard:
            self._found.append((line, text))

    def only_on(self, lines: Container[int]) -> None:
        """From now on pass over what is said of other lines: it follows from what is known already."""
        self._heard = lines

    def raise_if_any(self) -> None:
        """Raise BadInputError with all problems in the order of their lines."""
        if self._found:
            raise BadInputError(f"{self._file}:{line}: {text}" for line, text in sorted(self._found))


class Tree:
    """One node of the file with the way to it; wrong shapes are reported and read as empty."""

    def __init__(self, node: yaml.Node | None, path: str, line: int, problems: Problems) -> None:
        self._node = node
        self.path = path
        self.line = line if node is None else node.start_mark.line + 1
        self._problems = problems

    @property
    def present(self) -> bool:
        """Whether the file says anything here."""
        return self._node is not None

    def problem(self, text: str) -> None:
        """Report that this node is wrong."""
        where = f"{self.path}: " if self.path else ""
        self._problems.add(self.line, where + text)

    def items(self) -> Iterator[tuple[str, Tree]]:
        """Key and value of each entry of a mapping."""
        if self._node is None:
            return
        if not isinstance(self._node, yaml.MappingNode):
            self.problem("must be a mapping")
            return
        seen: set[str] = set()
        for key_node, value in self._node.value:
            key = str(key_node.value)
            child = self._child(value, key, key_node.start_mark.line + 1)
            if key in seen:
                child.problem("given twice")
            seen.add(key)
            yield key, child

    def fields(self, known: Iterable[str], required: Iterable[str] = ()) -> dict[str, Tree]:
        """The entries of a mapping with exactly these keys; absent ones read as not present."""
        names = list(known)
        found = dict(self.items())
        for key, child in found.items():
            if key not in names:
                child.problem(f"unknown key (known: {', '.join(names)})")
        for key in required:
            if key not in found and self.present:
                self.problem(f"'{key}' is missing")
        absent = {key: self._child(None, key) for key in names}
        return absent | {key: child for key, child in found.items() if key in names}

    def elements(self) -> list[Tree]:
        """The elements of a list."""
        if self._node is None:
            return []
        if not isinstance(self._node, yaml.SequenceNode):
            self.problem("must be a list")
            return []
        return [self._child(node, f"[{i}]") for i, node in enumerate(self._node.value)]

    def _child(self, node: yaml.Node | None, key: str, line: int | None = None) -> Tree:
        path = f"{self.path}{key}" if key.startswith("[") else f"{self.path}.{key}".lstrip(".")
        child = Tree(node, path, self.line, self._problems)
        child.line = line or child.line  # where its key stands is where people look
        return child

    def text(self, default: str = "") -> str:
        """The scalar as text."""
        if self._node is None:
            return default
        if not isinstance(self._node, yaml.ScalarNode) or not self._node.value:
            self.problem("must be a text")
            return default
        return str(self._node.value)

    def integer(self, default: int, low: int, high: int) -> int:
        """The scalar as an integer within [low, high]."""
        if self._node is None:
            return default
        text = self.text()
        if not text.isdecimal() or not low <= int(text) <= high:
            self.problem(f"must be an integer from {low} to {high}")
            return default
        return int(text)

    def plain(self) -> Any:
        """The node as plain Python values, for parts that another reader checks."""
        if self._node is None:
            return None
        return yaml.safe_load(yaml.serialize(self._node))


def compose(path: Path) -> yaml.Node | None:
    """Parse `path`; raises BadInputError when it cannot be read or is not YAML."""
    try:
        node: yaml.Node | None = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise BadInputError([f"{path}: {error.strerror}"]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 1
        raise BadInputError([f"{path}:{line}: not YAML: {getattr(error, 'problem', error)}"]) from error
    return node
