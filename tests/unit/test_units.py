"""Durations, ratios, rates and money as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormdrill import units


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("20s", 20),
        ("500ms", 0.5),
        ("1m30s", 90),
        ("4h", 14400),
        ("2min", 120),
        (0, 0),
        ("1.5s", 1.5),
        ("1h 5m", 3900),
    ],
)
def test_a_duration_is_read_as_seconds(text: str, seconds: float) -> None:
    assert units.parse_duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "20", 20, 0.5, "s", "20 parsecs", "20s later", "-5s", True, None, "5sx"]
)
def test_what_is_not_a_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        units.parse_duration_s(text)  # type: ignore[arg-type]


@pytest.mark.parametrize(("text", "ratio"), [("0.5%", 0.005), (0.25, 0.25), ("100%", 1), (0, 0)])
def test_a_ratio_lies_between_0_and_1(text: str, ratio: float) -> None:
    assert units.parse_ratio(text) == pytest.approx(ratio)


@pytest.mark.parametrize("text", ["101%", -0.1, "half", None, "nan"])
def test_what_is_not_a_ratio_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="ratio"):
        units.parse_ratio(text)  # type: ignore[arg-type]


@pytest.mark.parametrize(("text", "rate"), [("100/s", 100), ("30/min", 0.5), (7, 7), ("3600/h", 1)])
def test_a_rate_is_events_a_second(text: str, rate: float) -> None:
    assert units.parse_rate_per_s(text) == pytest.approx(rate)


@pytest.mark.parametrize("text", ["100", "x/s", True, "5/fortnight"])
def test_what_is_not_a_rate_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="rate"):
        units.parse_rate_per_s(text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (12.34, "12.3 s"),
        (125, "2 min 05 s"),
        (3720, "1 h 02 min"),
        (-3, "-3.0 s"),
        (59.99, "60.0 s"),
    ],
)
def test_a_duration_is_shown_as_said(seconds: float, text: str) -> None:
    assert units.format_duration(seconds) == text


@given(st.integers(-(10**15), 10**15))
def test_money_keeps_every_digit(minor: int) -> None:
    text = units.format_money(minor)
    assert int(text.replace(",", "").replace(".", "")) == minor
