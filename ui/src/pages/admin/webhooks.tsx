import { useState } from "preact/hooks";
import { Button, Empty, StatusBadge, Time } from "../../components/basics";
import { Needs } from "../../components/needs";
import { PageHead } from "../../components/page";
import { DataTable } from "../../components/table";
import { Role } from "../../gen/modelregistry/v1/access_pb";
import { type Webhook, WebhookState } from "../../gen/modelregistry/v1/webhook_pb";
import { api } from "../../lib/api";
import { href, useProject } from "../../lib/project";
import { usePages } from "../../lib/query";
import { navigate, setQuery, useLocation } from "../../lib/router";
import { SecretDialog } from "./secret";
import { CreateWebhookDialog } from "./webhook-dialogs";

export function WebhooksPage() {
  return (
    <Needs role={Role.ADMIN} title="Webhooks">
      <Webhooks />
    </Needs>
  );
}

function Webhooks() {
  const project = useProject();
  const orderBy = useLocation().query.get("order") ?? "created_at desc";
  const [creating, setCreating] = useState(false);
  const [made, setMade] = useState<Webhook>();
  const pages = usePages(`webhooks ${project} ${orderBy}`, async (pageToken, signal) => {
    const answer = await api.webhooks.listWebhooks({ pageSize: 100, pageToken, orderBy }, { signal });
    return { rows: answer.webhooks, nextPageToken: answer.nextPageToken };
  });
  const create = (
    <Button kind="primary" icon="plus" data-new onClick={() => setCreating(true)}>
      New webhook
    </Button>
  );
  const openIt = (webhook: Webhook) => navigate(href(`/webhooks/${webhook.id}`));
  return (
    <>
      <PageHead title="Webhooks" text="Addresses to which the events of this project are sent." actions={create} />
      <DataTable
        label="Webhooks"
        unit="webhook"
        pages={pages}
        rowKey={({ id }) => id}
        rowLink={({ id }) => href(`/webhooks/${id}`)}
        orderBy={orderBy}
        onOrder={(order) => setQuery({ order })}
        columns={[
          { title: "URL", orderBy: "url", cell: ({ url }) => url },
          { title: "State", width: "state", cell: (webhook) => <WebhookBadge webhook={webhook} /> },
          {
            title: "Events",
            hideOn: "phone",
            width: "wide",
            cell: ({ types }) => types.join(", ") || <span class="faint">All</span>,
          },
          {
            title: "Created",
            hideOn: "tablet",
            width: "medium",
            orderBy: "created_at",
            cell: ({ createdAt }) => <Time at={createdAt} />,
          },
        ]}
        empty={
          <Empty title="This project has no webhooks" actions={create}>
            <p>
              Each event is sent as an HTTP request with a signature, and again until it is accepted: CloudEvents 1.0 by
              the Standard Webhooks specification.
            </p>
          </Empty>
        }
      />
      {creating && (
        <CreateWebhookDialog
          onClose={() => setCreating(false)}
          onMade={(webhook) => (webhook.secret ? setMade(webhook) : openIt(webhook))}
        />
      )}
      {made && !creating && (
        <SecretDialog
          title="The secret of the webhook"
          label="Secret"
          secret={made.secret}
          onClose={() => openIt(made)}
        >
          <p>
            The receiver needs it to check the signatures. Copy it now, because it cannot be shown again. If it is lost,
            replace it with another one.
          </p>
        </SecretDialog>
      )}
    </>
  );
}

export function WebhookBadge({ webhook }: { webhook: Webhook }) {
  return <StatusBadge status={WebhookState[webhook.state] ?? ""} title={webhook.disabledReason} />;
}
