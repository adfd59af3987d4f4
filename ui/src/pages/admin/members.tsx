import { useState } from "preact/hooks";
import { Badge, Button, Empty, Time } from "../../components/basics";
import { FormDialog } from "../../components/dialog";
import { SelectField, TextField } from "../../components/fields";
import { Icon } from "../../components/icon";
import { Needs } from "../../components/needs";
import { PageHead } from "../../components/page";
import { DataTable } from "../../components/table";
import { toast } from "../../components/toast";
import { type Member, MemberKind, Role } from "../../gen/modelregistry/v1/access_pb";
import { api, newRequestId } from "../../lib/api";
import { caller, loadCaller } from "../../lib/caller";
import { untilGone } from "../../lib/errors";
import { useProject } from "../../lib/project";
import { useAction, usePages } from "../../lib/query";
import { MAY, ROLE_OPTIONS, ROLES, roleName } from "../../lib/roles";
import { useStore } from "../../lib/store";

type Open = { what: "add" } | { what: "change" | "remove"; member: Member } | undefined;

export function MembersPage() {
  return (
    <Needs role={Role.ADMIN} title="Members">
      <Members />
    </Needs>
  );
}

function Members() {
  const project = useProject();
  const [open, setOpen] = useState<Open>();
  const pages = usePages(`members ${project}`, async (pageToken, signal) => {
    const answer = await api.access.listMembers({ pageSize: 100, pageToken }, { signal });
    return { rows: answer.members, nextPageToken: answer.nextPageToken };
  });
  const add = (
    <Button kind="primary" icon="plus" data-new onClick={() => setOpen({ what: "add" })}>
      Add a member
    </Button>
  );
  const close = () => setOpen(undefined);
  const saved = () => {
    pages.reload();
    void loadCaller(); // it may have been the caller's own role
  };
  return (
    <>
      <PageHead
        title="Members"
        text="Users and groups who may use this project. Whoever is in several groups has the highest of their roles."
        actions={add}
      />
      <DataTable
        label="Members"
        unit="member"
        pages={pages}
        rowKey={({ id }) => id}
        columns={[
          { title: "Name", cell: (member) => <Name member={member} /> },
          { title: "Role", width: "state", cell: ({ role }) => <RoleBadge role={role} /> },
          { title: "Added", hideOn: "phone", width: "medium", cell: ({ createdAt }) => <Time at={createdAt} /> },
          { title: "Changed", hideOn: "tablet", width: "medium", cell: ({ updatedAt }) => <Time at={updatedAt} /> },
          {
            title: "Actions",
            width: "narrow",
            align: "right",
            cell: (member) => (
              <>
                <Button
                  kind="quiet"
                  icon="edit"
                  aria-label={`Change the role of ${member.name}`}
                  title="Change the role"
                  onClick={() => setOpen({ what: "change", member })}
                />
                <Button
                  kind="quiet"
                  icon="trash"
                  aria-label={`Remove ${member.name}`}
                  title="Remove"
                  onClick={() => setOpen({ what: "remove", member })}
                />
              </>
            ),
          },
        ]}
        empty={
          <Empty title="This project has no members" actions={add}>
            <p>
              While authentication is off, everybody may do everything. Once it is on, only members, API tokens and
              operators may use the project.
            </p>
          </Empty>
        }
      />
      <Roles />
      {open?.what === "add" && <AddDialog onClose={close} onSaved={saved} />}
      {open?.what === "change" && <ChangeDialog member={open.member} onClose={close} onSaved={saved} />}
      {open?.what === "remove" && <RemoveDialog member={open.member} onClose={close} onSaved={saved} />}
    </>
  );
}

function Name({ member }: { member: Member }) {
  const isGroup = member.kind === MemberKind.GROUP;
  return (
    <span class="with-icon">
      <Icon name={isGroup ? "members" : "user"} />
      <span class="hidden">{isGroup ? "Group" : "User"}</span>
      <span class="text">{member.name}</span>
      {useIsMe(member) && <Badge tone="blue">{isGroup ? "your group" : "you"}</Badge>}
    </span>
  );
}

function useIsMe({ kind, name }: Member): boolean {
  const who = useStore(caller);
  if (!who || who.method === "none") return false;
  return kind === MemberKind.GROUP ? who.groups.includes(name) : who.name === name;
}

