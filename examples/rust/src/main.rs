//! The client registers a model with two versions, calls one of them the champion, deploys it, watches the deployment until
//! it serves, and undeploys it. docs/api.md explains every step.

mod calls;
mod steps;

/// The stubs.
pub mod registry {
    tonic::include_proto!("modelregistry.v1");
}

use std::{env, error::Error, process::exit};

use registry::{deployment_service_client::DeploymentServiceClient, *};
use tonic_types::StatusExt;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    if let Err(error) = run().await {
        eprintln!("{}", explain(error.as_ref()));
        exit(1);
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let address = option("--address", "localhost:8080"); // host and port of the gateway
    let project = option("--project", "11111111-1111-1111-1111-111111111111"); // the UUID of the project
    let uri = option("--uri", "s3://models/iris"); // where the files of the model are

    let service = calls::connect(&address, &project).await?;
    let model = steps::register_model(&service, &uri).await?;
    let champion = steps::choose_champion(&service, &model.id, "v2").await?;
    steps::list_versions(&service, &model.id).await?;
    steps::review(&service, &champion).await?;
    let environment = steps::find_or_create_environment(&service, "examples").await?;

    let deployments = DeploymentServiceClient::new(service.clone());
    let deployed = call!(deployments.deploy_model(DeployModelRequest {
        request_id: format!("deploy {}", model.name),
        deployment: Some(NewDeployment {
            registered_model_id: model.id.clone(),
            version: "champion".into(),
            serving_environment_id: environment.id.clone(),
            ..Default::default()
        }),
        ..Default::default()
    }))?;
    let Deployment { id, snapshot, .. } = deployed.deployment.unwrap_or_default();
    println!("deploying {} to {}", snapshot.unwrap_or_default().requested_version, environment.name);
    steps::watch_until_deployed(&service, &id).await?;
    call!(deployments.undeploy_model(UndeployModelRequest { id: id.clone(), ..Default::default() }))?;
    println!("undeployed");
    Ok(())
}

/// The value after a name on the command line.
fn option(name: &str, default: &str) -> String {
    env::args().skip_while(|argument| argument != name).nth(1).unwrap_or_else(|| default.into())
}

/// An error of the registry as its code, its stable reason and its text; other errors with their causes.
fn explain(error: &(dyn Error + 'static)) -> String {
    if let Some(status) = error.downcast_ref::<tonic::Status>() {
        if let Some(info) = status.get_details_error_info() {
            return format!("{:?} {}: {}", status.code(), info.reason, status.message());
        }
    }
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}
