"""SVG elements as escaped text, and the one way numbers are written in them."""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr


def number(value: float) -> str:
    """Coordinates with one decimal: enough for a screen, and the same bytes everywhere."""
    return f"{value:.1f}".rstrip("0").rstrip(".")


def element(tag: str, *children: str, **attributes: str | float) -> str:
    """An element. `class_` becomes `class`, underscores in names dashes; children are SVG already."""
    written = {name: v if isinstance(v, str) else number(v) for name, v in attributes.items()}
    named = "".join(f" {name.rstrip('_').replace('_', '-')}={quoteattr(v)}" for name, v in written.items())
    inner = "".join(children)
    return f"<{tag}{named}>{inner}</{tag}>" if inner else f"<{tag}{named}/>"


def text(words: str, x: float, y: float, *, class_: str = "label", anchor: str = "start") -> str:
    """A line of text with its baseline at (x, y)."""
    return element("text", escape(words), x=x, y=y, class_=class_, text_anchor=anchor)


def title(words: str) -> str:
    """What a browser shows when the pointer rests on the parent."""
    return element("title", escape(words))


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def rect(  # noqa: PLR0917 - x, y, width, height is the order everybody knows
    x: float, y: float, width: float, height: float, class_: str, hover: str = ""
) -> str:
    """A rectangle, with a hover title when `hover` is given."""
    children = [title(hover)] if hover else []
    return element("rect", *children, x=x, y=y, width=max(width, 0.0), height=max(height, 0.0), class_=class_)


def path(points: Iterable[tuple[float, float]], class_: str, *, closed: bool = False) -> str:
    """A polyline, or an area when `closed`."""
    steps = " ".join(f"{'L' if i else 'M'}{number(x)} {number(y)}" for i, (x, y) in enumerate(points))
    return element("path", d=f"{steps}{' Z' if closed else ''}", class_=class_) if steps else ""


def drawing(width: float, height: float, label: str, *children: str) -> str:
    """The whole picture; it scales to the width of the page. `label` is read out by screen readers."""
    return element(
        "svg", title(label), *children, viewBox=f"0 0 {number(width)} {number(height)}", role="img",
        class_="chart", preserveAspectRatio="xMidYMid meet",
    )  # fmt: skip
