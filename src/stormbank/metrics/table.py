"""The one table of metrics: what every file of `names` holds."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass

from stormbank.metrics import names
from stormbank.metrics.kinds import Metric


@dataclass(frozen=True)
class Section:
    """One subject: its title, its metrics, and the labels it explains."""

    title: str
    metrics: tuple[Metric, ...]
    labels: dict[str, str]


def sections() -> tuple[Section, ...]:
    """Return the table by subject, in the order of the file names.

    ValueError when two metrics have one name, or a label is explained twice or not at all.
    """
    found = tuple(_section(each.name) for each in pkgutil.iter_modules(names.__path__))
    _check(found)
    return found


def _section(name: str) -> Section:
    module = importlib.import_module(f"{names.__name__}.{name}")
    title = (module.__doc__ or name).strip().splitlines()[0].rstrip(".")
    return Section(title, tuple(module.METRICS), dict(module.LABELS))


def _check(found: tuple[Section, ...]) -> None:
    named = [metric.name for section in found for metric in section.metrics]
    explained = [label for section in found for label in section.labels]
    used = {label for section in found for metric in section.metrics for label in metric.labels}
    wrong = [f"{name} is named twice" for name in sorted(set(named)) if named.count(name) > 1]
    wrong += [
        f"label {label} is explained twice" for label in sorted(set(explained)) if explained.count(label) > 1
    ]
    wrong += [f"label {label} is explained nowhere" for label in sorted(used - set(explained))]
    wrong += [f"label {label} is used nowhere" for label in sorted(set(explained) - used)]
    if wrong:
        raise ValueError("; ".join(wrong))
