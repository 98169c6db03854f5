"""`python -m stormlab`."""

from __future__ import annotations

import sys

from stormlab.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
