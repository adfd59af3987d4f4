import { useState } from "preact/hooks";
import { Badge, Button, CopyId, Fact, Facts, Section, Skeleton, Time } from "../../components/basics";
import { FailureNotice, PageFailure } from "../../components/failure";
import { Icon } from "../../components/icon";
import { Needs } from "../../components/needs";
import { PageHead } from "../../components/page";
import { Role } from "../../gen/modelregistry/v1/access_pb";
import { type TestWebhookResponse, type Webhook, WebhookState } from "../../gen/modelregistry/v1/webhook_pb";
import { api } from "../../lib/api";
import { sentence } from "../../lib/errors";
import { href, useProject } from "../../lib/project";
import { useAction, useQuery } from "../../lib/query";
import type { PageProps } from "../../routes";
import { Deliveries } from "./deliveries";
import { DeleteWebhookDialog, EditWebhookDialog, SwitchWebhookDialog } from "./webhook-dialogs";
import { WebhookBadge } from "./webhooks";

export function WebhookPage({ params }: PageProps) {
  return (
    <Needs role={Role.ADMIN} title="Webhook">
      <WebhookById id={params.id ?? ""} />
    </Needs>
  );
}

function WebhookById({ id }: { id: string }) {
  const project = useProject();
  const back = href("/webhooks");
  const { data, failure, reload } = useQuery(`webhook ${project} ${id}`, async (signal) => {
    const { webhook } = await api.webhooks.getWebhook({ id }, { signal });
    return webhook;
  });
  if (!data)
    return (
      <>
        <PageHead title="Webhook" crumbs={[["Webhooks", back]]} />
        {failure ? <PageFailure failure={failure} what="webhook" back={back} reload={reload} /> : <Skeleton />}
      </>
    );
  return (
    <>
      {failure && <FailureNotice failure={failure} />}
      <Details webhook={data} reload={reload} />
    </>
  );
}

function Details({ webhook, reload }: { webhook: Webhook; reload: () => void }) {
  const [open, setOpen] = useState<"edit" | "switch" | "delete">();
  const [answer, setAnswer] = useState<TestWebhookResponse>();
  const test = useAction(async () => {
    setAnswer(undefined);
    setAnswer(await api.webhooks.testWebhook({ id: webhook.id }));
  });
  const close = () => setOpen(undefined);
  const active = webhook.state === WebhookState.ACTIVE;
  return (
    <>
      <PageHead
        title={webhook.url}
        windowTitle="Webhook"
        crumbs={[["Webhooks", href("/webhooks")]]}
        badges={<WebhookBadge webhook={webhook} />}
        actions={
          <>
            <Button busy={test.busy} onClick={test.run}>
              Send a test
            </Button>
            <Button onClick={() => setOpen("switch")}>{active ? "Disable" : "Enable"}</Button>
            <Button icon="trash" aria-label="Delete" title="Delete" onClick={() => setOpen("delete")} />
            <Button kind="primary" icon="edit" onClick={() => setOpen("edit")}>
              Edit
            </Button>
          </>
        }
      />
      <div class="stack">
        {webhook.disabledReason && (
          <div class="notice amber">
            <Icon name="alert" />
            <p>The registry has disabled it: {webhook.disabledReason}</p>
          </div>
        )}
        <FailureNotice failure={test.failure} />
        {answer && <TestAnswer answer={answer} />}
        <div class="card">
          <Facts>
            <Fact name="Id">
              <CopyId id={webhook.id} />
            </Fact>
            <Fact name="Events">{webhook.types.length ? webhook.types.join(", ") : "All"}</Fact>
            <Fact name="Created">
              <Time at={webhook.createdAt} />
            </Fact>
            <Fact name="Changed">
              <Time at={webhook.updatedAt} />
            </Fact>
          </Facts>
        </div>
      </div>
      <Section title="Deliveries">
        <Deliveries webhook={webhook} onRedelivered={reload} />
      </Section>
      {open === "edit" && <EditWebhookDialog webhook={webhook} onClose={close} onSaved={reload} />}
      {open === "switch" && <SwitchWebhookDialog webhook={webhook} onClose={close} onSaved={reload} />}
      {open === "delete" && <DeleteWebhookDialog webhook={webhook} onClose={close} />}
    </>
  );
}

function TestAnswer({ answer }: { answer: TestWebhookResponse }) {
  const { status, error } = answer;
  const accepted = status !== undefined && status >= 200 && status < 300;
  return (
    <div class={`notice ${accepted ? "blue" : "red"}`} role="status">
      <Icon name={accepted ? "check" : "alert"} />
      <p>
        {accepted
          ? `The test was accepted with the status ${status}.`
          : status === undefined
            ? "The test got no answer."
            : `The test was refused with the status ${status}.`}{" "}
        {error && (status === undefined ? sentence(error) : `It says: ${error}`)}
      </p>
    </div>
  );
}

/** The status of an answer, as a colour and a number. */
export function HttpStatus({ status }: { status: number | undefined }) {
  if (status === undefined) return <span class="faint">–</span>;
  return <Badge tone={status >= 200 && status < 300 ? "green" : "red"}>{status}</Badge>;
}
