//! The listening side: TLS, limits, services, and a graceful end.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use elevate_proto::v1 as api;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

use super::Api;

mod connection;

use connection::Connection;

/// The largest message, and the largest with a policy in it, in bytes.
const MESSAGE_MAX: usize = 64 * 1024;
const POLICY_MAX: usize = 1024 * 1024 + 4096;

/// How long a call may take when its caller sets no shorter deadline: a sweep waits for the directory.
const CALL_MAX: Duration = Duration::from_secs(5 * 60);

/// How long a TLS handshake may take.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

macro_rules! bounded {
    ($($service:ident)::+, $api:expr, $max:expr) => {
        api::$($service)::+::new($api.clone()).max_decoding_message_size($max).max_encoding_message_size(16 * 1024 * 1024)
    };
}

/// How many connections, and calls on one.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Connections at one time.
    pub connections: usize,
    /// Calls at one time on one connection.
    pub calls_per_connection: u32,
}

/// Serves until `stop`, and then ends what is under way.
///
/// # Errors
/// The listener failed.
pub async fn serve(
    api: Api,
    listener: TcpListener,
    tls: rustls::ServerConfig,
    bounds: Bounds,
    reflection: bool,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let (health, health_service) = tonic_health::server::health_reporter();
    let (accepted, connections) = mpsc::channel(16);
    let accepting =
        tokio::spawn(accept(listener, TlsAcceptor::from(Arc::new(tls)), bounds, accepted, stop.clone()));
    health.set_serving::<api::activation_service_server::ActivationServiceServer<Api>>().await;
    let streams = api.inner.streams.clone();
    let ending = stop.clone();
    let per_connection = usize::try_from(bounds.calls_per_connection).unwrap_or(usize::MAX);
    let mut router = Server::builder()
        .timeout(CALL_MAX)
        .concurrency_limit_per_connection(per_connection)
        .max_concurrent_streams(bounds.calls_per_connection)
        .http2_max_header_list_size(32 * 1024)
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .http2_keepalive_timeout(Some(Duration::from_secs(10)))
        .http2_max_pending_accept_reset_streams(Some(20))
        .add_service(health_service)
        .add_service(bounded!(session_service_server::SessionServiceServer, api, MESSAGE_MAX))
        .add_service(bounded!(role_service_server::RoleServiceServer, api, MESSAGE_MAX))
        .add_service(bounded!(activation_service_server::ActivationServiceServer, api, MESSAGE_MAX))
        .add_service(bounded!(approval_service_server::ApprovalServiceServer, api, MESSAGE_MAX))
        .add_service(bounded!(review_service_server::ReviewServiceServer, api, MESSAGE_MAX))
        .add_service(bounded!(revocation_service_server::RevocationServiceServer, api, MESSAGE_MAX))
        .add_service(bounded!(policy_service_server::PolicyServiceServer, api, POLICY_MAX))
        .add_service(bounded!(audit_service_server::AuditServiceServer, api, MESSAGE_MAX));
    if reflection {
        let descriptors = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(api::DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        router = router
            .add_service(descriptors().build_v1().context("reflection (v1) cannot be set up")?)
            // Older clients, Python's among them, ask for this one.
            .add_service(descriptors().build_v1alpha().context("reflection (v1alpha) cannot be set up")?);
    }
    let graceful = async move {
        ending.cancelled().await;
        streams.end();
        health.set_not_serving::<api::activation_service_server::ActivationServiceServer<Api>>().await;
        health.set_service_status("", tonic_health::ServingStatus::NotServing).await;
    };
    let served = router
        .serve_with_incoming_shutdown(ReceiverStream::new(connections), graceful)
        .await
        .context("the gRPC server failed");
    accepting.abort();
    served
}

/// Takes connections, as many as there are places, and hands on those whose handshake is done.
async fn accept(
    listener: TcpListener,
    tls: TlsAcceptor,
    bounds: Bounds,
    accepted: mpsc::Sender<std::io::Result<Connection>>,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(bounds.connections));
    loop {
        let place = tokio::select! {
            () = stop.cancelled() => return,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let Ok(place) = place else { return };
        let stream = tokio::select! {
            () = stop.cancelled() => return,
            stream = listener.accept() => stream,
        };
        let (stream, peer) = match stream {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file handles, most likely: no use in asking again at once.
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (tls, accepted) = (tls.clone(), accepted.clone());
        tokio::spawn(async move {
            match tokio::time::timeout(HANDSHAKE_MAX, tls.accept(stream)).await {
                Ok(Ok(stream)) => {
                    // Nobody takes it any more: the server is ending.
                    let _ = accepted.send(Ok(Connection { stream, _place: place })).await;
                }
                Ok(Err(error)) => tracing::debug!(%peer, %error, "a TLS handshake failed"),
                Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
            }
        });
    }
}
