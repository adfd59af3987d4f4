"""Times and conditions as Kubernetes writes them."""

from __future__ import annotations

import datetime as dt
from typing import Any

Conditions = list[dict[str, Any]]


def timestamp() -> str:
    """Now, with the one-second resolution of Kubernetes."""
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def condition_of(obj: dict[str, Any], kind: str) -> dict[str, Any]:
    """The condition of this kind in an object's status; {} if there is none."""
    conditions: Conditions = obj.get("status", {}).get("conditions", [])
    return next((item for item in conditions if item["type"] == kind), {})


def is_ready(obj: dict[str, Any]) -> bool:
    return condition_of(obj, "Ready").get("status") == "True"


def with_condition(known: Conditions, kind: str, status: str, **details: str) -> Conditions:
    """The conditions after this one is set. Its time only changes when its status changes."""
    before = next((item for item in known if item["type"] == kind), {})
    since = before["lastTransitionTime"] if before.get("status") == status else timestamp()
    told = {key: text for key, text in details.items() if text}
    new = {"type": kind, "status": status, **told, "lastTransitionTime": since}
    return sorted([*(item for item in known if item["type"] != kind), new], key=lambda item: str(item["type"]))
