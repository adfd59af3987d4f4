"""Finds objects by what users call them: by a name or an id."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

from registry_cli.errors import NotFoundError, UsageError
from registry_cli.session import call, pages

_UUID = re.compile(r"[0-9a-f]{8}(-?)([0-9a-f]{4}\1){3}[0-9a-f]{12}", re.IGNORECASE)


def is_id(text: str) -> bool:
    return _UUID.fullmatch(text) is not None


def quoted(text: str) -> str:
    """A text as a value of a filter, in which a star is a star."""
    return json.dumps(text, ensure_ascii=False).replace("*", "\\*")


def _find(kind: str, wanted: str, rpc: str, /, **fields: Any) -> Any:
    from registry_client.errors import NotFound

    try:
        return call(rpc, **fields)
    except NotFound:
        raise NotFoundError(f"There is no {kind} {wanted!r}.", hint=f"`registry {kind}s list` shows all.") from None


def model(name: str) -> Any:
    if is_id(name):
        return call("registered_model.GetRegisteredModel", id=name).registered_model
    return _find("model", name, "registered_model.FindRegisteredModel", name=name).registered_model


def model_id(name: str) -> str:
    return name if is_id(name) else str(model(name).id)


def split(reference: str) -> tuple[str, str, str]:
    """`MODEL@WORD` or `MODEL:NAME` as the model, the word and the name."""
    if "@" in reference:
        name, _, version = reference.rpartition("@")
        return name, version, ""
    name, colon, version = reference.rpartition(":")
    return (name, "", version) if colon else (reference, "", "")


def version(reference: str) -> Any:
    """A version by `MODEL@3`, `MODEL@champion`, `MODEL@latest`, `MODEL:NAME` or its id."""
    if is_id(reference):
        return call("model_version.GetModelVersion", id=reference).model_version
    name, word, exact = split(reference)
    if exact:
        fields = {"name": exact, "registered_model_id": model_id(name)}
        return _find("version", reference, "model_version.FindModelVersion", **fields).model_version
    if not word:
        raise UsageError(
            f"{reference!r} does not name a version.",
            hint=f"Write {reference}@latest, {reference}@3 or {reference}:NAME.",
        )
    fields = {"version": word, "registered_model_id": model_id(name)}
    return _find("version", reference, "model_version.GetModelVersion", **fields).model_version


def environment(name: str) -> Any:
    if is_id(name):
        return call("serving_environment.GetServingEnvironment", id=name).serving_environment
    return _find("environment", name, "serving_environment.FindServingEnvironment", name=name).serving_environment


def deployment_id(name: str) -> str:
    """By its id or name, or by `MODEL` or `MODEL/ENVIRONMENT`. Undeployed ones only count if there are no others."""
    if is_id(name):
        return name
    model_name, slash, place = name.rpartition("/")
    conditions = [f"name = {quoted(name)}", f"registered_model_name = {quoted(name)}"]
    if slash:
        conditions.append(
            f"registered_model_name = {quoted(model_name)} AND serving_environment_name = {quoted(place)}"
        )
    for condition in conditions:
        found = list(pages("inference_service.ListInferenceServices", filter=condition))
        found = [each for each in found if each.desired_state == "DEPLOYED"] or found
        if len(found) == 1:
            return str(found[0].id)
        if found:
            names = ", ".join(f"{each.name} (in {each.serving_environment_name})" for each in found)
            raise UsageError(f"{name!r} has several deployments.", hint=f"Name one of them: {names}.")
    raise NotFoundError(
        f"There is no deployment {name!r}, and no deployment of a model with this name.",
        hint="`registry deployments list` shows all.",
    )


def artifact(name: str, of: str) -> Any:
    """By its id, or by its name and the version that has it; without a version, among those that stand alone."""
    if is_id(name):
        return call("artifact.GetArtifact", id=name).artifact
    where = {"model_version_id": version(of).id} if of else {"standing_alone": True}
    found = pages("artifact.ListArtifacts", filter=f"name = {quoted(name)}", **where)
    return first(found, f"There is no artifact {name!r} {f'of {of}' if of else 'that stands alone'}.")


def webhook_id(url: str) -> str:
    if is_id(url):
        return url
    found = pages("webhook.ListWebhooks", filter=f"url = {quoted(url)}")
    return str(first(found, f"There is no webhook with the URL {url!r}.").id)


def project_id(name: str) -> str:
    if is_id(name):
        return str(uuid.UUID(name))
    found = (each for each in pages("project.ListProjects") if each.name == name)
    hint = "`registry projects list` shows all, to operators."
    return str(first(found, f"There is no project {name!r}.", hint).id)


def token_id(name: str) -> str:
    if is_id(name):
        return name
    valid = (each for each in pages("access.ListApiTokens") if each.name == name and not each.revoked_at.seconds)
    return str(first(valid, f"There is no token {name!r} that is not revoked.").id)


def first(found: Iterator[Any], missing: str, hint: str = "") -> Any:
    """The first one. Raises NotFoundError."""
    for each in found:
        return each
    raise NotFoundError(missing, hint=hint)
