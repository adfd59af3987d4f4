"""`registry events`, `registry audit` and `registry webhooks`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from registry_cli import names, options, output, tables, values
from registry_cli.errors import CommandError
from registry_cli.session import call, pages, watch

audit = App(name="audit")
webhooks = App(name="webhooks")
Types = Annotated[
    list[str] | None,
    Parameter(name="--type", help="A type such as `alias.set`, or a kind such as `version`. Can be repeated."),
]
Newest = Annotated[int, Parameter(name=["--limit", "-n"], help="How many of the newest. 0: all.")]
Since = Annotated[str, Parameter(help="Only those after this time, such as `2h` ago or 2026-01-31T12:00:00Z.")]
Everywhere = Annotated[bool, Parameter(name="--all-projects", help="Those of all projects. Only operators may.")]
Webhook = Annotated[str, Parameter(help="The webhook: its id or URL.")]


def events(
    *,
    follow: Annotated[
        bool, Parameter(name=["--follow", "-f"], help="Go on with new events until interrupted.")
    ] = False,
    type: Types = None,
    model: Annotated[
        str, Parameter(completer=options.completion.models, help="Only those of this model and all that belongs to it.")
    ] = "",
    since: Since = "",
    filter: options.Filter = "",
    limit: Newest = 20,
) -> None:
    which: dict[str, Any] = {
        "types": type,
        "registered_model_id": names.model_id(model) if model else None,
        "filter": filter,
    }
    new: Iterator[Any] = iter(())
    if follow:
        new = watch("event.WatchEvents", "resume_token", lambda answer: answer.resume_token, **which)
        next(new)  # it has begun before the list is read, so that nothing between both is missed
    start = values.time(since) if since else None
    printed = set()
    for event in reversed(list(pages("event.ListEvents", limit, occurred_from=start, **which))):
        output.show_line(event, tables.EVENTS)
        printed.add(event.id)
    for answer in new:
        if answer.HasField("event") and answer.event.id not in printed:
            output.show_line(answer.event, tables.EVENTS)


@audit.command(name="list")
def list_audit(
    *,
    filter: options.Filter = "",
    all_projects: Everywhere = False,
    limit: Newest = 20,
) -> None:
    """List who has changed what, and who was refused, newest first."""
    output.show(pages("audit.ListAuditEntries", limit, filter=filter, all_projects=all_projects), tables.AUDIT_ENTRIES)


@audit.command
def tail(
    *,
    filter: options.Filter = "",
    all_projects: Everywhere = False,
    after: Annotated[int | None, Parameter(help="Begin after this position; 0: with the oldest entry.")] = None,
) -> None:
    """Print each new entry of the audit log, until interrupted."""
    which = {"filter": filter, "all_projects": all_projects, "after_position": after}
    for answer in watch("audit.WatchAuditEntries", "after_position", lambda each: each.audit_entry.position, **which):
        output.show_line(answer.audit_entry, tables.AUDIT_ENTRIES)


@webhooks.command(name="list")
def list_webhooks(*, which: options.Listing = options.ALL) -> None:
    """List the webhooks."""
    output.show(pages("webhook.ListWebhooks", **vars(which)), tables.WEBHOOKS)


@webhooks.command
def get(webhook: Webhook, /) -> None:
    """Show a webhook."""
    output.show_one(call("webhook.GetWebhook", id=names.webhook_id(webhook)).webhook, tables.WEBHOOKS)


@webhooks.command
def create(
    url: Annotated[str, Parameter(help="The URL to which events are sent.")],
    /,
    *,
    type: Types = None,
    secret: Annotated[
        str,
        Parameter(
            allow_leading_hyphen=True,
            help="A file with the secret of the signatures; `-` is stdin. Default: the registry makes one.",
        ),
    ] = "",
) -> None:
    """Add a webhook, and print the secret that the registry made. It cannot be read again."""
    made = values.read(secret).strip() if secret else values.new_webhook_secret()
    done = call("webhook.CreateWebhook", webhook={"url": url, "types": type or (), "secret": made}).webhook
    if not secret:
        done.secret = made
    output.show_one(done, tables.WEBHOOKS)


@webhooks.command
def update(
    webhook: Webhook,
    /,
    *,
    url: Annotated[str | None, Parameter(help="The new URL.")] = None,
    type: Types = None,
    secret: Annotated[str, Parameter(allow_leading_hyphen=True, help="A file with the new secret; `-` is stdin.")] = "",
    state: Annotated[Literal["active", "disabled"] | None, Parameter(help="Whether events are sent.")] = None,
    clear: options.Clear = None,
    etag: options.Etag = "",
) -> None:
    """Change a webhook, and try again at once what could not be delivered."""
    patch = {
        "url": url,
        "types": {"types": type} if type is not None else None,
        "secret": values.read(secret).strip() if secret else None,
        "state": state and f"WEBHOOK_STATE_{state.upper()}",
    }
    id_ = names.webhook_id(webhook)
    mask = values.mask(patch, clear)
    done = call("webhook.UpdateWebhook", id=id_, webhook=values.given(patch), update_mask=mask, etag=etag)
    output.show_one(done.webhook, tables.WEBHOOKS)


@webhooks.command
def delete(webhook: Webhook, /, *, yes: options.Yes = False, etag: options.Etag = "") -> None:
    """Delete a webhook with the log of its deliveries."""
    id_ = names.webhook_id(webhook)
    output.confirm(f"Delete the webhook {webhook}?", yes=yes)
    call("webhook.DeleteWebhook", id=id_, etag=etag)
    output.say(f"The webhook {webhook} was deleted.")


@webhooks.command
def test(webhook: Webhook, /) -> None:
    """Send a test event at once. Ends with status 1 if it was not accepted."""
    done = call("webhook.TestWebhook", id=names.webhook_id(webhook))
    output.show_one(done, tables.WEBHOOK_TEST)
    if not 200 <= done.status < 300:
        raise CommandError("The test event was not accepted.")


@webhooks.command
def deliveries(
    webhook: Webhook,
    /,
    *,
    state: Annotated[Literal["pending", "delivered"] | None, Parameter(help="Only those in this state.")] = None,
    filter: options.Filter = "",
    limit: options.Limit = 0,
) -> None:
    """List what a webhook has got or is to get, newest events first."""
    found = pages(
        "webhook.ListWebhookDeliveries",
        limit,
        id=names.webhook_id(webhook),
        state=state and f"WEBHOOK_DELIVERY_STATE_{state.upper()}",
        filter=filter,
    )
    output.show(found, tables.DELIVERIES)


@webhooks.command
def redeliver(
    webhook: Webhook,
    event: Annotated[str, Parameter(help="The id of the event, which `deliveries` shows.")],
    /,
    *,
    and_later: Annotated[bool, Parameter(help="Send all later events again, too.")] = False,
) -> None:
    """Deliver an event again."""
    id_ = names.webhook_id(webhook)
    done = call("webhook.RedeliverWebhook", id=id_, event_id=event, and_later=and_later)
    output.show_one(done.webhook, tables.WEBHOOKS)
