"""The loop's clock: a wait that is over is over, however short it was (a SimpleQueue's may last for ever)."""

import subprocess
import sys

SCRIPT = """
import queue
from stormdrill.agent.watch import Inbox
for _ in range(4000):
    try:
        Inbox.__origin__().get(timeout=1e-6)
    except queue.Empty:
        pass
"""


def test_a_wait_of_no_length_ends():
    subprocess.run([sys.executable, "-c", SCRIPT], check=True, timeout=60)
