"""Content files: YAML read with line and column, decoded strictly, every problem of every file collected.

`problems` gathers what is wrong, `document` reads a file to a tree of nodes that know where they stand,
`node` decodes scalars and mappings, `lines` says where they stand, `plain` turns frozen dataclasses into JSON and back.
"""

from __future__ import annotations

from stormdrill.content.document import Document, compose, open_document
from stormdrill.content.lines import lines_of
from stormdrill.content.node import Fields, Node
from stormdrill.content.problems import Problems, gather

__all__ = ["Document", "Fields", "Node", "Problems", "compose", "gather", "lines_of", "open_document"]
