"""A bare loop that sleeps until each due time, with the generator's own right of way; prints its p99 lateness in ms."""

from __future__ import annotations

import sys
import time

import numpy as np

from stormdrill.priority import go_before_others
from stormdrill.wait import pause


def main(rate_per_s: float, for_s: float) -> None:
    """Sleep, and note how late each wake-up is."""
    go_before_others(-15)
    began_s, late_s = time.monotonic(), []
    for number in range(int(rate_per_s * for_s)):
        due_s = began_s + number / rate_per_s
        pause(due_s - time.monotonic())
        late_s.append(time.monotonic() - due_s)
    print(float(np.percentile(late_s, 99)) * 1000)


if __name__ == "__main__":
    main(float(sys.argv[1]), float(sys.argv[2]))
