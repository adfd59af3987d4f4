import { useState } from "preact/hooks";
import { Role } from "../gen/modelregistry/v1/access_pb";
import { caller } from "../lib/caller";
import { useProject } from "../lib/project";
import { MAY, ROLES, roleName } from "../lib/roles";
import { config, loginWanted, signOut, token } from "../lib/session";
import { useStore } from "../lib/store";
import { Button, CopyId, copyText, Fact, Facts, Time } from "./basics";
import { Dialog } from "./dialog";
import { Icon } from "./icon";

/** Who the user is, at the foot of the sidebar. It opens the rest. */
export function Account({ onSwitch }: { onSwitch: () => void }) {
  const who = useStore(caller);
  const { auth } = useStore(config);
  const signedIn = useStore(token) !== "";
  const [open, setOpen] = useState(false);
  if (!who && (auth === "off" || signedIn)) return null;
  if (!who)
    return (
      <Button icon="user" onClick={() => loginWanted.set("Sign in to see this project.")}>
        Sign in
      </Button>
    );
  return (
    <>
      <button type="button" class="caller" aria-haspopup="dialog" onClick={() => setOpen(true)}>
        <Icon name="user" />
        <span>
          {who.name || "Anonymous"}
          <small>{who.method === "none" ? "Authentication is off" : roleName(who.role)}</small>
        </span>
        <Icon name="more" />
      </button>
      {open && (
        <AccountDialog
          onClose={() => setOpen(false)}
          onSwitch={() => {
            setOpen(false);
            onSwitch();
          }}
        />
      )}
    </>
  );
}

function AccountDialog({ onClose, onSwitch }: { onClose: () => void; onSwitch: () => void }) {
  const who = useStore(caller);
  const project = useProject();
  const signedIn = useStore(token) !== "";
  const { name = "", method = "", groups = [], role = 0, expiresAt } = who ?? {};
  return (
    <Dialog
      title="Who you are"
      onClose={onClose}
      footer={
        <>
          <Button onClick={onSwitch}>Switch project</Button>
          {signedIn && (
            <Button
              onClick={() => {
                onClose();
                signOut();
              }}
            >
              Sign out
            </Button>
          )}
        </>
      }
    >
      <div class="stack">
        {method === "none" && (
          <p class="muted">
            Authentication is off: whoever reaches the registry may do everything, under any name. See “Access” in the
            documentation.
          </p>
        )}
        <Facts>
          <Fact name="Name">
            {name && (
              <>
                {name} <CopyName name={name} />
              </>
            )}
          </Fact>
          <Fact name="Recognized by">{recognizedBy(method)}</Fact>
          <Fact name="Role in this project">{roleName(role)}</Fact>
          <Fact name="Project">
            <CopyId id={project} label="Copy the id of the project" />
          </Fact>
          <Fact name="The session ends">{expiresAt ? <Time at={expiresAt} /> : "It does not end"}</Fact>
          <Fact name="Groups">{groups.join(", ")}</Fact>
        </Facts>
        <p class="muted">{mayOf(role)}</p>
      </div>
    </Dialog>
  );
}

/** An admin needs the name letter by letter to add a member. */
function CopyName({ name }: { name: string }) {
  return (
    <button type="button" class="copy-id" aria-label="Copy the name" onClick={() => copyText(name, "The name")}>
      <Icon name="copy" />
    </button>
  );
}

/** What a role may do, with what it may because the lower ones may. */
function mayOf(role: Role): string {
  const all = role === Role.OPERATOR ? [Role.OPERATOR] : ROLES.filter((lower) => lower <= role);
  return (all.length ? all : [Role.UNSPECIFIED]).map((each) => MAY[each]).join(" ");
}

function recognizedBy(method: string): string {
  if (method === "none") return "Nothing";
  return method === "token" ? "An API token" : method;
}
