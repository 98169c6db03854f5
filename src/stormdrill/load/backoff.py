"""Whether and when the app tries again: few times, spread, later each time, never sooner than it was told."""

from __future__ import annotations

from random import Random

from stormdrill.profile import App


def delay_s(app: App, attempt: int, retry_after_s: float, rng: Random) -> float:
    """Seconds from the end of attempt number `attempt` (1 is the first) to the next one."""
    planned = app.backoff_s * app.backoff_factor ** (attempt - 1)
    return max(retry_after_s, planned * (1 + rng.uniform(-app.jitter, app.jitter)))
