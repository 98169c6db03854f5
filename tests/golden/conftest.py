"""Golden runs: `builder` is shared by the tests of this directory."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import settings

# The machine may be busy: examples have no deadline of their own, and are the same every time.
settings.register_profile("golden", deadline=None, derandomize=True)
settings.load_profile("golden")
sys.path.insert(0, str(Path(__file__).parent))
