import { type Deployment, DeploymentPhase } from "../../gen/modelregistry/v1/deployment_pb";
import { DeploymentReason } from "../../gen/modelregistry/v1/deployment_reason_pb";

export function phaseWord({ phase, unknownPhase }: { phase: DeploymentPhase; unknownPhase?: string }): string {
  return unknownPhase || (DeploymentPhase[phase] ?? "");
}

/** The reason as a word of the API; empty if there is nothing to explain. */
export function reasonWord({ reason, unknownReason }: { reason: DeploymentReason; unknownReason?: string }): string {
  return unknownReason || (reason ? (DeploymentReason[reason] ?? "") : "");
}

export type Mood = "good" | "busy" | "warning" | "bad" | "off";

const MOODS: Record<string, Mood> = {
  DEPLOYED: "good",
  PENDING: "busy",
  DEPLOYING: "busy",
  UPDATING: "busy",
  DEGRADED: "warning",
  DRIFTED: "warning",
  DELETING: "warning",
  FAILED: "bad",
};

/** How a phase is to be taken. It decides about colours and order. */
export function moodOf(phase: string): Mood {
  return MOODS[phase] ?? "off";
}

const MEANINGS: Record<string, string> = {
  PENDING: "It is wanted, but nothing runs yet.",
  DEPLOYING: "The cluster is starting it.",
  DEPLOYED: "The wanted revision serves.",
  UPDATING: "An earlier revision serves while the wanted one is starting.",
  DEGRADED: "It has served, but not all of it serves now.",
  DRIFTED: "Somebody else has changed or deleted its object in the cluster.",
  STOPPED: "The workload was stopped in the cluster. The object still exists.",
  DELETING: "It is being removed from the cluster.",
  UNDEPLOYED: "The cluster has nothing of it. This page keeps its history.",
  FAILED: "It cannot start as it is. The registry goes on as soon as the cause is corrected.",
};

export function meaningOf(deployment: Deployment): string {
  if (deployment.canary) return "The wanted revision is tried beside the stable one.";
  if (deployment.reason === DeploymentReason.CANARY_ENDING) return "The canary is ending.";
  return MEANINGS[phaseWord(deployment)] ?? "A newer release of the registry knows what this phase means.";
}

/** `2 replicas`, `2 to 6 replicas`. Maximum 0 or none means the minimum, or no limit in Knative mode. */
export function replicasText({ options }: Deployment): string {
  const least = options?.minReplicas ?? 1;
  const most = options?.maxReplicas ?? 0;
  if (most > least) return `${least} to ${most} replicas`;
  return least === 1 ? "1 replica" : `${least} replicas`;
}
