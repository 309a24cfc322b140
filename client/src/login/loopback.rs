//! Takes a browser's redirect on loopback.
//!
//! Browsers open connections that they never use and ask for icons; other programs may knock too. Only
//! the answer that carries our `state` counts, whatever else comes.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::login::sign_in::{Answer, Expected};

/// How long a person may take to sign in. A challenge is good for as long.
const PATIENCE: Duration = Duration::from_mins(5);
/// How long a connection may take to say what it wants.
const REQUEST_PATIENCE: Duration = Duration::from_secs(10);
/// The first line and the headers; a code is a KiB or two.
const REQUEST_BYTES_MAX: usize = 32 * 1024;
/// Connections looked at at once.
const CONNECTIONS_MAX: usize = 32;

/// A bound port of loopback.
#[derive(Debug)]
pub(crate) struct Loopback {
    listener: TcpListener,
    port: u16,
}

impl Loopback {
    /// Binds a free port.
    pub(crate) async fn bind() -> Result<Self> {
        let bound = async {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
            let port = listener.local_addr()?.port();
            Ok::<_, std::io::Error>(Self { listener, port })
        };
        bound.await.map_err(|error| {
            Failure::new(
                Exit::Unexpected,
                "LOOPBACK",
                format!("cannot listen on loopback for the sign-in: {error}"),
            )
            .advice("`--no-browser` needs no listening")
        })
    }

    /// Where the browser is to come back to. Entra compares the path and not the port.
    pub(crate) fn redirect_uri(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// Waits for the answer to this sign-in.
    pub(crate) async fn answer(self, expected: Expected) -> Result<Answer> {
        tokio::time::timeout(PATIENCE, self.first(expected)).await.map_err(|_| {
            Failure::new(Exit::SignIn, "SIGN_IN_TIMEOUT", "nobody signed in within 5 minutes")
                .advice("repeat the command; `--no-browser` lets you sign in with a browser elsewhere")
        })?
    }

    async fn first(self, expected: Expected) -> Result<Answer> {
        let (found, mut answers) = mpsc::channel(1);
        // Dropped with this function, and the connections with it.
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                Some(answer) = answers.recv() => {
                    // The one who brought it is still being shown the page.
                    let _ = tokio::time::timeout(Duration::from_secs(1), async {
                        while connections.join_next().await.is_some() {}
                    }).await;
                    return Ok(answer);
                }
                Some(_) = connections.join_next() => {}
                accepted = self.listener.accept(), if connections.len() < CONNECTIONS_MAX => {
                    let Ok((stream, _)) = accepted else { continue };
                    let (found, expected) = (found.clone(), expected.clone());
                    connections.spawn(async move {
                        let _ = tokio::time::timeout(REQUEST_PATIENCE, serve(stream, &expected, &found)).await;
                    });
                }
            }
        }
    }
}

async fn serve(
    mut stream: TcpStream,
    expected: &Expected,
    found: &mpsc::Sender<Answer>,
) -> std::io::Result<()> {
    let head = head(&mut stream).await?;
    let target =
        head.strip_prefix("GET ").and_then(|rest| rest.split_whitespace().next()).unwrap_or_default();
    let answer = match target.strip_prefix("/?") {
        Some(query) => expected.read(query),
        None => None,
    };
    let (status, text) = match &answer {
        Some(Answer::Code(_)) => ("200 OK", "Signed in. You can close this tab and go back to the terminal."),
        Some(Answer::No(_)) => {
            ("200 OK", "The sign-in did not succeed. The terminal says why; you can close this tab.")
        }
        None => ("404 Not Found", "Nothing to see here."),
    };
    if let Some(answer) = answer {
        // Full means that it was answered already.
        let _ = found.try_send(answer);
    }
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>elevate</title>\
         <body style=\"font:1.1rem system-ui;margin:4rem\"><p>{text}</p></body></html>"
    );
    let response = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\n\
         cache-control: no-store\r\nreferrer-policy: no-referrer\r\n\
         content-security-policy: default-src 'none'; style-src 'unsafe-inline'\r\nconnection: close\r\n\r\n{page}",
        page.len()
    );
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await
}

async fn head(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    let mut piece = [0; 2048];
    while bytes.len() < REQUEST_BYTES_MAX && !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut piece).await? {
            0 => break,
            read => bytes.extend(piece.iter().take(read)),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
