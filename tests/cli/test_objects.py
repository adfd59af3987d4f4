"""Models, versions, aliases, artifacts and environments: what is printed, and what is stored."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.runner import Registry

from registry_cli import names
from registry_grpc.domain import ids


@pytest.fixture
def iris(registry: Registry) -> Registry:
    """A project with the model iris and its version v1."""
    registry("models", "create", "iris", "--label", "team=vision")
    files = ("--uri", "s3://models/iris/1", "--framework", "sklearn:1")
    registry("versions", "create", "iris", "v1", *files, "--ready")
    return registry


def test_names_are_printed_one_on_a_line(iris: Registry) -> None:
    iris("models", "create", "rose")
    assert iris("models", "list", "--order-by", "name", "-o", "name").text == "iris\nrose\n"
    assert iris("models", "list", "--limit", "1", "--order-by", "name desc", "-o", "name").text == "rose\n"
    assert iris("models", "get", "iris", "-o", "name").text == "iris\n"


def test_json_has_all_fields_by_the_names_of_the_proto(iris: Registry) -> None:
    version = iris.json("versions", "get", "iris@1")
    stable = {
        "name": "v1",
        "description": "",
        "is_default": False,
        "state": "LIVE",
        "status": "READY",
        "created_by_email": "",
        "updated_by_email": "",
        "artifact_type": "model-artifact",
        "model_framework": "sklearn",
        "model_framework_version": "1",
        "container_image": "",
        "model_catalog_name": "",
        "uri": "s3://models/iris/1",
        "labels": {},
        "number": "1",
        "aliases": [],
        "properties": {},
        "external_id": "",
        "readme": "",
        "digest": "",
        "size_bytes": "0",
    }
    assert version == stable | {
        name: version[name] for name in ("id", "created_at", "updated_at", "registered_model_id", "etag")
    }
    assert iris.json("versions", "list", "iris")[0]["id"] == version["id"]


def test_tables_are_aligned_and_have_no_escapes(iris: Registry) -> None:
    table = iris("models", "list").text.splitlines()
    assert table[0].split() == ["NAME", "STATE", "VERSIONS", "TYPE", "LABELS", "AGE"]
    assert table[1].split()[:5] == ["iris", "LIVE", "1", "CUSTOMTRAIN", "team=vision"]
    assert table[0].index("STATE") == table[1].index("LIVE")
    assert "\x1b" not in "".join(table)
    assert "ID" in iris("models", "list", "-o", "wide").text.splitlines()[0]


def test_lists_go_on_over_pages(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry_cli.session.PAGE", 2)
    for number in range(5):
        registry("models", "create", f"m{number}")
    assert registry("models", "list", "-o", "name", "--order-by", "name").text.split() == ["m0", "m1", "m2", "m3", "m4"]
    assert registry("models", "list", "-o", "name", "--order-by", "name", "--limit", "3").text.split() == [
        "m0",
        "m1",
        "m2",
    ]


def test_updates_change_single_labels_and_properties_and_clear_fields(iris: Registry) -> None:
    iris("models", "update", "iris", "--label", "tier=gold", "--property", "accuracy=0.97", "--property", "n=3")
    iris("models", "update", "iris", "--label", "team-", "--description", "Three kinds", "--property", "n-")
    model = iris.json("models", "get", "iris")
    assert model["labels"] == {"tier": "gold"}
    assert model["properties"] == {"accuracy": {"double_value": 0.97}}
    assert model["description"] == "Three kinds"
    assert iris.json("models", "update", "iris", "--clear", "description", "--owner", "a@b.c")["description"] == ""
    assert iris.json("models", "get", "iris")["owner_email"] == "a@b.c"


def test_properties_keep_their_types(registry: Registry) -> None:
    given = ("a=1", "b=0.5", "c=true", "d=text", 'e="1"', "f=2026-01-31T12:00:00Z", "g={1}")
    model = registry.json("models", "create", "iris", *(word for each in given for word in ("--property", each)))
    assert model["properties"] == {
        "a": {"int_value": "1"},
        "b": {"double_value": 0.5},
        "c": {"bool_value": True},
        "d": {"string_value": "text"},
        "e": {"string_value": "1"},
        "f": {"timestamp_value": "2026-01-31T12:00:00Z"},
        "g": {"string_value": "{1}"},
    }


def test_a_stale_etag_is_refused(iris: Registry) -> None:
    etag = iris.json("models", "get", "iris")["etag"]
    iris("models", "update", "iris", "--description", "new")
    refused = iris("models", "update", "iris", "--description", "newer", "--etag", etag)
    assert refused.status == 1
    assert "reason: ETAG_MISMATCH" in refused.err


def test_a_model_is_archived_restored_and_deleted(iris: Registry) -> None:
    refused = iris("models", "delete", "iris", "--yes")
    assert refused.status == 1
    assert refused.err.endswith(
        "  reason: MODEL_NOT_ARCHIVED\n  hint: Archive it first: registry models archive MODEL.\n"
    )
    assert iris.json("models", "archive", "iris")["state"] == "ARCHIVED"
    assert iris.json("models", "restore", "iris")["state"] == "LIVE"
    iris("models", "archive", "iris")
    asked = iris("models", "delete", "iris")
    assert (asked.status, asked.out) == (2, "")
    assert "Confirm it with --yes." in asked.err
    assert iris("models", "delete", "iris", "--yes").status == 0
    assert iris("models", "list", "-o", "name").text == ""


def test_versions_are_named_in_all_ways(iris: Registry) -> None:
    id_ = iris.json("versions", "get", "iris:v1")["id"]
    iris("aliases", "set", "iris@1", "champion")
    for name in ("iris@1", "iris@latest", "iris@champion", "iris@v1", "iris:v1", id_):
        assert iris.json("versions", "get", name)["id"] == id_
    vague = iris("versions", "get", "iris")
    assert (vague.status, vague.err.splitlines()[0]) == (2, "registry: 'iris' does not name a version.")


@pytest.mark.parametrize(
    ("text", "is_id"),
    [
        ("18290927-9D84-4313-8694-f7658f7b8632", True),
        ("182909279d8443138694f7658f7b8632", True),
        ("182909279d84-4313-8694-f7658f7b8632", False),
        ("18290927-9d84-4313-8694f7658f7b8632", False),
    ],
)
def test_an_id_is_what_the_registry_takes_for_one(text: str, is_id: bool) -> None:
    assert names.is_id(text) is is_id
    assert ids.is_uuid(text) is is_id


def test_a_version_gets_texts_of_files_and_keys_that_are_never_shown(iris: Registry, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# Iris\n")
    (tmp_path / "keys").write_text("access\nhidden-secret\n")
    files = ("--readme", f"@{tmp_path / 'README.md'}", "--keys", str(tmp_path / "keys"))
    stored = ("--uri", "s3://models/iris/2", "--framework", "sklearn:1", "--metadata", '{"a": [1]}')
    made = iris("versions", "create", "iris", "v2", *stored, *files, "-o", "json")
    assert made.json["readme"] == "# Iris\n"
    assert made.json["metadata"] == {"a": [1]}
    assert "hidden-secret" not in made.out + made.err


@pytest.mark.slow
def test_deleted_versions_can_be_restored(iris: Registry) -> None:
    id_ = iris.json("versions", "get", "iris@1")["id"]
    assert id_ in iris("versions", "delete", "iris@1", "--yes").err
    assert iris("versions", "list", "iris", "--deleted", "-o", "name").text == f"{id_}\n"
    assert iris.json("versions", "undelete", id_)["number"] == "1"


@pytest.mark.slow
def test_aliases_move_are_protected_and_have_a_history(iris: Registry) -> None:
    iris("versions", "create", "iris", "v2")
    iris("aliases", "set", "iris@1", "champion")
    assert iris.json("aliases", "protect", "iris", "champion")["is_protected"] is True
    refused = iris("aliases", "set", "iris@2", "champion")
    assert (refused.status, "reason: MODEL_ALIAS_PROTECTED" in refused.err) == (1, True)
    iris("aliases", "set", "iris@2", "champion", "--force")
    assert [move["version_number"] for move in iris.json("aliases", "history", "iris", "champion")] == ["2", "1"]
    assert iris.json("aliases", "list", "iris")[0]["moved_by"] == "ann"
    stale = iris("aliases", "set", "iris@1", "champion", "--expected", "iris@1", "--force")
    assert (stale.status, "reason: MODEL_ALIAS_MOVED" in stale.err) == (1, True)
    iris("aliases", "remove", "iris", "champion", "--force")
    assert iris.json("aliases", "list", "iris") == []


def test_artifacts_belong_to_versions_or_stand_alone(iris: Registry) -> None:
    iris("artifacts", "create", "accuracy", "--kind", "metric", "--version", "iris@1", "--value", "0.97")
    iris("artifacts", "create", "flowers", "--kind", "dataset", "--uri", "s3://data/flowers")
    assert iris("artifacts", "list", "iris@1", "--kind", "metric", "-o", "name").text == "accuracy\n"
    assert iris("artifacts", "list", "--alone", "-o", "name").text == "flowers\n"
    changed = iris.json("artifacts", "update", "accuracy", "--version", "iris@1", "--value", "0.98")
    assert changed["value"] == {"double_value": 0.98}
    iris("artifacts", "delete", "flowers", "--yes")
    missing = iris("artifacts", "get", "flowers")
    assert (missing.status, missing.err) == (3, "registry: There is no artifact 'flowers' that stands alone.\n")


def test_environments(registry: Registry) -> None:
    registry("environments", "create", "prod", "--namespace", "models-prod")
    assert registry.json("environments", "update", "prod", "--drift-policy", "enforce")["drift_policy"] == "enforce"
    assert registry("environments", "list").text.splitlines()[1].split()[:3] == ["prod", "models-prod", "enforce"]
    registry("environments", "delete", "prod", "--yes")
    assert registry("environments", "get", "prod").status == 3


def test_a_version_is_copied_to_another_model(iris: Registry) -> None:
    iris("models", "create", "rose")
    assert iris.json("versions", "copy", "iris@1", "rose", "--name", "from-iris")["name"] == "from-iris"


def test_a_request_id_makes_a_repetition_harmless(registry: Registry) -> None:
    first = registry.json("models", "create", "iris", "--request-id", "job 7")
    again = registry.json("models", "create", "iris", "--request-id", "job 7")
    assert again == first
    words = ("versions", "create", "iris", "v1", "--uri", "s3://m/1", "--framework", "sklearn:1", "--ready")
    made = registry.json(*words, "--request-id", "job 8")
    again = registry.json(*words, "--request-id", "job 8")
    assert again == made


def test_yaml_is_the_same_as_json(iris: Registry) -> None:
    import yaml

    assert yaml.safe_load(iris("models", "get", "iris", "-o", "yaml").text) == iris.json("models", "get", "iris")
    assert yaml.safe_load(iris("models", "list", "-o", "yaml").text) == iris.json("models", "list")
