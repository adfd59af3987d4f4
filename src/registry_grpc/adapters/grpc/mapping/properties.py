"""Properties as messages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from modelregistry.v1.property_pb2 import PropertyValue
from registry_grpc.domain.errors import InvalidRequest, Violation
from registry_grpc.domain.properties import Property, of_double, of_time

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEAST, _GREATEST = -62_135_596_800, 253_402_300_799  # the years 1 to 9999


def property_message(value: Property) -> PropertyValue:
    ((kind, content),) = value.items()
    if kind == "time":
        time = Timestamp()
        time.FromDatetime(datetime.fromisoformat(content))
        return PropertyValue(timestamp_value=time)
    return PropertyValue(**{f"{kind}_value": content})


def properties_of(values: Mapping[str, PropertyValue], path: str = "properties") -> dict[str, Property]:
    """Raises InvalidRequest that names all wrong values."""
    properties, wrong = {}, []
    for key in sorted(values):
        try:
            properties[key] = property_of(values[key])
        except ValueError as error:
            wrong.append(Violation(f"{path}.{key}", str(error)))
    if wrong:
        raise InvalidRequest(wrong)
    return properties


def property_of(value: PropertyValue) -> Property:
    """Raises ValueError with the rule that the value breaks."""
    match value.WhichOneof("kind"):
        case None:
            raise ValueError("must have a value")
        case "double_value":
            return of_double(value.double_value)
        case "timestamp_value":
            return of_time(_time_of(value.timestamp_value))
        case kind:
            content: Any = getattr(value, kind)
            return {kind.removesuffix("_value"): content}


def _time_of(time: Timestamp) -> datetime:
    if not (_LEAST <= time.seconds <= _GREATEST and 0 <= time.nanos < 10**9):
        raise ValueError("must be a time from the year 1 to the year 9999")
    if time.nanos % 1000:
        raise ValueError("must be in whole microseconds")
    return _EPOCH + timedelta(seconds=time.seconds, microseconds=time.nanos // 1000)
