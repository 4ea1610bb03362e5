"""Moved: see `chargebus_runtime.http`."""

from chargebus_runtime.http.problems import MEDIA_TYPE, Problem, install

__all__ = ["MEDIA_TYPE", "Problem", "install"]
