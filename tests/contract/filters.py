"""Models of many kinds, and 120 expressions to filter them by."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from random import Random
from uuid import UUID

from tests.fakes.builders import CREATED_AT, a_model

from registry_grpc.domain.properties import Property
from registry_grpc.domain.registered_model import RegisteredModel, Tags

PARENT = UUID("b0000000-0000-4000-8000-00000000000a")

MODEL_EXPRESSIONS = (
    # Texts: equality, wildcards, order, and letters that mean something to LIKE, JSON or SQL.
    'name = "model-000007"', "name = model-00000*", 'name != "model-0000*"', 'name = "*7"', 'name = "m*0*7"',
    "name = *", 'name = ""', "name:*", "slug = ''", "slug != ''", "NOT slug:*", "slug = '50%'", "slug = '50\\*'",
    "slug = '5_%'",
    "slug = 'a_*'", "slug = '*\\\\*'", "slug = \"it's\"", 'slug = "\\"quoted\\""', "slug = \"'; DROP TABLE x; --\"",
    "slug = $1", "slug = {t}", "slug = '{}'", "slug >= a", "slug < a", "slug > Z AND slug <= a_b", "slug = Ä*",
    "slug = '\U0001f642*'", 'owner_email = "ann@example.com"', "owner_email = *@example.com",
    "state = LIVE", "state != LIVE", "state = RARE", "state = nothing", "deployment_status = DEPLOYED OR state = RARE",
    # Numbers, times and ids.
    "model_size = 0", "model_size > 9007199254740992", "model_size >= -1 AND model_size <= 7", "model_size != 7",
    "model_size < -9223372036854775807", "created_at >= 2026-01-02T03:04:05Z", "created_at < 2026-01-02T03:05:00Z",
    "created_at = 2026-01-02T03:04:15Z", "updated_at != 2026-01-02T04:04:15+01:00", "created_at:*",
    f"parent_model_id = {PARENT}", f"parent_model_id != {PARENT}", f"NOT parent_model_id = {PARENT}",
    "parent_model_id:*", "-parent_model_id:*", "id = b0000000-0000-4000-8000-00000000000a", f"id != {PARENT}",
    # Labels: a key that is absent differs from one with an empty value.
    "labels.team = vision", "labels.team != vision", "NOT labels.team = vision", "labels.team = v*",
    "labels.team != v*", "-labels.team = v*", "labels:team", "labels.team:*", "labels.team:vision", "-labels:team",
    "labels:*", "-labels:*", "labels.team = ''", "labels.team > t", "labels.rare = one", "labels:rare",
    "labels.app.kubernetes.io/name = iris", 'labels."a b" = "\\"c\\""', "labels.'' = ''", 'labels:"\\*"',
    # Lists.
    "tags.frameworks:sklearn", "tags.frameworks:rare", "-tags.frameworks:sklearn", "tags.tasks:*", "-tags.tasks:*",
    # Properties: each type for itself, but integers and doubles are both numbers.
    "properties.accuracy > 0.9", "properties.accuracy <= 0.5 properties:accuracy", "properties.accuracy = 0.25",
    "properties.accuracy = 1", "properties.accuracy = 1.0", "properties.accuracy != 1", "properties.accuracy = 1e0",
    "properties.rows = 1000", "properties.rows >= 999.5", "properties.rows < 9007199254740993",
    "properties.rows = 9007199254740993", "properties.rows = 1e300", 'properties.rows = "1000"', "properties.rows:*",
    'properties.rows != "1"', "NOT properties.rows = 1000", "properties.mixed = true", "properties.mixed != true",
    'properties.mixed = "true"', "properties.mixed = 1", "properties.mixed = 2026-01-02T03:04:05Z",
    "properties.mixed > 2026-01-02T00:00:00+02:00", "properties.mixed = t*", 'properties.mixed > "a"',
    "-properties:mixed",
    "properties.team:vision", "properties.team = vision", "properties.team != v*", 'properties.team = ""',
    "properties:*", "-properties:*", 'properties."a.b \\\\" = "\\\\"', "properties.rare = 7 OR properties.rare = one",
    "properties.rare > 6", "properties:rare AND state = LIVE", "properties.rare = 7 labels.team = vision",
    "external_id = ext-000001", "external_id:*", "-external_id:*", "external_id = ext-* OR labels.rare = one",
    # Combinations.
    "labels.team = vision AND labels.stage = prod", "labels.team = vision OR labels.team = speech state = LIVE",
    "labels.team = vision AND NOT (labels.stage = prod OR state = LIVE)", "(labels.rare = one OR state = RARE) name:*",
    "tags.frameworks:sklearn AND labels.team = vision AND model_size > 3 AND name = *1*",
    # The index answers one part of these, but not the other.
    "labels.rare = one OR name = *7", "state = RARE OR -labels:team", "labels.rare = two OR model_size = 7",
    "(labels.rare = one name:*) OR (state = RARE -labels:team)", "tags.frameworks:rare OR tags.tasks:*",
    "NOT (labels.team != vision OR parent_model_id = b0000000-0000-4000-8000-00000000000a)",
)  # fmt: skip

_SLUGS = (
    "", "a", "A", "a_b", "axb", "50%", "50*", "5_%", "\\", "it's", '"quoted"', "'; DROP TABLE x; --", "$1", "{t}", "{}",
    "Ä", "Ärger", "\U0001f642", "\U0001f642!", "z\nz",
)  # fmt: skip
_SIZES = (0, 0, 1, 3, 5, 7, 7, -1, 2**53, 2**53 + 1, -(2**63), 2**63 - 1)
_TEAMS = ("vision", "vision", "vision", "speech", "text", "", "Vision")


def models(project_id: UUID, many: int, first: UUID = PARENT) -> Iterator[RegisteredModel]:
    """Models whose values are rare and frequent, and always the same. The first one is the parent of some others."""
    choose = Random(1)
    for number in range(many):
        labels = {"team": choose.choice(_TEAMS)} if choose.random() < 0.8 else {}
        labels |= {"stage": choose.choice(("prod", "dev"))} if choose.random() < 0.5 else {}
        labels |= {"app.kubernetes.io/name": "iris", "a b": '"c"', "": ""} if number % 11 == 3 else {}
        kinds: tuple[Property, ...] = (
            {"bool": True}, {"bool": False}, {"string": "true"}, {"int": 1}, {"double": 1.0},
            {"time": "2026-01-02T03:04:05.000000Z"}, {"string": "text"},
        )  # fmt: skip
        properties: dict[str, Property] = {}
        if choose.random() < 0.9:
            properties["accuracy"] = choose.choice(({"double": choose.random()}, {"double": 0.25}, {"int": 1}))
            properties["mixed"] = choose.choice(kinds)
        if choose.random() < 0.5:
            properties["rows"] = {"int": choose.choice((1000, 999, -1, 2**53 + 1, 2**53, 2**63 - 1))}
            properties["team"] = {"string": choose.choice(_TEAMS)}
        if number % 7 == 2:
            properties |= {
                "rows": {"double": choose.choice((1e300, 1000.0, 999.5, -5e-324))},
                "a.b \\": {"string": "\\"},
            }
        if number % max(many // 8, 2) == 1:
            properties["rare"] = choose.choice(({"int": 7}, {"double": 7.0}, {"string": "one"}))
        labels |= {"rare": choose.choice(("one", "two")), "*": "star"} if number % max(many // 8, 2) == 1 else {}
        at = CREATED_AT.replace(year=2026, month=1, day=2, hour=3, minute=4, second=5) + timedelta(seconds=number % 97)
        yield a_model(
            project_id,
            id=UUID(int=first.int + number),
            created_at=at,
            updated_at=at + timedelta(hours=number % 3),
            name=f"model-{number:06}",
            slug=choose.choice(_SLUGS),
            owner_email=choose.choice(("ann@example.com", "bob@example.com", "eve@example.org", "")),
            model_size=choose.choice(_SIZES),
            state="RARE" if number % max(many // 5, 2) == 1 else choose.choice(("LIVE", "LIVE", "LIVE", "ARCHIVED")),
            deployment_status=choose.choice(("DEPLOYED", "UNDEPLOYED")),
            tags=Tags(
                frameworks=tuple(
                    name
                    for name, share in {"sklearn": 0.7, "onnx": 0.3, "rare": 8 / many}.items()
                    if choose.random() < share
                ),
                tasks=("qa",) if number % 2 else (),
            ),
            labels=labels,
            properties=properties,
            external_id=f"ext-{number:06}" if number % 3 == 1 else "",
            parent_model_id=first if number % 5 == 4 else None,
        )
