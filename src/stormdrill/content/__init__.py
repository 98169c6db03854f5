"""Content files: YAML read with line and column, decoded strictly, every problem of every file collected.

`problems` gathers what is wrong, `document` reads a file to a tree of nodes that know where they stand,
`node` decodes scalars and mappings, `plain` turns frozen dataclasses into JSON and back.
"""

from __future__ import annotations

from stormdrill.content.document import Document, open_document
from stormdrill.content.node import Fields, Node
from stormdrill.content.problems import Problems, gather

__all__ = ["Document", "Fields", "Node", "Problems", "gather", "open_document"]
