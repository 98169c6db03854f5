"""What an argument's text means: durations, contexts, lengths of phases."""

from __future__ import annotations

import argparse

from stormdrill.units import parse_duration_s


def duration(text: str) -> float:
    """An argparse type: a duration in seconds."""
    try:
        return parse_duration_s(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def context(text: str) -> tuple[str, str]:
    """An argparse type: `CONTEXT` or `REGION=CONTEXT`; the region is empty in the first form."""
    region, equals, name = text.partition("=")
    pair = (region, name) if equals else ("", text)
    if not pair[1] or (equals and not region):
        raise argparse.ArgumentTypeError(f"not CONTEXT or REGION=CONTEXT: {text!r}")
    return pair


_TIMES = ("warmup", "steady", "window", "recover_limit", "settle")


def choice(text: str) -> tuple[str, str]:
    """An argparse type: `STEP=OPTION`, what a runbook's decision is to be."""
    step, equals, option = text.partition("=")
    if not (step and equals and option):
        raise argparse.ArgumentTypeError(f"not STEP=OPTION: {text!r}")
    return step, option


def times(text: str) -> dict[str, float]:
    """An argparse type: `steady=5s,window=5s` to `{"steady_s": 5.0, "window_s": 5.0}`."""
    found: dict[str, float] = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        if name not in _TIMES:
            raise argparse.ArgumentTypeError(f"no phase length {name!r}; known: {', '.join(_TIMES)}")
        found[f"{name}_s"] = duration(value)
    return found
