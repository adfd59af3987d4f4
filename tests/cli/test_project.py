"""Events, the audit log, webhooks, members, tokens, export and import."""

from __future__ import annotations

import json
import signal
import uuid
from pathlib import Path

import pytest
from tests.cli.runner import Registry


def test_events_are_printed_the_newest_last(registry: Registry) -> None:
    registry("models", "create", "iris")
    registry("models", "update", "iris", "--description", "new")
    events = [json.loads(line) for line in registry("events", "-o", "json").text.splitlines()]
    assert [each["type"] for each in events] == ["model.created", "model.updated"]
    assert registry("events", "--type", "model.updated").text.split()[1:] == [
        "model.updated",
        "iris",
        "ann",
        "description",
    ]
    assert len(registry("events", "-n", "1", "-o", "name").text.splitlines()) == 1
    assert registry("events", "--since", "2100-01-01T00:00:00Z").text == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [("events", "--follow"), ("deployments", "watch", "demo", "--all")], ids=lambda each: each[0]
)
def test_streams_end_with_130_when_they_are_interrupted(registry: Registry, command: tuple[str, ...]) -> None:
    registry("models", "create", "iris")
    registry("versions", "create", "iris", "v1", "--uri", "s3://models/iris/1", "--framework", "sklearn:1", "--ready")
    registry("environments", "create", "default")
    registry("deploy", "iris@1", "default", "--name", "demo", "--wait")
    with registry.start(*command) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")


def test_a_followed_event_is_printed_once(registry: Registry) -> None:
    registry("models", "create", "iris")
    with registry.start("events", "--follow", "-o", "json") as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        registry("models", "create", "rose")
        second = json.loads(process.stdout.readline())
        process.kill()
    assert (first["name"], second["name"]) == ("iris", "rose")


def test_the_audit_log_is_read(registry: Registry) -> None:
    registry("models", "create", "iris")
    entries = registry.json("audit", "list", "--filter", 'type = "model.*"')
    assert [(each["type"], each["name"], each["actor"]) for each in entries] == [("model.created", "iris", "ann")]


def test_webhooks(registry: Registry) -> None:
    made = registry.json("webhooks", "create", "https://example.com/hook", "--type", "version")
    assert made["secret"].startswith("whsec_")
    assert registry.json("webhooks", "get", "https://example.com/hook")["secret"] == ""
    assert registry.json("webhooks", "update", made["id"], "--state", "disabled")["state"] == "WEBHOOK_STATE_DISABLED"
    assert registry("webhooks", "list").text.splitlines()[1].split()[:3] == [
        "https://example.com/hook",
        "version",
        "DISABLED",
    ]
    assert registry.json("webhooks", "deliveries", made["id"]) == []
    registry("webhooks", "delete", made["id"], "--yes")
    assert registry("webhooks", "get", "https://example.com/hook").status == 3


def test_projects_are_exported_and_imported(registry: Registry, tmp_path: Path) -> None:
    registry("models", "create", "iris")
    registry("versions", "create", "iris", "v1")
    file = tmp_path / "project.ndjson"
    assert registry("export", "--file", str(file)).out == ""
    assert [each.name for each in tmp_path.iterdir()] == ["project.ndjson"]
    assert registry("export").text.splitlines()[1:] == file.read_text().splitlines()[1:]
    other = Registry({**registry.environment, "REGISTRY_PROJECT": str(uuid.uuid4())})
    counts = other.json("import", "--file", str(file))
    assert counts["model_versions"] == {"created": "1", "existing": "0"}
    assert other.json("import", stdin=file.read_text())["model_versions"] == {"created": "0", "existing": "1"}
    broken = other("import", stdin=file.read_text().rpartition('{"trailer"')[0])
    assert broken.status == 1
    assert other("import", "--file", str(tmp_path / "none")).status == 2


def test_who_calls(registry: Registry) -> None:
    assert registry("whoami", "-o", "name").text == "ann\n"


def test_versions_of_the_command_and_of_the_registry(registry: Registry) -> None:
    assert registry.json("version")["url"] == registry.environment["REGISTRY_URL"]


def test_the_page_for_people(registry: Registry) -> None:
    registry("models", "create", "iris")
    registry("versions", "create", "iris", "v1")
    version = registry.json("versions", "get", "iris@1")
    project = f"{registry.environment['REGISTRY_URL']}/ui/p/{registry.environment['REGISTRY_PROJECT']}"
    model = f"{project}/models/{version['registered_model_id']}"
    assert registry("open").text == f"{project}/models\n"
    assert registry("open", "iris").text == f"{model}\n"
    assert registry("open", "iris@1").text == f"{model}/versions/{version['id']}\n"
