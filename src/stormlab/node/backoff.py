"""How long a container that ended waits before it is started again, as a kubelet counts it."""

from __future__ import annotations

from stormlab.kubeletsettings import LONGEST_PERIOD_S

FIRST_S = 10.0
FORGET_S = 600.0
"""Without an end of the container; whatever the longest wait is, as in Kubernetes."""


class RestartBackoff:
    """Of one container: the first restart is at once, then 10 s, 20 s ... `longest_s`; quiet 10 min reset it.

    A `longest_s` below 10 s is the wait from the second restart on. It lives as long as its kubelet's process.
    """

    def __init__(self, longest_s: float = LONGEST_PERIOD_S) -> None:
        self._longest_s = longest_s
        self._delay_s = 0.0
        self._last_end_s: float | None = None

    def ended(self, at_s: float) -> float:
        """The container ended at `at_s` (any clock, seconds): the time on it when to start it again."""
        if self._last_end_s is None or at_s - self._last_end_s > FORGET_S:
            self._delay_s = 0.0
        delay_s = self._delay_s
        self._delay_s = min(self._longest_s, max(FIRST_S, delay_s * 2))
        self._last_end_s = at_s
        return at_s + delay_s
