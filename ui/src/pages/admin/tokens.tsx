import { useState } from "preact/hooks";
import { Badge, Button, Empty, Time } from "../../components/basics";
import { FormDialog } from "../../components/dialog";
import { SelectField, TextField } from "../../components/fields";
import { Needs } from "../../components/needs";
import { PageHead } from "../../components/page";
import { DataTable } from "../../components/table";
import { toast } from "../../components/toast";
import { type ApiToken, Role } from "../../gen/modelregistry/v1/access_pb";
import { api, newRequestId } from "../../lib/api";
import { dateOf } from "../../lib/format";
import { useProject } from "../../lib/project";
import { useAction, usePages } from "../../lib/query";
import { MAY, ROLE_OPTIONS } from "../../lib/roles";
import { RoleBadge } from "./members";
import { SecretDialog } from "./secret";

/** The last part of its lifetime, in which a token should be replaced. */
const LAST_PART = 0.2;

export function TokensPage() {
  return (
    <Needs role={Role.ADMIN} title="API tokens">
      <Tokens />
    </Needs>
  );
}

function Tokens() {
  const project = useProject();
  const [creating, setCreating] = useState(false);
  const [made, setMade] = useState<ApiToken>();
  const [revoking, setRevoking] = useState<ApiToken>();
  const pages = usePages(`tokens ${project}`, async (pageToken, signal) => {
    const answer = await api.access.listApiTokens({ pageSize: 100, pageToken }, { signal });
    return { rows: answer.apiTokens, nextPageToken: answer.nextPageToken };
  });
  const create = (
    <Button kind="primary" icon="plus" data-new onClick={() => setCreating(true)}>
      New token
    </Button>
  );
  return (
    <>
      <PageHead
        title="API tokens"
        text="For programs that cannot sign in, such as a pipeline. Each token has one role in this project, and expires."
        actions={create}
      />
      <DataTable
        label="API tokens"
        unit="token"
        pages={pages}
        rowKey={({ id }) => id}
        columns={[
          { title: "Name", cell: ({ name }) => <b class="plain">{name}</b> },
          { title: "State", width: "state", cell: (token) => <TokenState token={token} /> },
          { title: "Role", hideOn: "phone", width: "state", cell: ({ role }) => <RoleBadge role={role} /> },
          {
            title: "Last used",
            hideOn: "phone",
            width: "medium",
            cell: ({ lastUsedAt }) => (lastUsedAt ? <Time at={lastUsedAt} /> : <span class="faint">Never</span>),
          },
          { title: "Ends", hideOn: "tablet", width: "medium", cell: ({ expiresAt }) => <Time at={expiresAt} /> },
          {
            title: "Made by",
            hideOn: "tablet",
            width: "medium",
            cell: ({ createdBy }) => createdBy || <span class="faint">–</span>,
          },
          {
            title: "Actions",
            width: "state",
            align: "right",
            cell: (token) =>
              !token.revokedAt && (
                <Button kind="quiet" aria-label={`Revoke ${token.name}`} onClick={() => setRevoking(token)}>
                  Revoke
                </Button>
              ),
          },
        ]}
        empty={
          <Empty title="This project has no API tokens" actions={create}>
            <p>
              A program sends a token as <code>Authorization: Bearer …</code>. History and audit log call it{" "}
              <code>token:</code> and its name.
            </p>
          </Empty>
        }
      />
      {creating && (
        <CreateDialog
          onClose={() => setCreating(false)}
          onMade={(token) => {
            setMade(token);
            pages.reload();
          }}
        />
      )}
      {made && !creating && (
        <SecretDialog
          title={`The token ${made.name}`}
          label="Token"
          secret={made.token}
          onClose={() => setMade(undefined)}
        >
          <p>
            Copy it now. The registry stores only a hash of it, so it cannot be shown again. If it is lost, revoke it
            and make another one.
          </p>
        </SecretDialog>
      )}
      {revoking && <RevokeDialog token={revoking} onClose={() => setRevoking(undefined)} onRevoked={pages.reload} />}
    </>
  );
}

function TokenState({ token: { createdAt, expiresAt, revokedAt } }: { token: ApiToken }) {
  if (revokedAt) return <Badge tone="grey">revoked</Badge>;
  if (!createdAt || !expiresAt) return null;
  const end = dateOf(expiresAt).getTime();
  const left = (end - Date.now()) / (end - dateOf(createdAt).getTime());
  if (left < 0) return <Badge tone="red">expired</Badge>;
  if (left < LAST_PART) return <Badge tone="amber">ends soon</Badge>;
  return <Badge tone="green">active</Badge>;
}

const LIFETIMES: [days: string, text: string][] = [
  ["1", "1 day"],
  ["7", "7 days"],
  ["30", "30 days"],
  ["90", "90 days"],
  ["180", "180 days"],
  ["366", "366 days, which is the longest"],
];

function CreateDialog({ onClose, onMade }: { onClose: () => void; onMade: (token: ApiToken) => void }) {
  const [name, setName] = useState("");
  const [role, setRole] = useState(Role.EDITOR);
  const [days, setDays] = useState("90");
  const create = useAction(async () => {
    const lifetime = { seconds: BigInt(Number(days) * 86_400) };
    const { apiToken } = await api.access.createApiToken({ name: name.trim(), role, lifetime });
    if (apiToken) onMade(apiToken);
  });
  return (
    <FormDialog
      title="New API token"
      submit="Make the token"
      action={create}
      onClose={onClose}
      ready={name.trim() !== ""}
      shownFields={["name", "role", "lifetime"]}
    >
      <TextField
        label="Name"
        placeholder="ci"
        value={name}
        onInput={setName}
        failure={create.failure}
        path="name"
        autofocus
        hint="What uses it. History and audit log have this name."
      />
      <SelectField
        label="Role"
        value={String(role)}
        onChange={(value) => setRole(Number(value))}
        options={ROLE_OPTIONS}
        failure={create.failure}
        path="role"
        hint={MAY[role]}
      />
      <SelectField
        label="It can be used for"
        value={days}
        onChange={setDays}
        options={LIFETIMES}
        failure={create.failure}
        path="lifetime"
      />
      <p class="muted">
        It belongs to the member by which you are an admin. If that member is removed, the token is revoked.
      </p>
    </FormDialog>
  );
}

function RevokeDialog({ token, onClose, onRevoked }: { token: ApiToken; onClose: () => void; onRevoked: () => void }) {
  const revoke = useAction(async () => {
    await api.access.revokeApiToken({ id: token.id, requestId: newRequestId() });
    toast(`The token ${token.name} was revoked.`);
    onRevoked();
  });
  return (
    <FormDialog title={`Revoke ${token.name}?`} submit="Revoke" danger action={revoke} onClose={onClose}>
      <p>
        Whatever uses it stops working at once, and it cannot be made valid again.{" "}
        {token.lastUsedAt ? (
          <>
            It was last used <Time at={token.lastUsedAt} />.
          </>
        ) : (
          "It was never used."
        )}
      </p>
    </FormDialog>
  );
}
