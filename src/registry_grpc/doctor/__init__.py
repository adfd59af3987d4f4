"""`registry-grpc doctor`: checks everything that the service needs."""

from __future__ import annotations

from registry_grpc.doctor.examination import examine

__all__ = ["examine"]
