//! The way to the broker: TLS 1.3 and nothing else, a token on every call, a deadline on all but streams.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use elevate_proto::v1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;
use v1::activation_service_client::ActivationServiceClient;
use v1::approval_service_client::ApprovalServiceClient;
use v1::audit_service_client::AuditServiceClient;
use v1::policy_service_client::PolicyServiceClient;
use v1::review_service_client::ReviewServiceClient;
use v1::revocation_service_client::RevocationServiceClient;
use v1::role_service_client::RoleServiceClient;
use v1::session_service_client::SessionServiceClient;

use crate::exit::Exit;
use crate::failure::{Failure, Result, cause};
use crate::settings::Settings;
use crate::tls;

/// How long a connection may take to come about.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// A watched connection that is silent for so long is tried, so that a dead one is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// The largest answer taken: a page of the record with long texts in it.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A connected broker, and who calls it.
#[derive(Debug, Clone)]
pub(crate) struct Broker {
    channel: Channel,
    authorization: Option<AsciiMetadataValue>,
    patience: Duration,
}

impl Broker {
    /// Connects; nobody is calling yet.
    pub(crate) async fn connect(settings: &Settings) -> Result<Self> {
        let address = settings.broker()?.to_owned();
        let tls = Arc::new(tls::for_broker(settings)?);
        let bad = |_| Failure::usage(format!("`{address}` is no address of a broker; write HOST:PORT"));
        let origin: Uri = format!("https://{address}").parse().map_err(bad)?;
        // `http` to tonic only: TLS is ours to speak, below it. On the wire the scheme is `https`.
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .map_err(|error| Failure::usage(error.to_string()))?
            .origin(origin)
            .connect_timeout(CONNECT_PATIENCE)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_while_idle(true);
        let dialled = address.clone();
        let connector = service_fn(move |_: Uri| {
            let (address, tls) = (dialled.clone(), Arc::clone(&tls));
            async move { dial(&address, tls).await.map(TokioIo::new) }
        });
        let channel = endpoint.connect_with_connector(connector).await.map_err(|error| {
            match cause::<ConnectError>(&error) {
                Some(error) => error.failure(),
                None => {
                    Failure::unreachable(format!("cannot reach the broker at {address}: it did not answer"))
                        .advice("check the address and the network; `elevate doctor` tries it step by step")
                }
            }
        })?;
        Ok(Self { channel, authorization: None, patience: settings.patience() })
    }

    /// As the bearer of this access token.
    pub(crate) fn bearing(mut self, token: &str) -> Result<Self> {
        let mut value: AsciiMetadataValue = format!("Bearer {token}")
            .parse()
            .map_err(|_| Failure::sign_in("the access token holds characters that no token has"))?;
        value.set_sensitive(true);
        self.authorization = Some(value);
        Ok(self)
    }

    /// With this much patience for one call.
    pub(crate) fn patient(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// A call with token and deadline.
    pub(crate) fn call<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = self.stream(message);
        request.set_timeout(self.patience);
        request
    }

    /// A call with a token that may go on for as long as it likes.
    pub(crate) fn stream<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        if let Some(value) = &self.authorization {
            request.metadata_mut().insert("authorization", value.clone());
        }
        request
    }

    pub(crate) fn session(&self) -> SessionServiceClient<Channel> {
        SessionServiceClient::new(self.channel.clone())
    }

    pub(crate) fn roles(&self) -> RoleServiceClient<Channel> {
        RoleServiceClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    pub(crate) fn activations(&self) -> ActivationServiceClient<Channel> {
        ActivationServiceClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    pub(crate) fn approvals(&self) -> ApprovalServiceClient<Channel> {
        ApprovalServiceClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    pub(crate) fn reviews(&self) -> ReviewServiceClient<Channel> {
        ReviewServiceClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    pub(crate) fn revocation(&self) -> RevocationServiceClient<Channel> {
        RevocationServiceClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    pub(crate) fn policy(&self) -> PolicyServiceClient<Channel> {
        PolicyServiceClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    pub(crate) fn audit(&self) -> AuditServiceClient<Channel> {
        AuditServiceClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }
}

/// Opens the connection: TCP, then TLS, each with its own words when it fails.
pub(crate) async fn dial(
    address: &str,
    tls: Arc<ClientConfig>,
) -> std::result::Result<TlsStream<TcpStream>, ConnectError> {
    let failed = |why| ConnectError { address: address.to_owned(), why };
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(host.to_owned()).map_err(|_| failed(Why::Name))?;
    let stream = tokio::time::timeout(CONNECT_PATIENCE, TcpStream::connect(address))
        .await
        .map_err(|_| failed(Why::Slow))?
        .map_err(|error| failed(Why::Tcp(error)))?;
    // A lost segment of a small call should not wait for more to send.
    let _ = stream.set_nodelay(true);
    tokio::time::timeout(CONNECT_PATIENCE, TlsConnector::from(tls).connect(name, stream))
        .await
        .map_err(|_| failed(Why::Slow))?
        .map_err(|error| failed(Why::Tls(error)))
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[error("cannot reach the broker at {address}")]
pub(crate) struct ConnectError {
    address: String,
    #[source]
    why: Why,
}

#[derive(Debug, thiserror::Error)]
enum Why {
    #[error("the name cannot be in a certificate")]
    Name,
    #[error("too slow")]
    Slow,
    #[error(transparent)]
    Tcp(io::Error),
    #[error(transparent)]
    Tls(io::Error),
}

impl ConnectError {
    /// In the words of somebody who only wants to reach the broker.
    pub(crate) fn failure(&self) -> Failure {
        let address = &self.address;
        let (why, advice) = match &self.why {
            Why::Name => ("that is no host name".to_owned(), "write HOST:PORT"),
            Why::Slow => {
                ("nothing answered in 10s".to_owned(), "check the address, and whether a firewall is between")
            }
            Why::Tcp(error) => match error.kind() {
                io::ErrorKind::ConnectionRefused => {
                    ("the connection was refused".to_owned(), "check the port, and whether the broker runs")
                }
                _ if error.to_string().contains("lookup") => {
                    ("the name is not known here".to_owned(), "check the name, and the network or VPN")
                }
                _ => (error.to_string(), "check the address and the network"),
            },
            Why::Tls(error) => tls::in_plain_words(error),
        };
        Failure::new(
            Exit::Unreachable,
            "BROKER_UNREACHABLE",
            format!("cannot reach the broker at {address}: {why}"),
        )
        .advice(advice)
    }
}
