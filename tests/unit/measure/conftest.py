"""Properties without a deadline per example: the machine may be busy. The same examples every time."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("measure", deadline=None, derandomize=True)
settings.load_profile("measure")
