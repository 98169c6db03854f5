"""How day-ends are run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Terms:
    """Interest in basis points a year, customers a chunk, seconds between two chunks, and a worker's lease in seconds.

    A day ends by itself `every_s` after it began; 0 is never.
    """

    rate_bp: int
    chunk: int
    rest_s: float
    lease_s: float
    every_s: float
