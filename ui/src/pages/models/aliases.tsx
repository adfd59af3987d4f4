import { useState } from "preact/hooks";
import { Badge, Button, Empty, Section, Skeleton, Snippet, Time } from "../../components/basics";
import { FailureNotice } from "../../components/failure";
import { Icon } from "../../components/icon";
import { Role } from "../../gen/modelregistry/v1/access_pb";
import type { ModelAlias } from "../../gen/modelregistry/v1/model_alias_pb";
import type { RegisteredModel } from "../../gen/modelregistry/v1/registered_model_pb";
import { api } from "../../lib/api";
import { useMay } from "../../lib/caller";
import { href, useProject } from "../../lib/project";
import { type Query, readAll, usePages, useQuery } from "../../lib/query";
import { Link } from "../../lib/router";
import { DeleteAliasDialog, ProtectAliasDialog, SetAliasDialog } from "./alias-dialogs";

type Open = { kind: "set"; alias?: ModelAlias } | { kind: "protect" | "delete"; alias: ModelAlias } | undefined;

/** The aliases of a model by name; none if there is no model. */
export function useAliases(registeredModelId: string): Query<ModelAlias[]> {
  const project = useProject();
  return useQuery(`aliases ${project} ${registeredModelId}`, (signal) =>
    readAll(async (pageToken) => {
      if (!registeredModelId) return { rows: [], nextPageToken: "" };
      const answer = await api.aliases.listModelAliases({ registeredModelId, pageSize: 100, pageToken }, { signal });
      return { rows: answer.modelAliases, nextPageToken: answer.nextPageToken };
    }, signal),
  );
}

/** The aliases of a model, and when they were moved. */
export function Aliases({ model, onChanged }: { model: RegisteredModel; onChanged: () => void }) {
  const mayEdit = useMay(Role.EDITOR);
  const [open, setOpen] = useState<Open>();
  const [changes, setChanges] = useState(0);
  const aliases = useAliases(model.id);
  const saved = () => {
    aliases.reload();
    setChanges(changes + 1);
    onChanged();
  };
  const close = () => setOpen(undefined);
  const { data, failure } = aliases;
  if (failure) return <FailureNotice failure={failure} retry={aliases.reload} />;
  if (!data) return <Skeleton lines={4} />;
  const add = mayEdit && (
    <Button icon="plus" onClick={() => setOpen({ kind: "set" })}>
      New alias
    </Button>
  );
  return (
    <>
      {data.length === 0 ? (
        <Empty title="This model has no aliases" actions={add}>
          <p>
            An alias, such as “champion”, is a name that moves from version to version. Programs ask for it instead of a
            number.
          </p>
          <Snippet
            label="With Python"
            text={`model = registry.models.get("${model.name}")\nmodel.aliases.set("champion", version=1)`}
          />
        </Empty>
      ) : (
        <>
          <div class="row spread">
            <p class="muted">Names that move from version to version. Programs ask for them instead of a number.</p>
            {add}
          </div>
          <ul class="rows">
            {data.map((alias) => (
              <AliasRow key={alias.name} model={model} alias={alias} open={mayEdit ? setOpen : undefined} />
            ))}
          </ul>
        </>
      )}
      <Moves model={model} changes={changes} />
      {open?.kind === "set" && <SetAliasDialog model={model} alias={open.alias} onClose={close} onSaved={saved} />}
      {open?.kind === "protect" && (
        <ProtectAliasDialog model={model} alias={open.alias} onClose={close} onSaved={saved} />
      )}
      {open?.kind === "delete" && (
        <DeleteAliasDialog model={model} alias={open.alias} onClose={close} onSaved={saved} />
      )}
    </>
  );
}

function AliasRow({
  model,
  alias,
  open,
}: {
  model: RegisteredModel;
  alias: ModelAlias;
  open: ((what: Open) => void) | undefined;
}) {
  const { name, versionNumber, isProtected, movedAt, movedBy } = alias;
  return (
    <li>
      <div class="row-main">
        <span class="row">
          <b>{name}</b>
          <Icon name="right" />
          <Link to={href(`/models/${model.id}/versions/${versionNumber}`)}>version {versionNumber.toString()}</Link>
          {isProtected && <Badge tone="violet">protected</Badge>}
        </span>
        <small class="faint">
          {movedAt ? (
            <>
              set by {movedBy || "somebody"} <Time at={movedAt} />
            </>
          ) : (
            name === "default" && "the version that is used if none is named"
          )}
        </small>
      </div>
      {open && (
        <div class="row">
          <Button onClick={() => open({ kind: "set", alias })}>Move</Button>
          {name !== "default" && (
            <Button
              kind="quiet"
              icon="lock"
              aria-label={isProtected ? `Take the protection of ${name} away` : `Protect ${name}`}
              title={isProtected ? "Take the protection away" : "Protect"}
              onClick={() => open({ kind: "protect", alias })}
            />
          )}
          <Button
            kind="quiet"
            icon="trash"
            aria-label={`Delete ${name}`}
            title="Delete"
            onClick={() => open({ kind: "delete", alias })}
          />
        </div>
      )}
    </li>
  );
}

function Moves({ model, changes }: { model: RegisteredModel; changes: number }) {
  const project = useProject();
  const pages = usePages(`moves ${project} ${model.id} ${changes}`, async (pageToken, signal) => {
    const answer = await api.aliases.listModelAliasMoves(
      { registeredModelId: model.id, pageSize: 20, pageToken },
      { signal },
    );
    return { rows: answer.modelAliasMoves, nextPageToken: answer.nextPageToken };
  });
  if (!pages.rows.length) return null;
  return (
    <Section title="Moves">
      <ol class="events">
        {pages.rows.map(({ name, modelVersionId, versionNumber, movedAt, movedBy }) => (
          <li key={`${name} ${movedAt?.seconds} ${movedAt?.nanos}`}>
            <span>
              <b>{movedBy || "Somebody"}</b>{" "}
              {modelVersionId ? (
                <>
                  set <b>{name}</b> to{" "}
                  <Link to={href(`/models/${model.id}/versions/${versionNumber}`)}>
                    version {versionNumber.toString()}
                  </Link>
                </>
              ) : (
                <>
                  deleted <b>{name}</b>
                </>
              )}
            </span>
            <Time at={movedAt} />
          </li>
        ))}
      </ol>
      {pages.hasMore && (
        <Button busy={pages.loading} onClick={pages.more}>
          Show earlier ones
        </Button>
      )}
    </Section>
  );
}
