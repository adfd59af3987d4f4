"""`registry-grpc doctor`: everything the service needs, looked at before anybody depends on it."""

from __future__ import annotations

from registry_grpc.doctor.examination import examine

__all__ = ["examine"]
