//! The steps of the story.

use std::error::Error;
use std::time::{SystemTime, UNIX_EPOCH};

use prost_types::Struct;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::call;
use crate::calls::Service;
use crate::registry::{
    deployment_service_client::DeploymentServiceClient, model_alias_service_client::ModelAliasServiceClient,
    model_version_service_client::ModelVersionServiceClient,
    registered_model_service_client::RegisteredModelServiceClient,
    serving_environment_service_client::ServingEnvironmentServiceClient, *,
};

/// A model with the versions v1 and v2, which are READY: only such versions can be deployed. A call with a request id takes
/// effect once, however often it is repeated.
pub async fn register_model(service: &Service, uri: &str) -> Result<RegisteredModel, Box<dyn Error>> {
    let models = RegisteredModelServiceClient::new(service.clone());
    let versions = ModelVersionServiceClient::new(service.clone());
    let name = format!("iris-rust-{:x}", SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos());
    let registered = call!(models.create_registered_model(CreateRegisteredModelRequest {
        request_id: format!("create {name}"),
        registered_model: Some(NewRegisteredModel { name: name.clone(), ..Default::default() }),
    }))?;
    let model = registered.registered_model.unwrap_or_default();
    for version in ["v1", "v2"] {
        let created = call!(versions.create_model_version(CreateModelVersionRequest {
            request_id: format!("create {name} {version}"),
            registered_model_id: model.id.clone(),
            model_version: Some(NewModelVersion {
                name: version.into(),
                model_framework: "sklearn".into(),
                model_framework_version: "1".into(),
                uri: uri.into(),
                ..Default::default()
            }),
        }))?;
        call!(versions.update_model_version(UpdateModelVersionRequest {
            id: created.model_version.unwrap_or_default().id,
            model_version: Some(ModelVersionPatch { status: Some("READY".into()), ..Default::default() }),
            ..Default::default()
        }))?;
    }
    println!("registered {name}");
    Ok(model)
}

/// Gives the alias to a version, and answers the id of the version.
pub async fn choose_champion(service: &Service, model_id: &str, version: &str) -> Result<String, Status> {
    let aliases = ModelAliasServiceClient::new(service.clone());
    let set = call!(aliases.set_model_alias(SetModelAliasRequest {
        registered_model_id: model_id.into(),
        name: "champion".into(),
        version: version.into(),
        ..Default::default()
    }))?;
    let alias = set.model_alias.unwrap_or_default();
    println!("{} is version {}", alias.name, alias.version_number);
    Ok(alias.model_version_id)
}

/// Reads the versions that match a filter, page by page. Pages this small are only for the example.
pub async fn list_versions(service: &Service, model_id: &str) -> Result<(), Status> {
    let versions = ModelVersionServiceClient::new(service.clone());
    let mut request = ListModelVersionsRequest {
        registered_model_id: model_id.into(),
        filter: r#"status = "READY" AND model_framework = "sklearn""#.into(),
        order_by: "name".into(),
        page_size: 1,
        ..Default::default()
    };
    loop {
        let page = call!(versions.list_model_versions(request.clone()))?;
        for version in page.model_versions {
            println!("found {} [{}]", version.name, version.aliases.join(" "));
        }
        if page.next_page_token.is_empty() {
            return Ok(());
        }
        request.page_token = page.next_page_token;
    }
}

/// Three reviewers label the version at the same time.
pub async fn review(service: &Service, version_id: &str) -> Result<(), Status> {
    tokio::try_join!(
        add_label(service, version_id, "bias", "passed"),
        add_label(service, version_id, "latency", "passed"),
        add_label(service, version_id, "license", "passed"),
    )?;
    println!("reviews: {}", get_version(service, version_id).await?.labels.len());
    Ok(())
}

/// Adds a label to those that the version has. The etag makes sure that nobody else's is lost.
async fn add_label(service: &Service, version_id: &str, key: &str, value: &str) -> Result<(), Status> {
    let versions = ModelVersionServiceClient::new(service.clone());
    loop {
        let mut version = get_version(service, version_id).await?;
        version.labels.insert(key.into(), value.into());
        let labels = Struct { fields: version.labels.into_iter().map(|(name, text)| (name, text.into())).collect() };
        let updated = call!(versions.update_model_version(UpdateModelVersionRequest {
            id: version_id.into(),
            etag: version.etag.clone(),
            model_version: Some(ModelVersionPatch { labels: Some(labels.clone()), ..Default::default() }),
            ..Default::default()
        }));
        match updated {
            Err(status) if status.code() == Code::Aborted => {} // somebody else has written it: read it again
            answer => return answer.map(|_| ()),
        }
    }
}

async fn get_version(service: &Service, id: &str) -> Result<ModelVersion, Status> {
    let versions = ModelVersionServiceClient::new(service.clone());
    let read = call!(versions.get_model_version(GetModelVersionRequest { id: id.into(), ..Default::default() }))?;
    Ok(read.model_version.unwrap_or_default())
}

pub async fn find_or_create_environment(service: &Service, name: &str) -> Result<ServingEnvironment, Status> {
    let environments = ServingEnvironmentServiceClient::new(service.clone());
    let created = call!(environments.create_serving_environment(CreateServingEnvironmentRequest {
        serving_environment: Some(NewServingEnvironment { name: name.into(), ..Default::default() }),
        ..Default::default()
    }));
    let environment = match created {
        Err(status) if reason_of(&status) == "SERVING_ENVIRONMENT_NAME_TAKEN" => {
            let request = FindServingEnvironmentRequest { name: name.into(), ..Default::default() };
            call!(environments.find_serving_environment(request))?.serving_environment
        }
        answer => answer?.serving_environment,
    };
    Ok(environment.unwrap_or_default())
}

/// The stable reason of an error of the registry, as in ErrorReason of the protos.
fn reason_of(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

/// Prints every change of the deployment from the first one on.
pub async fn watch_until_deployed(service: &Service, id: &str) -> Result<(), Box<dyn Error>> {
    let mut deployments = DeploymentServiceClient::new(service.clone());
    let request = WatchDeploymentRequest { id: id.into(), after_sequence: Some(0), ..Default::default() };
    let mut stream = deployments.watch_deployment(request).await?.into_inner();
    while let Some(answer) = stream.message().await? {
        let event = answer.event.unwrap_or_default();
        println!("  {} {}", event.phase().as_str_name(), event.message);
        match event.phase() {
            DeploymentPhase::Deployed => return Ok(()),
            DeploymentPhase::Failed => {
                let reason = event.reason().as_str_name().trim_start_matches("DEPLOYMENT_REASON_");
                return Err(format!("{reason}: {}\nnext step: {}", event.message, event.next_step).into());
            }
            _ => {}
        }
    }
    Err("the registry ended the watch before the deployment was decided".into())
}
