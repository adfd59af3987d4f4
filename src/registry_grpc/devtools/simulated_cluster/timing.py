"""How fast the simulated cluster is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """Seconds. The defaults make a first start take about half a second."""

    schedule: float = 0.05
    """Until the scheduler has placed a pod."""
    download: float = 0.15
    """While the storage initializer fetches the model."""
    start: float = 0.2
    """From the start of the model server to readiness."""
    terminate: float = 0.05
    """From a pod's deletion to its end."""
    back_off: float = 0.25
    """Between two attempts of a container that fails."""
    progress_deadline: int = 600
    """A Deployment's progressDeadlineSeconds, as KServe leaves it."""
    bookmark_interval: float = 60.0
    """Between two bookmarks of a watch."""
