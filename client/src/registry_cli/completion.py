"""What shells complete from the registry: names of models, versions, environments, deployments and contexts.

A completer asks at most for a second, and answers nothing when that fails: a shell has no place for errors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from cyclopts.completion import CompletionContext

# So that the file may be called _registry, or be sourced: cyclopts only defines the function.
_ZSH = """
if [[ $funcstack[1] == _registry ]]; then
  _cyclopts_registry "$@"
else
  compdef _cyclopts_registry registry
fi"""
SECONDS = 1.0
SHOWN = 100


def completion(shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="The shell.")], /) -> None:
    from registry_cli.main import app

    script = app.generate_completion(prog_name="registry", shell=shell)
    if shell == "bash":  # MODEL@ALIAS is one word; a shell that starts would divide it again, for names of hosts
        script = f"shopt -u hostcomplete\nCOMP_WORDBREAKS=${{COMP_WORDBREAKS//[@:]/}}\n{script}"
    print(script.rstrip() + (_ZSH if shell == "zsh" else ""))


def models(context: CompletionContext) -> list[str]:
    return _quietly(context, lambda: _names("registered_model.ListRegisteredModels", context.incomplete))


def environments(context: CompletionContext) -> list[str]:
    return _quietly(context, lambda: _names("serving_environment.ListServingEnvironments", context.incomplete))


def deployments(context: CompletionContext) -> list[str]:
    return _quietly(context, lambda: _names("inference_service.ListInferenceServices", context.incomplete))


def versions(context: CompletionContext) -> list[str]:
    """Models, and after `@` the aliases and numbers of the model's versions."""
    model, at, _ = context.incomplete.rpartition("@")
    return _quietly(context, lambda: _versions(model)) if at else models(context)


def contexts(context: CompletionContext) -> list[str]:
    def read() -> list[str]:
        from registry_client.config import load

        return list(load().contexts)

    return _quietly(context, read)


def _versions(model: str) -> list[str]:
    from registry_cli.names import model_id
    from registry_cli.session import pages

    found = pages("model_version.ListModelVersions", SHOWN, registered_model_id=model_id(model))
    words = [word for each in found for word in (*each.aliases, str(each.number))]
    return [f"{model}@{word}" for word in ("latest", *words)]


def _names(rpc: str, start: str) -> list[str]:
    from registry_cli.names import quoted
    from registry_cli.session import pages

    condition = f'name = "{quoted(start)[1:-1]}*"' if start else ""
    return sorted(each.name for each in pages(rpc, SHOWN, filter=condition))


def _quietly(context: CompletionContext, answer: Callable[[], list[str]]) -> list[str]:
    from registry_cli.options import chosen

    chosen.call_seconds = SECONDS
    for name in ("context", "url", "project"):
        given = context.get(f"--{name}")
        setattr(chosen, name, given.raw or "" if given else "")
    try:
        return answer()
    except Exception:  # noqa: BLE001 - see above
        return []
