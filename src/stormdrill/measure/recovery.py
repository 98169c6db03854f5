"""Recovery time: from t0 to the start of the first bin after which no bin within the window is bad.

Pure functions over due times in seconds from t0. A bin is bad when the good share of what was asked in it is
below the required success. A bin in which nothing was asked says nothing, neither good nor bad: it widens the
resolution. Probes are counted in bins of 0.1 s, sessions in bins of 1 s; where both exist the probes give
the number, carried on to the last bad session.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

PROBE_BIN_S = 0.1
LOAD_BIN_S = 1.0
EPSILON_S = 1e-9

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Bins:
    """How requests of one source are counted: bins of `width_s`, bad below the good share `success`."""

    source: str
    width_s: float
    success: float


@dataclass(frozen=True)
class Episode:
    """A stretch of hurt with no clean window inside.

    First and last bad due time; the end of the last bad bin and the start of the next; the first bin in
    between in which anything was asked (the next bad one, or the end, when nothing was).
    """

    first_bad_s: float
    last_bad_s: float
    bad_until_s: float
    next_bad_s: float
    asked_again_s: float
    width_s: float

    @property
    def edge_gap_s(self) -> float:
        """From the last bad bin's start to the first good evidence: how exactly the end is known."""
        return round(self.asked_again_s - self.bad_until_s + self.width_s, 9)


@dataclass(frozen=True)
class Span:
    """What the bins of one source say. Fields as in `values.Recovery`."""

    source: str
    width_s: float
    value_s: float | None
    lower_bound_s: float
    resolution_s: float
    largest_gap_s: float
    clean_s: float
    well_at_end: bool
    relapses: tuple[tuple[float, float], ...]


def span(bins: Bins, due_s: Floats, good: Bools, window_s: float, end_s: float) -> Span | None:
    """Recovery as seen by the requests due in [0, end_s); None when none was."""
    inside = (due_s >= 0) & (due_s < end_s)
    due_s, good = due_s[inside], good[inside]
    if not len(due_s):
        return None
    found = list(_episodes(bins, due_s, good, window_s, end_s))
    # Hurt that starts only after a clean window is a relapse, if anything good was seen before it.
    early = bool(found) and (found[0].first_bad_s < window_s or float(due_s.min()) >= found[0].first_bad_s)
    first = found[0] if early else None
    if first is None:
        value_s = clean_from_s = 0.0
        clean_until_s = found[0].first_bad_s if found else end_s
        edge_s = float(due_s.min()) // bins.width_s * bins.width_s
    else:
        value_s, clean_from_s, edge_s = first.asked_again_s, first.bad_until_s, first.edge_gap_s
        clean_until_s = first.next_bad_s
    clean_s = max(0.0, clean_until_s - clean_from_s)
    confirmed = clean_s >= window_s - EPSILON_S and value_s < clean_until_s
    later = found[1:] if first else found
    return Span(
        source=bins.source,
        width_s=bins.width_s,
        value_s=value_s if confirmed else None,
        lower_bound_s=first.last_bad_s if first else 0.0,
        resolution_s=max(bins.width_s, edge_s),
        largest_gap_s=_largest_gap(due_s, 0.0, min(max(value_s, clean_from_s + window_s), end_s)),
        clean_s=clean_s,
        well_at_end=not found or found[-1].asked_again_s < end_s - EPSILON_S,
        relapses=tuple((e.first_bad_s, e.bad_until_s) for e in later) if confirmed else (),
    )


def combined(probe: Span | None, load: Span | None) -> Span | None:
    """The probes' span, carried on to the last bad session; the sessions' own when they end far later."""
    if probe is None or load is None:
        return probe or load
    gap_s = min(load.largest_gap_s, probe.largest_gap_s)
    if probe.value_s is not None and load.value_s is None and load.lower_bound_s <= probe.value_s:
        # No session was hurt after the probes' recovery. That none of them asked again is no evidence against it.
        lower_bound_s = max(probe.lower_bound_s, load.lower_bound_s)
        return replace(probe, largest_gap_s=gap_s, lower_bound_s=lower_bound_s)
    if load.value_s is None or probe.value_s is None:
        worse = load if load.value_s is None else probe
        return replace(worse, largest_gap_s=gap_s, lower_bound_s=max(load.lower_bound_s, probe.lower_bound_s))
    if load.lower_bound_s > probe.value_s + load.width_s:
        return replace(load, largest_gap_s=gap_s)
    next_bin_s = round(math.ceil(load.lower_bound_s / probe.width_s - EPSILON_S) * probe.width_s, 9)
    return replace(
        probe,
        value_s=max(probe.value_s, next_bin_s),
        lower_bound_s=max(probe.lower_bound_s, load.lower_bound_s),
        largest_gap_s=gap_s,
        well_at_end=probe.well_at_end and load.well_at_end,
        relapses=probe.relapses or load.relapses,
    )


def _episodes(bins: Bins, due_s: Floats, good: Bools, window_s: float, end_s: float) -> Iterator[Episode]:
    """Episodes in order; each ends where a stretch of at least `window_s` without a bad bin begins."""
    # A due time on the edge of a bin must not fall into the bin before because of binary fractions.
    index = np.floor(due_s / bins.width_s + EPSILON_S).astype(np.int64)
    asked = np.bincount(index)
    right = np.bincount(index, good, len(asked))
    bad = np.flatnonzero(right < bins.success * asked - EPSILON_S)
    if not len(bad):
        return
    full = np.r_[np.flatnonzero(asked) * bins.width_s, end_s]
    bad_until = (bad + 1) * bins.width_s
    # The last bin may be cut off by the end of the run.
    asked_again = full[np.searchsorted(full, np.minimum(bad_until - bins.width_s / 2, end_s))]
    next_bad = np.r_[bad[1:] * bins.width_s, max(end_s, bad_until[-1])]
    clean = (next_bad - bad_until >= window_s - EPSILON_S) & (asked_again < next_bad)
    start = 0
    for last in sorted({*np.flatnonzero(clean).tolist(), len(bad) - 1}):
        hurt = due_s[(index >= bad[start]) & (index <= bad[last]) & ~good]
        yield Episode(
            first_bad_s=float(hurt.min()),
            last_bad_s=float(hurt.max()),
            # Rounded: multiples of 0.1 are not what binary makes of them.
            bad_until_s=round(float(bad_until[last]), 9),
            next_bad_s=round(float(next_bad[last]), 9),
            asked_again_s=round(float(asked_again[last]), 9),
            width_s=bins.width_s,
        )
        start = last + 1


def _largest_gap(due_s: Floats, start_s: float, end_s: float) -> float:
    """The longest time in [start, end] without a request due."""
    inside = np.sort(due_s[(due_s >= start_s) & (due_s <= end_s)])
    return float(np.diff(np.r_[start_s, inside, end_s]).max()) if end_s > start_s else 0.0
