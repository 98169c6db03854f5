"""The recovery clock against outages whose times are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormdrill.measure.recovery import Bins, Span, combined, span

PROBE = Bins("probe", 0.1, 0.99)
LOAD = Bins("load", 1.0, 0.99)
WINDOW_S, END_S = 10.0, 60.0


@dataclass(frozen=True)
class Seen:
    due_s: np.ndarray
    good: np.ndarray


def probes(
    outages: list[tuple[float, float]], rate: float = 100.0, end_s: float = END_S, phase: float = 0.0
) -> Seen:
    due_s = np.arange(phase / rate, end_s, 1 / rate)
    good = np.ones(len(due_s), bool)
    for start_s, stop_s in outages:
        good &= ~((due_s >= start_s) & (due_s < stop_s))
    return Seen(due_s, good)


def measured(seen: Seen, bins: Bins = PROBE, end_s: float = END_S) -> Span:
    found = span(bins, seen.due_s, seen.good, WINDOW_S, end_s)
    assert found is not None
    return found


@given(length_s=st.floats(0.05, 45.0), rate=st.sampled_from([50.0, 100.0, 137.0]), phase=st.floats(0, 0.99))
def test_one_outage_is_measured_within_one_bin(length_s: float, rate: float, phase: float) -> None:
    found = measured(probes([(0.0, length_s)], rate, phase=phase))
    assert found.value_s is not None
    assert -1 / rate <= found.value_s - length_s <= PROBE.width_s + 1e-6
    assert found.lower_bound_s <= length_s <= found.value_s + 1 / rate
    assert found.resolution_s == PROBE.width_s


@given(first=st.floats(0.2, 5.0), gap=st.floats(0.3, WINDOW_S - 0.5), second=st.floats(0.2, 5.0))
def test_flapping_within_the_window_resets_it(first: float, gap: float, second: float) -> None:
    found = measured(probes([(0.0, first), (first + gap, first + gap + second)]))
    assert found.value_s == pytest.approx(first + gap + second, abs=PROBE.width_s + 0.02)
    assert not found.relapses


def test_hurt_after_a_clean_window_is_a_relapse() -> None:
    found = measured(probes([(0.0, 2.0), (20.0, 23.0)]))
    assert found.value_s == pytest.approx(2.0)
    assert found.relapses == ((20.0, pytest.approx(23.0)),)


def test_late_hurt_alone_is_a_relapse_of_a_recovery_that_took_no_time() -> None:
    found = measured(probes([(25.0, 30.0)]))
    assert found.value_s == 0.0
    assert found.relapses == ((25.0, pytest.approx(30.0)),)


def test_nothing_hurt_is_zero_with_its_resolution() -> None:
    found = measured(probes([]))
    assert (found.value_s, found.lower_bound_s, found.resolution_s) == (0.0, 0.0, 0.1)


def test_hurt_at_the_very_end_is_not_well() -> None:
    assert measured(probes([(0.0, 2.0), (30.0, 31.0)])).well_at_end
    found = measured(probes([(0.0, 2.0), (58.0, 61.0)]))
    assert (found.value_s, found.well_at_end) == (2.0, False)


def test_hurt_is_no_relapse_when_nothing_good_was_seen_before() -> None:
    found = measured(Seen(np.array([15.0, 30.0, 45.0]), np.array([False, False, True])), LOAD)
    assert (found.value_s, found.lower_bound_s) == (45.0, 30.0)


def test_never_recovered_has_only_a_lower_bound() -> None:
    found = measured(probes([(0.0, END_S + 1)]))
    assert found.value_s is None
    assert found.lower_bound_s == pytest.approx(END_S - 0.01)


def test_a_window_that_was_not_watched_to_its_end_confirms_nothing() -> None:
    found = measured(probes([(0.0, 55.0)]))
    assert found.value_s is None
    assert found.lower_bound_s == pytest.approx(54.99)
    assert found.clean_s == pytest.approx(5.0)


def test_no_hurt_but_too_short_a_watch_confirms_nothing() -> None:
    found = measured(probes([], end_s=4.0), end_s=4.0)
    assert found.value_s is None
    assert found.clean_s == pytest.approx(4.0)


def test_empty_bins_are_no_good_evidence() -> None:
    seen = probes([(0.0, 2.0)])
    asked = (seen.due_s < 2.0) | (seen.due_s >= 5.0)
    found = measured(Seen(seen.due_s[asked], seen.good[asked]))
    assert found.value_s == pytest.approx(5.0)
    assert found.lower_bound_s == pytest.approx(1.99)
    assert found.resolution_s == pytest.approx(3.1)
    assert found.largest_gap_s == pytest.approx(3.01)


def test_a_rare_operation_needs_one_good_answer_and_a_window_without_bad_ones() -> None:
    due_s = np.array([1.2, 4.2, 9.5, 14.0])
    found = measured(Seen(due_s, np.array([False, False, True, True])), LOAD, 16.0)
    assert (found.value_s, found.lower_bound_s, found.resolution_s) == (9.0, 4.2, 5.0)
    unseen = measured(Seen(due_s[:2], np.array([False, False])), LOAD, 16.0)
    assert unseen.value_s is None


def test_a_hole_in_the_asking_is_reported_even_when_nothing_was_hurt() -> None:
    seen = probes([])
    asked = (seen.due_s < 3.0) | (seen.due_s >= 8.0)
    found = measured(Seen(seen.due_s[asked], seen.good[asked]))
    assert found.value_s == 0.0
    assert found.largest_gap_s == pytest.approx(5.01)


def test_nobody_asked_is_no_span() -> None:
    nothing = np.empty(0)
    assert span(PROBE, nothing, nothing.astype(bool), WINDOW_S, END_S) is None


@given(st.permutations(range(12)))
def test_the_order_of_records_does_not_matter(order: list[int]) -> None:
    seen = probes([(0.0, 3.0)], rate=1.0, end_s=12.0)
    shuffled = Seen(seen.due_s[order], seen.good[order])
    assert measured(shuffled, LOAD, 13.0) == measured(seen, LOAD, 13.0)


@pytest.mark.parametrize(("share", "bad"), [(0.995, False), (0.98, True)])
def test_a_bin_is_bad_below_the_required_share(share: float, bad: bool) -> None:
    due_s = np.repeat(np.arange(0, 20.0), 1000) + 0.5
    good = np.ones(len(due_s), bool)
    good[: round(1000 * (1 - share))] = False
    found = measured(Seen(due_s, good), LOAD, 20.0)
    assert (found.value_s == 1.0) is bad


def test_sessions_carry_the_probes_on_to_the_last_bad_session() -> None:
    probe, load = measured(probes([(0.0, 4.2)])), measured(probes([(0.0, 4.45)], rate=20), LOAD)
    both = combined(probe, load)
    assert both is not None
    assert both.value_s == pytest.approx(4.4)
    assert both.source == "probe"


def test_sessions_that_stay_hurt_far_longer_decide() -> None:
    probe, load = measured(probes([(0.0, 4.2)])), measured(probes([(0.0, 9.5)], rate=20), LOAD)
    both = combined(probe, load)
    assert both is not None
    assert (both.source, both.value_s, both.resolution_s) == ("load", 10.0, 1.0)


@pytest.mark.parametrize("last_hurt_s", [0.9, 4.0])
def test_sessions_that_ask_seldom_do_not_undo_what_probes_saw(last_hurt_s: float) -> None:
    """One that was hurt during the outage, and none that asked afterwards."""
    probe = measured(probes([(0.0, 4.2)]))
    load = measured(Seen(np.array([last_hurt_s]), np.array([False])), LOAD)
    assert load.value_s is None
    both = combined(probe, load)
    assert both is not None
    assert (both.source, both.value_s, both.well_at_end) == ("probe", probe.value_s, True)
    assert both.lower_bound_s == max(probe.lower_bound_s, last_hurt_s)


def test_sessions_hurt_after_the_probes_recovery_that_never_ask_again_leave_it_open() -> None:
    probe = measured(probes([(0.0, 4.2)]))
    both = combined(probe, measured(Seen(np.array([4.6]), np.array([False])), LOAD))
    assert both is not None
    assert (both.source, both.value_s, both.well_at_end) == ("load", None, False)


@given(end_s=st.floats(5.0, 40.0), start_s=st.floats(0.0, 4.0), bins=st.sampled_from([PROBE, LOAD]))
def test_a_run_that_ends_hurt_anywhere_in_a_bin_has_not_recovered(
    end_s: float, start_s: float, bins: Bins
) -> None:
    """A run that is cut off ends in the middle of a bin, early or late in it."""
    found = measured(probes([(start_s, END_S)], end_s=end_s), bins, end_s)
    assert found.value_s is None
    assert not found.well_at_end
