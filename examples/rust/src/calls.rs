//! How the registry is called: with the project, deadlines and retries.

use std::{error::Error, future::Future, time::Duration};

use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::{interceptor::InterceptedService, Interceptor};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt;

const CALL_TIMEOUT: Duration = Duration::from_secs(10); // of a stream until it begins
const ATTEMPTS: u32 = 4;

/// What every client of the registry is made of.
pub type Service = InterceptedService<Channel, WithProject>;

#[derive(Clone)]
pub struct WithProject(MetadataValue<Ascii>);

impl Interceptor for WithProject {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("project-id", self.0.clone());
        Ok(request)
    }
}

pub async fn connect(address: &str, project: &str) -> Result<Service, Box<dyn Error>> {
    let channel = Endpoint::new(format!("http://{address}"))?.timeout(CALL_TIMEOUT).connect().await?;
    Ok(InterceptedService::new(channel, WithProject(project.parse()?)))
}

/// Makes a call, and repeats it while the registry cannot be reached or is overloaded. An error without a reason is not the
/// registry's own: the connection broke, perhaps after the call had succeeded.
#[macro_export]
macro_rules! call {
    ($client:ident.$method:ident($request:expr)) => {{
        let request = $request;
        $crate::calls::repeated(|| {
            let (mut client, request) = ($client.clone(), request.clone());
            async move { client.$method(request).await }
        })
        .await
    }};
}

fn passes(status: &Status) -> bool {
    status.get_details_error_info().is_none() || matches!(status.code(), Code::Unavailable | Code::ResourceExhausted)
}

pub async fn repeated<T, F>(call: impl Fn() -> F) -> Result<T, Status>
where
    F: Future<Output = Result<Response<T>, Status>>,
{
    for attempt in 1..ATTEMPTS {
        match call().await {
            Err(status) if passes(&status) => {
                tokio::time::sleep(Duration::from_millis(100) * 2u32.pow(attempt)).await;
            }
            answer => return answer.map(Response::into_inner),
        }
    }
    call().await.map(Response::into_inner)
}
