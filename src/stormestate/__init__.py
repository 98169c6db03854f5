"""An estate in a compact file: regions, cells and links are stated, everything else follows from them.

Pure: YAML nodes in, the node tree of a full topology and the text of kustomize overlays out. The harness and the lab
both expand a file of schema `stormdrill.estate/1` right after it was parsed, so both read the same full topology, and
what they report stands at the compact file's lines.
"""

from __future__ import annotations

from stormestate.expand import SCHEMA, Expansion, Reader, expand, is_compact

__all__ = ["SCHEMA", "Expansion", "Reader", "expand", "is_compact"]
