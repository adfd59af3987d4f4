import { Time } from "../../components/basics";
import { Icon } from "../../components/icon";
import type { Deployment } from "../../gen/modelregistry/v1/deployment_pb";
import type { ServingEnvironment } from "../../gen/modelregistry/v1/serving_environment_pb";
import { formatNumber, words } from "../../lib/format";
import { href } from "../../lib/project";
import { Link } from "../../lib/router";
import { Phase } from "../models/serving";
import { Marked } from "./marked";
import { environmentText, type Names, namesOfRows, useNames, versionText } from "./names";
import { moodOf, phaseWord, reasonWord, replicasText } from "./words";

/** Deployments as cards, by their environments. What needs a person comes first. */
export function Board({ rows, environments }: { rows: Deployment[]; environments: ServingEnvironment[] | undefined }) {
  const names = useNames(...namesOfRows(rows));
  const groups = new Map<string, Deployment[]>();
  for (const row of rows) groups.set(row.namespace, [...(groups.get(row.namespace) ?? []), row]);
  const sorted = [...groups]
    .map(([namespace, list]) => ({ namespace, title: environmentText(environments, namespace), list }))
    .sort((a, b) => (a.title < b.title ? -1 : 1));
  return (
    <div class="board">
      {sorted.map(({ namespace, title, list }) => (
        <section key={namespace} aria-label={title}>
          <header class="group-head">
            <h2>{title}</h2>
            {title !== namespace && <span class="faint small">namespace {namespace}</span>}
            <Summary list={list} />
          </header>
          <ul class="cards">
            {list.sort(byUrgency).map((deployment) => (
              <Card key={deployment.id} deployment={deployment} names={names} />
            ))}
          </ul>
        </section>
      ))}
    </div>
  );
}

const ORDER = ["bad", "warning", "busy", "good", "off"];

function byUrgency(a: Deployment, b: Deployment): number {
  const urgency = ORDER.indexOf(moodOf(phaseWord(a))) - ORDER.indexOf(moodOf(phaseWord(b)));
  return urgency || (a.name < b.name ? -1 : 1);
}

/** How many are in each phase. */
function Summary({ list }: { list: Deployment[] }) {
  const counts = new Map<string, number>();
  for (const one of list) counts.set(phaseWord(one), (counts.get(phaseWord(one)) ?? 0) + 1);
  return (
    <span class="summary">
      {[...counts]
        .sort(([a], [b]) => ORDER.indexOf(moodOf(a)) - ORDER.indexOf(moodOf(b)))
        .map(([phase, count]) => (
          <span key={phase} class={`mood ${moodOf(phase)}`}>
            {formatNumber(count)} {words(phase)}
          </span>
        ))}
    </span>
  );
}

function Card({ deployment, names }: { deployment: Deployment; names: Names }) {
  const { id, name, registeredModelId, modelVersionId, message, nextStep, phaseSince, url, canary } = deployment;
  const mood = moodOf(phaseWord(deployment));
  const reason = reasonWord(deployment);
  return (
    <li class={`deployment-card ${mood}`}>
      <div class="card-head">
        <Link class="card-link" to={href(`/deployments/${id}`)}>
          {name}
        </Link>
        <Phase deployment={deployment} />
      </div>
      <p>
        {names.models[registeredModelId] ?? "…"}{" "}
        <span class="muted">{names.models[registeredModelId] && versionText(names, modelVersionId)}</span>
      </p>
      {canary && (
        <p class="muted">
          Canary: {canary.share} % of the requests go to revision {String(deployment.targetRevision)}
        </p>
      )}
      {reason && mood !== "good" && (
        <div class="card-why">
          <p class="clamp" title={message}>
            <b>{words(reason)}</b>
            {message && `: ${message}`}
          </p>
          {nextStep && (
            <p class="clamp muted" title={nextStep}>
              <Marked text={nextStep} />
            </p>
          )}
        </div>
      )}
      <p class="card-foot">
        <span>{replicasText(deployment)}</span>
        <Time at={phaseSince} />
        {url && (
          <a class="card-url" href={url} target="_blank" rel="noreferrer" title={url} aria-label={`Open ${url}`}>
            <Icon name="external" />
          </a>
        )}
      </p>
    </li>
  );
}
