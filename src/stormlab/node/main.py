"""Entry point of a node process: `node --state DIR --zone Z`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path


def main(argv: Sequence[str]) -> int:
    """Run the node of one zone until told to stop."""
    parser = argparse.ArgumentParser(prog="stormlab node", description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--zone", required=True)
    parser.parse_args(argv)
    raise NotImplementedError("the node process is being written")
