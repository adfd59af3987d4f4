import { useState } from "preact/hooks";
import { Badge, Button, CopyId, Fact, Facts, StatusBadge, Time } from "../../components/basics";
import { FormDialog } from "../../components/dialog";
import { PageHead } from "../../components/page";
import { toast } from "../../components/toast";
import { Role } from "../../gen/modelregistry/v1/access_pb";
import type { InferenceService } from "../../gen/modelregistry/v1/inference_service_pb";
import { api, newRequestId } from "../../lib/api";
import { useMay } from "../../lib/caller";
import { untilGone } from "../../lib/errors";
import { href } from "../../lib/project";
import { useAction } from "../../lib/query";
import { Link, navigate } from "../../lib/router";

/**
 * The page of an inference service that has no deployment. Its record is in the way of its environment, model and version. It may
 * say DEPLOYED if it followed an object of its name in the cluster.
 */
export function NeverDeployed({ service, onUndeployed }: { service: InferenceService; onUndeployed: () => void }) {
  // It keeps what was asked, because the state may change while the dialog is open.
  const [asking, setAsking] = useState<"undeploy" | "delete">();
  const mayDeploy = useMay(Role.DEPLOYER);
  const serves = service.currentState === "DEPLOYED";
  const close = () => setAsking(undefined);
  return (
    <>
      <PageHead
        title={service.name}
        crumbs={[["Deployments", href("/deployments")]]}
        badges={<Badge tone="grey">never deployed</Badge>}
        text="An inference service that this registry has never deployed. It is only a record."
        actions={
          mayDeploy && (
            <Button icon={serves ? "stop" : "trash"} onClick={() => setAsking(serves ? "undeploy" : "delete")}>
              {serves ? "Undeploy" : "Delete"}
            </Button>
          )
        }
      />
      <section class="card" aria-label="About the inference service">
        <Facts>
          <Fact name="Environment">
            <Link to={href(`/environments/${service.servingEnvironmentId}`)}>{service.servingEnvironmentName}</Link>
          </Fact>
          <Fact name="Model">
            <Link to={href(`/models/${service.registeredModelId}`)}>{service.registeredModelName}</Link>
          </Fact>
          <Fact name="State in its record">
            <StatusBadge status={service.currentState} />
          </Fact>
          <Fact name="Created">
            <Time at={service.createdAt} />
          </Fact>
          <Fact name="Changed">
            <Time at={service.updatedAt} />
          </Fact>
          <Fact name="Id">
            <CopyId id={service.id} />
          </Fact>
        </Facts>
      </section>
      {asking === "undeploy" && <UndeployDialog service={service} onClose={close} onUndeployed={onUndeployed} />}
      {asking === "delete" && <DeleteDialog service={service} onClose={close} />}
    </>
  );
}

interface UndeployProps {
  service: InferenceService;
  onClose: () => void;
  onUndeployed: () => void;
}

function UndeployDialog({ service: { id, name }, onClose, onUndeployed }: UndeployProps) {
  const [requestId] = useState(newRequestId);
  const undeploy = useAction(async () => {
    await api.deployments.undeployModel({ id, requestId });
    toast(`${name} was undeployed.`);
    onUndeployed();
  });
  return (
    <FormDialog title={`Undeploy ${name}?`} submit="Undeploy" danger action={undeploy} onClose={onClose}>
      <p>
        If the object of that name in the cluster carries the id of this record, it is deleted, and requests to it fail
        from then on. The record then says undeployed, so that it can be deleted, too.
      </p>
    </FormDialog>
  );
}

function DeleteDialog({ service, onClose }: { service: InferenceService; onClose: () => void }) {
  const { id, name, servingEnvironmentId } = service;
  const [requestId] = useState(newRequestId);
  const remove = useAction(async () => {
    await untilGone(api.services.deleteInferenceService({ id, requestId }));
    toast(`The record of ${name} was deleted.`);
    navigate(href(`/environments/${servingEnvironmentId}`));
  });
  return (
    <FormDialog
      title={`Delete the record of ${name}?`}
      submit="Delete for ever"
      danger
      action={remove}
      onClose={onClose}
    >
      <p>Nothing of it is in the cluster, and it has no history.</p>
    </FormDialog>
  );
}
