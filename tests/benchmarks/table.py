"""Figures side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

HEAD = ("", "ours", "peer", "ratio", "target", "met")


@dataclass(frozen=True)
class Row:
    """One figure of ours and of a peer.

    :param at_most: the target for our figure.
    :param ratio_at_most: the target for our figure as a share of the peer's.
    """

    figure: str
    ours: float | None = None
    peer: float | None = None
    at_most: float | None = None
    ratio_at_most: float | None = None

    @property
    def ratio(self) -> float | None:
        return self.ours / self.peer if self.ours is not None and self.peer else None

    @property
    def met(self) -> bool | None:
        """Whether the target is met, ``None`` where there is none."""
        value, limit = (self.ours, self.at_most) if self.at_most is not None else (self.ratio, self.ratio_at_most)
        return None if limit is None else value is not None and value <= limit

    def cells(self) -> tuple[str, ...]:
        target = ""
        if self.at_most is not None:
            target = f"≤ {self.at_most:g}"
        elif self.ratio_at_most is not None:
            target = f"ratio ≤ {self.ratio_at_most:g}"
        met = {None: "", True: "yes", False: "NO"}[self.met]
        return self.figure, number(self.ours), number(self.peer), number(self.ratio), target, met


def number(value: float | None) -> str:
    """Spell a figure with three digits or so; nothing where there is none."""
    if value is None:
        return ""
    if float(value).is_integer():
        return f"{value:.0f}"
    size = abs(value)
    return f"{value:.{0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3}f}"


def table(title: str, peer: str, rows: Sequence[Row]) -> str:
    """Return an aligned table.

    :param title: what is measured.
    :param peer: whose figures stand beside ours.
    """
    cells = [HEAD, *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(text.ljust(width) if index == 0 else text.rjust(width) for index, (text, width) in enumerate(pairs))
        for pairs in (list(zip(line, widths, strict=True)) for line in cells)
    ]
    return "\n".join((title, f"  peer: {peer}", *(f"  {line.rstrip()}" for line in lines)))
