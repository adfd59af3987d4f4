import { useEffect, useState } from "preact/hooks";
import { Badge, Button, CopyId, Empty, Fact, Facts, Time } from "../../components/basics";
import { Dialog } from "../../components/dialog";
import { FailureNotice } from "../../components/failure";
import { CheckField } from "../../components/fields";
import { DataTable } from "../../components/table";
import { toast } from "../../components/toast";
import {
  type Webhook,
  type WebhookDelivery,
  WebhookDeliveryState,
  WebhookState,
} from "../../gen/modelregistry/v1/webhook_pb";
import { api, newRequestId } from "../../lib/api";
import { formatNumber } from "../../lib/format";
import { useProject } from "../../lib/project";
import { useAction, usePages } from "../../lib/query";
import { setQuery, useLocation } from "../../lib/router";
import { HttpStatus } from "./webhook";

const STATES: [value: string, text: string][] = [
  ["", "All"],
  ["PENDING", "Waiting"],
  ["DELIVERED", "Delivered"],
];
const READ_AGAIN_MS = 5_000;

/** What a webhook has got, or is to get. */
export function Deliveries({ webhook, onRedelivered }: { webhook: Webhook; onRedelivered: () => void }) {
  const project = useProject();
  const state = useLocation().query.get("state") ?? "";
  const [open, setOpen] = useState<WebhookDelivery>();
  const pages = usePages(`deliveries ${project} ${webhook.id} ${state}`, async (pageToken, signal) => {
    const wanted = state === "PENDING" ? WebhookDeliveryState.PENDING : WebhookDeliveryState.DELIVERED;
    const answer = await api.webhooks.listWebhookDeliveries(
      {
        id: webhook.id,
        state: state ? wanted : WebhookDeliveryState.UNSPECIFIED,
        pageSize: 100,
        pageToken,
      },
      { signal },
    );
    return { rows: answer.deliveries, nextPageToken: answer.nextPageToken };
  });

  const { reload } = pages;
  const waiting = pages.rows.some(({ state }) => state === WebhookDeliveryState.PENDING);
  useEffect(() => {
    if (!waiting) return;
    const timer = setInterval(() => document.hidden || reload(), READ_AGAIN_MS);
    return () => clearInterval(timer);
  }, [waiting, reload]);

  return (
    <>
      <div class="toolbar">
        <select
          aria-label="State of the deliveries"
          value={state}
          onChange={(event) => setQuery({ state: event.currentTarget.value })}
        >
          {STATES.map(([value, text]) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </select>
        <Button onClick={reload}>Refresh</Button>
      </div>
      <DataTable
        label="Deliveries"
        unit="delivery"
        units="deliveries"
        pages={pages}
        rowKey={({ event }) => event?.id ?? ""}
        columns={[
          { title: "Event", cell: (delivery) => <EventName delivery={delivery} onOpen={() => setOpen(delivery)} /> },
          { title: "State", width: "state", cell: (delivery) => <StateBadge delivery={delivery} /> },
          {
            title: "Answer",
            hideOn: "phone",
            width: "wide",
            cell: ({ status, error }) => (
              <span class="with-icon">
                <HttpStatus status={status} /> <span class="text">{error}</span>
              </span>
            ),
          },
          {
            title: "Attempts",
            hideOn: "tablet",
            width: "narrow",
            align: "right",
            cell: ({ attempts }) => formatNumber(attempts),
          },
          {
            title: "Last sent",
            hideOn: "phone",
            width: "medium",
            cell: ({ attemptedAt }) => <Time at={attemptedAt} />,
          },
        ]}
        empty={
          <Empty title={state ? "No delivery is in this state" : "Nothing was sent yet"}>
            <p>A webhook gets what happens after its creation.</p>
          </Empty>
        }
      />
      {open && (
        <DeliveryDialog
          webhook={webhook}
          delivery={open}
          onClose={() => setOpen(undefined)}
          onRedelivered={() => {
            reload();
            onRedelivered();
          }}
        />
      )}
    </>
  );
}

function EventName({ delivery, onOpen }: { delivery: WebhookDelivery; onOpen: () => void }) {
  return (
    <button type="button" class="link text" aria-haspopup="dialog" onClick={onOpen}>
      <code>{delivery.event?.type}</code> {delivery.event?.name}
    </button>
  );
}

/** A delivery that waits after a failed attempt is no good news. */
function StateBadge({ delivery: { state, attempts } }: { delivery: WebhookDelivery }) {
  if (state === WebhookDeliveryState.DELIVERED) return <Badge tone="green">delivered</Badge>;
  return attempts ? <Badge tone="amber">failing</Badge> : <Badge tone="blue">waiting</Badge>;
}

interface DialogProps {
  webhook: Webhook;
  delivery: WebhookDelivery;
  onClose: () => void;
  onRedelivered: () => void;
}

function DeliveryDialog({ webhook, delivery, onClose, onRedelivered }: DialogProps) {
  const [andLater, setAndLater] = useState(false);
  const { event, attempts, attemptedAt, nextAt, status, error } = delivery;
  const again = useAction(async () => {
    await api.webhooks.redeliverWebhook({
      id: webhook.id,
      eventId: event?.id ?? "",
      andLater,
      requestId: newRequestId(),
    });
    toast(webhook.state === WebhookState.ACTIVE ? "It is sent again." : "It is sent once the webhook is enabled.");
    onRedelivered();
    onClose();
  });
  return (
    <Dialog
      title="Delivery"
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Close</Button>
          <Button kind="primary" busy={again.busy} onClick={again.run}>
            Send it again
          </Button>
        </>
      }
    >
      <div class="stack">
        <Facts>
          <Fact name="Event">
            <code>{event?.type}</code> {event?.name}
          </Fact>
          <Fact name="Id">{event && <CopyId id={event.id} label="Copy the id of the event" />}</Fact>
          <Fact name="Happened">
            <Time at={event?.occurredAt} />
          </Fact>
          <Fact name="State">
            <StateBadge delivery={delivery} />
          </Fact>
          <Fact name="Attempts">{formatNumber(attempts)}</Fact>
          <Fact name="Last sent">
            <Time at={attemptedAt} />
          </Fact>
          <Fact name="Answer">
            <HttpStatus status={status} />
          </Fact>
          {nextAt && (
            <Fact name="Sent next">
              <Time at={nextAt} />
            </Fact>
          )}
        </Facts>
        {error && <p class="error-text">{error}</p>}
        <CheckField
          label="Send all later events again, too"
          checked={andLater}
          onChange={setAndLater}
          hint="Receivers get them twice, with the same ids."
        />
        <FailureNotice failure={again.failure} />
      </div>
    </Dialog>
  );
}
