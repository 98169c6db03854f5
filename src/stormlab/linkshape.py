"""What a link is like: round-trip time, jitter, loss and bandwidth, in the words of files, commands and JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from stormlab import durations
from stormlab.errors import BadInputError

_MAX_RTT_MS = 10_000.0
_LEAST_MBIT_S, _MOST_MBIT_S = 0.01, 100_000.0
_SHARE = re.compile(r"(\d+(?:\.\d+)?)%")
_RATE = re.compile(r"(\d+(?:\.\d+)?)(kbit/s|Mbit/s|Gbit/s)")
_MBIT_S = {"kbit/s": 0.001, "Mbit/s": 1.0, "Gbit/s": 1000.0}
UNLIMITED = "unlimited"


@dataclass(frozen=True)
class LinkShape:
    """One link, the same in both directions."""

    rtt_ms: float
    """Round-trip time of a small packet on an empty link, on average."""
    jitter_ms: float = 0.0
    """By how much a round trip is at most shorter or longer than that; not more than `rtt_ms`."""
    loss: float = 0.0
    """Share of packets that is lost on each way, 0 to 1."""
    bandwidth_mbit_s: float | None = None
    """What fits through each way, counted in bytes of IP packets; None is unlimited."""

    def __post_init__(self) -> None:
        """Raise ValueError for a link that cannot be."""
        if not 0 <= self.rtt_ms <= _MAX_RTT_MS:
            raise ValueError("rtt_ms must be from 0 to 10000")
        if not self.jitter_ms >= 0:
            raise ValueError("jitter_ms must not be negative")
        if self.jitter_ms > self.rtt_ms:
            raise ValueError(f"a jitter of {self.jitter_ms:g} ms is more than the rtt of {self.rtt_ms:g} ms")
        if not 0 <= self.loss <= 1:
            raise ValueError("loss must be from 0 to 1")
        if self.bandwidth_mbit_s is not None and not _LEAST_MBIT_S <= self.bandwidth_mbit_s <= _MOST_MBIT_S:
            raise ValueError("bandwidth_mbit_s must be from 0.01 to 100000, or null")

    @property
    def beyond_delay(self) -> tuple[float, float, float | None]:
        """All but its round-trip time."""
        return self.jitter_ms, self.loss, self.bandwidth_mbit_s

    @property
    def plain(self) -> bool:
        """Whether it delays and does nothing else."""
        return self.beyond_delay == (0.0, 0.0, None)

    def to_json(self) -> dict[str, float | None]:
        """Plain values under the names of the fields."""
        return asdict(self)

    def changed(self, values: Mapping[str, Any]) -> LinkShape:
        """This one with some fields as JSON has them. Raises ValueError or TypeError for what makes no sense."""
        given = {field.name: values[field.name] for field in fields(self) if field.name in values}
        numbers = {name: None if value is None else float(value) for name, value in given.items()}
        if None in [value for name, value in numbers.items() if name != "bandwidth_mbit_s"]:
            raise ValueError("only bandwidth_mbit_s may be null")
        return LinkShape(**{**asdict(self), **numbers})

    def __str__(self) -> str:
        said = [f"{self.rtt_ms:g} ms round trip"]
        said += [f"jitter {self.jitter_ms:g} ms"] if self.jitter_ms else []
        said += [f"loss {self.loss:.6%}".rstrip("%").rstrip("0").rstrip(".") + "%"] if self.loss else []
        said += [] if self.bandwidth_mbit_s is None else [rate_text(self.bandwidth_mbit_s)]
        return ", ".join(said)


def rate_text(mbit_s: float) -> str:
    """A bandwidth as a file would say it."""
    unit = "Gbit/s" if mbit_s >= 1000 else "Mbit/s" if mbit_s >= 1 else "kbit/s"
    return f"{mbit_s / _MBIT_S[unit]:g}{unit}"


def _milliseconds(text: str) -> float:
    value_s = durations.parse_s(text, 0.0, _MAX_RTT_MS / 1000)
    if value_s is None:
        raise ValueError("must be a duration from 0ms to 10s, such as 30ms")
    return round(value_s * 1000.0, 6)


def _share(text: str) -> float:
    found = _SHARE.fullmatch(text)
    if found is None or float(found[1]) > 100:
        raise ValueError("must be a share from 0% to 100%, such as 0.1%")
    return float(found[1]) / 100


def _rate(text: str) -> float | None:
    if text == UNLIMITED:
        return None
    found = _RATE.fullmatch(text)
    value = float(found[1]) * _MBIT_S[found[2]] if found else 0.0
    if not _LEAST_MBIT_S <= value <= _MOST_MBIT_S:
        said = "must be a bandwidth from 10kbit/s to 100Gbit/s, such as 100Mbit/s"
        raise ValueError(f"{said}, or '{UNLIMITED}'")
    return value


_READERS: dict[str, tuple[str, Callable[[str], float | None]]] = {
    "rtt": ("rtt_ms", _milliseconds),
    "jitter": ("jitter_ms", _milliseconds),
    "loss": ("loss", _share),
    "bandwidth": ("bandwidth_mbit_s", _rate),
}
KEYS = tuple(_READERS)
"""What files and commands call the fields."""


def parse(texts: Mapping[str, str], wrong: Callable[[str, str], None]) -> dict[str, float | None]:
    """Fields of a LinkShape from texts under `KEYS`; `wrong` is told the key and what it must be."""
    found = {}
    for key, text in texts.items():
        name, reader = _READERS[key]
        try:
            found[name] = reader(text)
        except ValueError as error:
            wrong(key, str(error))
    return found


def from_options(texts: Mapping[str, str]) -> dict[str, float | None]:
    """Like `parse`, for options of the same names. Raises BadInputError with all that is wrong."""
    problems: list[str] = []
    found = parse(texts, lambda key, said: problems.append(f"--{key} {texts[key]}: {said}"))
    if problems:
        raise BadInputError(problems)
    return found
