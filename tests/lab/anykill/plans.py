"""What one run does, drawn from a seed: what is under way, whom SIGKILL hits and when, and what mends it."""

import random
from dataclasses import dataclass

_UNDER_WAY = {"up": 5.0, "nothing": 0.5, "down": 0.08, "up of what is up": 1.0}
"""Command, and within how many seconds of its start the first kill comes: about as long as it takes.

A `down` starts, here, when its removal has begun: what comes before is longer, and does nothing.
"""
_VICTIMS = (
    "command", "relay", "api", "node", "targets", "prometheus", "names", "forwards", "shim", "container", "all daemons",
)  # fmt: skip


@dataclass(frozen=True)
class Kill:
    """`after_s` the one before, or the command's start; `which` of its kind: a share of those there are."""

    victim: str
    which: float
    after_s: float

    def __str__(self):
        return f"{self.victim} {self.after_s:.2f} s later"


@dataclass(frozen=True)
class Plan:
    seed: int
    under_way: str
    kills: tuple[Kill, ...]
    mended_by: tuple[str, ...]
    """Commands that must do their work then; the last is always `down`."""

    def __str__(self):
        kills = ", ".join(map(str, self.kills))
        return (
            f"seed {self.seed}: during {self.under_way} SIGKILL of {kills}; then {', '.join(self.mended_by)}"
        )


def plan_of(seed):
    """The same for the same seed."""
    draw = random.Random(seed)
    under_way = draw.choice([*_UNDER_WAY])
    victims = [one for one in _VICTIMS if one != "command" or under_way != "nothing"]
    # The command itself is one of eleven, and what leaves most behind.
    first = "command" if under_way != "nothing" and draw.random() < 0.3 else draw.choice(victims)
    kills = [Kill(first, draw.random(), draw.uniform(0, _UNDER_WAY[under_way]))]
    kills += [
        Kill(draw.choice(victims), draw.random(), draw.uniform(0, 0.5)) for _ in range(draw.randrange(3))
    ]
    return Plan(seed, under_way, tuple(kills), draw.choice([("up", "down"), ("down",)]))
