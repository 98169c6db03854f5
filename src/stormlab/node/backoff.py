"""How long a container that ended waits before it is started again."""

from __future__ import annotations

FIRST_S = 10.0
LONGEST_S = 300.0
FORGET_S = 600.0


class RestartBackoff:
    """Of one container: the first restart is immediate, then 10 s, 20 s ... 300 s; quiet 10 min reset it."""

    def __init__(self) -> None:
        self._delay_s: float | None = None
        self._last_end_s: float | None = None

    def ended(self, at_s: float) -> float:
        """The container ended at `at_s` (any clock, seconds): the time on it when to start it again."""
        if self._last_end_s is None or at_s - self._last_end_s > FORGET_S:
            self._delay_s = None
        delay_s = 0.0 if self._delay_s is None else self._delay_s
        self._delay_s = FIRST_S if self._delay_s is None else min(LONGEST_S, self._delay_s * 2)
        self._last_end_s = at_s
        return at_s + delay_s
