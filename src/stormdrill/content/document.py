"""One YAML file as a tree of nodes with lines, and the hash of the bytes that were read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import stormestate
from stormdrill.content.node import Node
from stormdrill.content.problems import Problems
from stormdrill.errors import InputError

# The same loader in C where the wheel has it: 20 times faster, with the same lines.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Document:
    """A parsed file. `problems` collects until its `raise_if_any` is called by the decoder."""

    path: Path
    sha256: str
    root: Node
    problems: Problems
    notes: tuple[str, ...] = ()
    """What a compact estate cannot do, for its author to know."""


def open_document(path: Path, schema: str | None = None) -> Document:
    """Read one YAML document.

    With `schema`, the top-level key `schema` must hold exactly that. Raises InputError when the file cannot
    be read, is not YAML, or is of another schema: then nothing else in it is worth reporting. A compact estate is read
    as the full topology it stands for.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError.at(path, 0, error.strerror or str(error)) from None
    tree = compose(path, data)
    if tree is None:
        raise InputError.at(path, 0, "empty file")
    problems = Problems(path)
    expansion = stormestate.expand(tree, _reader(path.parent)) if stormestate.is_compact(tree) else None
    root = Node(expansion.tree if expansion else tree, "", 1, problems)
    if schema is not None:
        _check_schema(root, path, schema)
    if expansion and expansion.problems:
        for line, message in expansion.problems:
            problems.add(line, message)
        problems.only_on(expansion.taken_over)
    notes = expansion.notes if expansion else ()
    return Document(path, hashlib.sha256(data).hexdigest(), root, problems, notes)


def _reader(directory: Path) -> stormestate.Reader:
    """Reads files that an estate names; what is wrong with one is for its own reader to say."""

    def read(name: str) -> yaml.Node | None:
        path = directory / name
        try:
            return compose(path, path.read_bytes())
        except (OSError, InputError):
            return None

    return read


def compose(path: Path, data: bytes) -> yaml.Node | None:
    """The tree of one YAML document, None when it is empty; `path` is named in the InputError."""
    try:
        tree: yaml.Node | None = yaml.compose(data.decode("utf-8"), Loader=_LOADER)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError.at(path, line, "not UTF-8") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" (column {mark.column + 1})" if mark else ""
        raise InputError.at(path, mark.line + 1 if mark else 0, f"not YAML: {error.problem}{where}") from None
    except yaml.YAMLError as error:
        raise InputError.at(path, 0, f"not YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise InputError.at(path, 0, "nested too deeply to be read") from None
    return tree


def _check_schema(root: Node, path: Path, schema: str) -> None:
    found = dict(root.items()).get("schema")
    if found is None:
        root.problems.raise_if_any()
        raise InputError.at(path, 1, f"'schema: {schema}' is missing")
    text = found.text()
    root.problems.raise_if_any()
    if text != schema:
        raise InputError.at(path, found.line, f"schema is '{text}', expected '{schema}'")
