"""A place in the compact file: read strictly, and every problem reported at its own line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

import yaml

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_LONGEST = 40
Problem = tuple[int, str]
"""Line, from 1, and what is wrong there."""


class Place:
    """One node of the file with the way to it; wrong shapes are reported and read as absent."""

    def __init__(
        self,
        node: yaml.Node | None,
        path: str,
        line: int,
        problems: list[Problem],
        key: yaml.Node | None = None,
    ) -> None:
        self.key = key
        self.node = node if node is None or not node.tag.endswith(":null") else None
        self.path = path
        self.line = line
        self.problems = problems

    @property
    def present(self) -> bool:
        """Whether the file says something here."""
        return self.node is not None

    @property
    def is_list(self) -> bool:
        """Whether the file has a list here."""
        return isinstance(self.node, yaml.SequenceNode)

    def problem(self, text: str) -> None:
        """Report that this place is wrong."""
        self.problems.append((self.line, f"{self.path}: {text}" if self.path else text))

    def items(self) -> dict[str, Place]:
        """The entries of a mapping; keys given twice are reported."""
        found: dict[str, Place] = {}
        if self.node is None:
            return found
        if not isinstance(self.node, yaml.MappingNode):
            self.problem("must be a mapping (`key: value`)")
            return found
        for key, value in self.node.value:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else ""
            path, line = f"{self.path}.{name}".lstrip("."), key.start_mark.line + 1
            child = Place(value, path, line, self.problems, key)
            if not name:
                child.problem("keys must be plain text")
            elif name in found:
                child.problem("given twice")
            else:
                found[name] = child
        return found

    def fields(self, known: Iterable[str], required: Iterable[str] = ()) -> dict[str, Place]:
        """The entries of a mapping with exactly these keys; absent ones read as not present."""
        names, found = list(known), self.items()
        for key, child in found.items():
            if key not in names:
                where = f"{self.path}: " if self.path else ""
                self.problems.append((child.line, f"{where}unknown key '{key}'{_hint(key, names)}"))
        for key in required:
            if not (key in found and found[key].present) and (self.present or not self.path):
                self.problem(f"'{key}' is missing")
        absent = {
            key: Place(None, f"{self.path}.{key}".lstrip("."), self.line, self.problems) for key in names
        }
        return absent | {key: child for key, child in found.items() if key in names}

    def elements(self) -> list[Place]:
        """The elements of a list."""
        if self.node is None:
            return []
        if not isinstance(self.node, yaml.SequenceNode):
            self.problem("must be a list")
            return []
        return [
            Place(node, f"{self.path}[{i}]", node.start_mark.line + 1, self.problems)
            for i, node in enumerate(self.node.value)
        ]

    def text(self, default: str = "") -> str:
        """The scalar as text."""
        if self.node is None:
            return default
        if not isinstance(self.node, yaml.ScalarNode) or not self.node.value:
            self.problem("must be text")
            return default
        return str(self.node.value)

    def name(self, default: str = "") -> str:
        """A name of Kubernetes: lower-case letters, digits and `-`."""
        text = self.text(default)
        if self.present:
            self.check_name(text)
        return text

    def check_name(self, text: str) -> None:
        """Report `text`, this place's value or key, when it is no name of Kubernetes."""
        if not _NAME.fullmatch(text) or len(text) > _LONGEST:
            self.problem(
                f"'{text}' must be lower-case letters, digits and '-', at most {_LONGEST} characters"
            )

    def port(self, default: int = 0) -> int:
        """A port for loopback, 1024 to 65535."""
        text = self.text(str(default))
        if not text.isdecimal() or not (text == str(default) or 1024 <= int(text) <= 65535):
            self.problem(f"'{text}' is no port from 1024 to 65535")
            return default
        return int(text)


def known_as(what: str, name: str, known: Iterable[str]) -> str:
    """`no WHAT 'NAME'`, and what there is."""
    names = list(known)
    return f"no {what} '{name}' (there is: {', '.join(names)})" if names else f"no {what} '{name}'"


def _hint(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    return f"; did you mean '{close[0]}'?" if close else f" (known: {', '.join(known)})"
