"""A topology file as a tree, whichever form it has: a compact estate is read as the full topology it stands for."""

from __future__ import annotations

from pathlib import Path

import yaml

import stormestate
from stormlab import yamltree
from stormlab.errors import BadInputError
from stormlab.overlays import Overlays
from stormlab.yamltree import Problems, Tree


def read(path: Path, directory: Path, *, whole: bool = True) -> tuple[Tree, Problems, Overlays | None]:
    """The tree of a topology file, what is wrong so far, and the overlays that follow from a compact one.

    `directory` is where the files that it names are; without `whole` they are not read, and nothing is held against
    them. Raises BadInputError when `path` cannot be read or is not YAML.
    """
    problems = Problems(str(path))
    node = yamltree.compose(path)
    if node is None or not stormestate.is_compact(node):
        return Tree(node, "", 1, problems), problems, None
    expansion = expand(node, directory if whole else None)
    if expansion.problems:
        for line, text in expansion.problems:
            problems.add(line, text)
        problems.only_on(expansion.taken_over)
    return (
        Tree(expansion.tree, "", 1, problems),
        problems,
        Overlays(directory / expansion.base, expansion.overlays),
    )


def expand(node: yaml.Node, directory: Path | None) -> stormestate.Expansion:
    """What a compact file stands for, held against the files it names when `directory` says where they are."""

    def named(name: str) -> yaml.Node | None:
        try:
            return yamltree.compose(Path(directory or ".") / name)
        except BadInputError:  # what is wrong with it, its own reader says
            return None

    return stormestate.expand(node, named if directory is not None else None)
