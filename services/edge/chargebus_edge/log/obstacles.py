"""What keeps new stations out, and when those that are turned away shall come again."""

import random
from typing import Literal

Obstacle = Literal["starting", "draining", "dark", "slot lost"]


class Obstacles:
    """New stations are let in while there are none."""

    def __init__(self, retry_after_s: float) -> None:
        self._retry_after_s = retry_after_s
        self._obstacles: set[Obstacle] = {"starting"}

    @property
    def first(self) -> Obstacle | None:
        """One that stands in the way, or None."""
        return min(self._obstacles, default=None)

    def __contains__(self, obstacle: Obstacle) -> bool:
        return obstacle in self._obstacles

    def add(self, obstacle: Obstacle) -> None:
        """Put something in the way."""
        self._obstacles.add(obstacle)

    def remove(self, obstacle: Obstacle) -> None:
        """Take it away."""
        self._obstacles.discard(obstacle)

    def retry_after(self) -> str:
        """Return whole seconds for a Retry-After header, different for each, so that stations do not come at once."""
        seconds = self._retry_after_s * random.uniform(1.0, 2.0)  # noqa: S311 - spreads load, guards nothing
        return str(max(1, round(seconds)))
