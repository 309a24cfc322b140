//! The socket: TLS, HTTP/1.1 and HTTP/2, and the faults that strike a call on its way in or out.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use axum::{
    body::{Body, to_bytes},
    http,
};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    Call, Kind, control, graph, host,
    http::{Reply, Request},
    oidc, tickets,
    world::World,
};

/// Graph refuses larger bodies too, and nothing here comes near it.
const LARGEST_BODY: usize = 4 * 1024 * 1024;
/// A client that connects and says nothing must not hold a task for ever.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A socket being served. Dropping it closes the socket and every connection.
#[derive(Debug)]
pub(crate) struct Serving {
    stop: CancellationToken,
    accepting: Option<JoinHandle<()>>,
}

impl Serving {
    /// The login service, Graph and the control door, over TLS.
    pub(crate) fn start(listener: TcpListener, tls: Arc<ServerConfig>, world: Arc<World>) -> Self {
        Self::through(listener, Door::Tenant(tls.into()), world)
    }

    /// The host's own endpoint, without.
    pub(crate) fn host(listener: TcpListener, world: Arc<World>) -> Self {
        Self::through(listener, Door::Host, world)
    }

    fn through(listener: TcpListener, door: Door, world: Arc<World>) -> Self {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let accepting = tokio::spawn(async move {
            // Dropped with the task, and with it every connection: that is what an outage looks like.
            let mut connections = JoinSet::new();
            let accept = async {
                loop {
                    if let Ok((stream, _)) = listener.accept().await {
                        connections.spawn(connection(stream, door.clone(), Arc::clone(&world)));
                    }
                    while connections.try_join_next().is_some() {}
                }
            };
            let _: Option<Infallible> = stopped.run_until_cancelled(accept).await;
        });
        Self { stop, accepting: Some(accepting) }
    }

    /// Returns when the port is free.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.await;
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub(crate) async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

pub(crate) fn tls(
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Which of the two is come in by.
#[derive(Clone)]
enum Door {
    Tenant(TlsAcceptor),
    Host,
}

async fn connection(stream: TcpStream, door: Door, world: Arc<World>) {
    let builder = auto::Builder::new(TokioExecutor::new());
    // How a connection ends is the client's business; there is nobody here to tell.
    match door {
        Door::Tenant(tls) => {
            let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await else { return };
            let service = service_fn(move |request| respond(Arc::clone(&world), request, host_is_elsewhere));
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        }
        Door::Host => {
            let service = service_fn(move |request| respond(Arc::clone(&world), request, host::owns));
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        }
    }
}

fn host_is_elsewhere(path: &str) -> bool {
    !host::owns(path)
}

/// The answer never leaves; HTTP/1.1 closes the connection for it and HTTP/2 resets the stream.
#[derive(Debug, thiserror::Error)]
#[error("a scripted fault swallowed the answer")]
struct Swallowed;

async fn respond(
    world: Arc<World>,
    request: http::Request<Incoming>,
    is_behind: fn(&str) -> bool,
) -> Result<http::Response<Body>, Swallowed> {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(Body::new(body), LARGEST_BODY).await else {
        return Ok(Reply::empty(413).into_response(world.clock.now()));
    };
    let mut request = Request {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: body.to_vec(),
        at: world.clock.now(),
        id: Uuid::new_v4(),
    };
    if !is_behind(&request.path) {
        return Ok(Reply::empty(404).into_response(world.clock.now()));
    }
    if control::owns(&request.path) {
        return Ok(control::answer(&world, &request).into_response(world.clock.now()));
    }
    let struck = world.faults.strike(&request.method, &request.path);
    for kind in &struck {
        if let Kind::Latency { milliseconds } = kind {
            tokio::time::sleep(Duration::from_millis(*milliseconds)).await;
        }
    }
    request.at = world.clock.now();
    let reply = suffer(&world, &request, &struck);
    world.calls.add(Call {
        at: request.at,
        method: request.method.clone(),
        path: request.path.clone(),
        query: request.query.clone(),
        status: reply.as_ref().map(|reply| reply.status),
        client_request_id: request.header("client-request-id").map(str::to_owned),
        batched: false,
    });
    reply.map(|reply| reply.into_response(world.clock.now())).ok_or(Swallowed)
}

/// Answers a call as the faults that struck it allow; `None` is no answer at all.
pub(crate) fn suffer(world: &Arc<World>, request: &Request, struck: &[Kind]) -> Option<Reply> {
    let failed = |status, retry_after: Option<&str>| {
        let reply = if graph::owns(&request.path) {
            graph::failure(request, status)
        } else if host::owns(&request.path) {
            host::failure(status)
        } else if tickets::owns(&request.path) {
            tickets::failure(status)
        } else {
            oidc::failure(request, status)
        };
        match retry_after {
            Some(seconds) => reply.header("Retry-After", seconds),
            None => reply,
        }
    };
    match struck.iter().find(|kind| !matches!(kind, Kind::Latency { .. })) {
        None | Some(Kind::Latency { .. }) => Some(perform(world, request)),
        Some(Kind::Throttle { retry_after }) => Some(failed(429, retry_after.as_deref())),
        Some(Kind::FailBefore { status, retry_after }) => Some(failed(*status, retry_after.as_deref())),
        Some(Kind::FailAfter { status }) => {
            let _ = perform(world, request);
            Some(failed(*status, None))
        }
        Some(Kind::LoseReply) => {
            let _ = perform(world, request);
            None
        }
        Some(Kind::Drop) => None,
    }
}

fn perform(world: &Arc<World>, request: &Request) -> Reply {
    if graph::owns(&request.path) {
        graph::answer(world, request)
    } else if host::owns(&request.path) {
        host::answer(world, request)
    } else if tickets::owns(&request.path) {
        tickets::answer(world, request)
    } else {
        oidc::answer(world, request)
    }
}
