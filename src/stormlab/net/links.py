"""The links of a running lab: what each is like now, changed while packets are on their way."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from stormlab.errors import LabError
from stormlab.linkshape import LinkShape
from stormlab.net.delayline import DelayLine, Link
from stormlab.net.shaper import Shaper

_FIELDS = ("rtt_ms", "jitter_ms", "loss", "bandwidth_mbit_s", "up")
USAGE = f"set: needs between: [a, b], and one or more of {', '.join(_FIELDS)}"


class Links:
    """Every pair of sites, and the delay line that carries them. `names` are the sites by index."""

    def __init__(self, names: Sequence[str], shapes: Mapping[frozenset[str], LinkShape], seed: str) -> None:
        self._index = {name: index for index, name in enumerate(names)}
        self._shapes = dict(shapes)
        self._cut: set[frozenset[str]] = set()
        self._seed = seed
        ways = {way: shape for pair, shape in shapes.items() for way in self._ways(pair)}
        self.line = DelayLine({way: _one_way_ns(shape) for way, shape in ways.items()})
        for way, shape in ways.items():
            self.line.set_shaper(way, self._shaper(way, shape))

    def _ways(self, pair: frozenset[str]) -> tuple[Link, Link]:
        one, other = sorted(self._index[name] for name in pair)
        return (one, other), (other, one)

    def _shaper(self, way: Link, shape: LinkShape) -> Shaper | None:
        return None if shape.plain else Shaper(shape, f"{self._seed} {way[0]}>{way[1]}")

    def told(self) -> list[dict[str, Any]]:
        """Each link as JSON: ends, shape, whether it is up, and what its ways counted (see `Shaper`)."""
        now_ns = time.monotonic_ns()
        found = []
        for pair, shape in self._shapes.items():
            shapers = [made for way in self._ways(pair) if (made := self.line.shaper(way)) is not None]
            found.append(
                {"between": sorted(pair), **shape.to_json(), "up": pair not in self._cut}
                | {"lost": sum(made.lost for made in shapers)}
                | {"overflowed": sum(made.overflowed for made in shapers)}
                | {"queue_ms": round(max((made.queue_ns(now_ns) for made in shapers), default=0) / 1e6, 3)}
            )
        return found

    def change(self, request: Any) -> None:
        """Serve {"between": [a, b]} with some of the fields of a shape, and "up". Raises LabError."""
        try:
            pair = frozenset(request["between"])
            up = bool(request.get("up", pair not in self._cut))
            said = request.keys() & set(_FIELDS)
        except (AttributeError, KeyError, TypeError) as error:
            raise LabError(USAGE) from error
        if not said:
            raise LabError(USAGE)
        if pair not in self._shapes:
            raise LabError(f"no link between {' and '.join(map(str, request['between']))}")
        try:
            shape = self._shapes[pair].changed(request)
        except (TypeError, ValueError) as error:
            raise LabError(str(error)) from error
        self._set(pair, shape, up=up)

    def _set(self, pair: frozenset[str], shape: LinkShape, *, up: bool) -> None:
        before, self._shapes[pair] = self._shapes[pair], shape
        (self._cut.discard if up else self._cut.add)(pair)
        for way in self._ways(pair):
            self.line.set_delay(way, _one_way_ns(shape))
            if shape.beyond_delay != before.beyond_delay:
                self.line.set_shaper(way, self._shaper(way, shape))
            self.line.set_up(way, up=up)


def _one_way_ns(shape: LinkShape) -> int:
    return int(shape.rtt_ms * 1e6 / 2)