export function RoleBadge({ role }: { role: Role }) {
  return (
    <Badge tone={role >= Role.ADMIN ? "violet" : role === Role.DEPLOYER ? "blue" : "grey"} title={MAY[role]}>
      {roleName(role).toLowerCase()}
    </Badge>
  );
}

/** What each role may do. */
function Roles() {
  return (
    <section class="section">
      <h2>What each role may do</h2>
      <dl class="roles">
        {[...ROLES, Role.OPERATOR].map((role) => (
          <div key={role}>
            <dt>
              <RoleBadge role={role} />
            </dt>
            <dd>
              {MAY[role]} {role === Role.OPERATOR && "The settings of the registry name the operators."}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

interface DialogProps {
  onClose: () => void;
  onSaved: () => void;
}

function RoleField({ role, onChange }: { role: Role; onChange: (role: Role) => void }) {
  return (
    <SelectField
      label="Role"
      value={String(role)}
      onChange={(value) => onChange(Number(value))}
      options={ROLE_OPTIONS}
      hint={MAY[role]}
    />
  );
}

function AddDialog({ onClose, onSaved }: DialogProps) {
  const [kind, setKind] = useState(MemberKind.USER);
  const [name, setName] = useState("");
  const [role, setRole] = useState(Role.VIEWER);
  const add = useAction(async () => {
    await api.access.setMember({ kind, name, role, requestId: newRequestId() });
    toast(`${name} now has the role ${roleName(role)}.`);
    onSaved();
  });
  const isGroup = kind === MemberKind.GROUP;
  return (
    <FormDialog
      title="Add a member"
      submit="Add"
      action={add}
      onClose={onClose}
      ready={name !== ""}
      shownFields={["name"]}
    >
      <SelectField
        label="Kind"
        value={String(kind)}
        onChange={(value) => setKind(Number(value))}
        options={[
          [String(MemberKind.USER), "User"],
          [String(MemberKind.GROUP), "Group"],
        ]}
      />
      <TextField
        label="Name"
        value={name}
        onInput={setName}
        failure={add.failure}
        path="name"
        autofocus
        hint={`Letter by letter as in the tokens of the issuer, with the prefix of the issuer if it has one. ${
          isGroup ? "“Who you are” shows the names of groups." : "Users can copy their names in “Who you are”."
        } Nobody has to have called before.`}
      />
      <RoleField role={role} onChange={setRole} />
      <p class="muted">If the member exists already, its role changes to this one.</p>
    </FormDialog>
  );
}

function ChangeDialog({ member, onClose, onSaved }: DialogProps & { member: Member }) {
  const [role, setRole] = useState(member.role);
  const isMe = useIsMe(member);
  const change = useAction(async () => {
    await api.access.setMember({ kind: member.kind, name: member.name, role, requestId: newRequestId() });
    toast(`${member.name} now has the role ${roleName(role)}.`);
    onSaved();
  });
  const lower = role < member.role;
  return (
    <FormDialog
      title={`Change the role of ${member.name}`}
      submit="Change the role"
      action={change}
      onClose={onClose}
      ready={role !== member.role}
    >
      <RoleField role={role} onChange={setRole} />
      {lower && (
        <p class="notice amber">
          API tokens that belong to this member get no higher role than this, for good and at once.
          {isMe && " You may no longer be able to come back to this page."}
        </p>
      )}
    </FormDialog>
  );
}

function RemoveDialog({ member, onClose, onSaved }: DialogProps & { member: Member }) {
  const isMe = useIsMe(member);
  const remove = useAction(async () => {
    await untilGone(api.access.removeMember({ kind: member.kind, name: member.name, requestId: newRequestId() }));
    toast(`${member.name} was removed.`);
    onSaved();
  });
  return (
    <FormDialog title={`Remove ${member.name}?`} submit="Remove" danger action={remove} onClose={onClose}>
      <p>
        {member.kind === MemberKind.GROUP
          ? "Its users lose the role that comes from this group."
          : "The user keeps the roles that come from groups."}{" "}
        The API tokens that belong to this member are revoked at once. Pipelines that use them stop working.
      </p>
      {isMe && <p class="notice amber">That is you. You may no longer be able to come back to this page.</p>}
    </FormDialog>
  );
}
