//! A sign-in service on loopback, and the person who signs in there.

use std::collections::{HashMap, VecDeque};
use std::io::{self, BufRead, Read, Write as _};
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use url::Url;

use super::bench::{Buffer, Certificates};
use crate::world::Browser;

#[derive(Default)]
pub(super) struct Tenant {
    port: Mutex<u16>,
    codes: Mutex<HashMap<String, HashMap<String, String>>>,
    /// The addresses that people were sent to.
    pub(super) visited: Mutex<Vec<HashMap<String, String>>>,
    /// The forms that came to the token endpoint.
    pub(super) forms: Mutex<Vec<HashMap<String, String>>>,
    /// What the token endpoint says instead of giving a token.
    pub(super) refuses: Mutex<Option<&'static str>>,
    /// What whoever waits for a code to be entered is told, one after another; then it was entered. `lost` is no answer.
    pub(super) waiting: Mutex<VecDeque<&'static str>>,
    /// Where the code is to be entered, if not at an address that is good.
    pub(super) enter_at: Mutex<Option<&'static str>>,
    /// What the next ID tokens carry instead of the nonce they should.
    pub(super) nonce: Mutex<Option<&'static str>>,
}

impl Tenant {
    pub(super) async fn serve(self: &Arc<Self>, certificates: &Certificates) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        *self.port.lock().unwrap() = listener.local_addr().unwrap().port();
        let acceptor = TlsAcceptor::from(Arc::new(certificates.server(&[&rustls::version::TLS13], false)));
        let tenant = Arc::clone(self);
        tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                let (acceptor, tenant) = (acceptor.clone(), Arc::clone(&tenant));
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(tcp).await else { return };
                    let mut bytes = Vec::new();
                    while !whole(&bytes) {
                        let mut piece = [0; 4096];
                        match stream.read(&mut piece).await {
                            Ok(read) if read > 0 => bytes.extend(&piece[..read]),
                            _ => return,
                        }
                    }
                    let (status, body) = tenant.answer(&String::from_utf8(bytes).unwrap());
                    let response = format!(
                        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
                         date: Fri, 20 Nov 2026 15:00:02 GMT\r\nconnection: close\r\n\r\n{body}",
                        body.len()
                    );
                    let _ = stream.write_all(response.as_bytes()).await;
                    let _ = stream.shutdown().await;
                });
            }
        });
    }

    pub(super) fn issuer(&self) -> String {
        format!("https://localhost:{}/t/v2.0", self.port.lock().unwrap())
    }

    fn answer(&self, request: &str) -> (&'static str, String) {
        let issuer = self.issuer();
        if request.starts_with("GET /t/v2.0/.well-known/openid-configuration ") {
            let document = json!({
                "issuer": issuer,
                "authorization_endpoint": format!("{issuer}/authorize"),
                "token_endpoint": format!("{issuer}/token"),
                "device_authorization_endpoint": format!("{issuer}/devicecode"),
            });
            return ("200 OK", document.to_string());
        }
        let form: HashMap<String, String> =
            url::form_urlencoded::parse(request.split("\r\n\r\n").nth(1).unwrap().as_bytes())
                .into_owned()
                .collect();
        self.forms.lock().unwrap().push(form.clone());
        if let Some(why) = *self.refuses.lock().unwrap() {
            let body =
                json!({ "error": "invalid_grant", "error_description": format!("{why}\r\nTrace ID: 1") });
            return ("400 Bad Request", body.to_string());
        }
        if request.starts_with("POST /t/v2.0/devicecode ") {
            let at = self.enter_at.lock().unwrap().unwrap_or("https://login.example/device");
            let device = json!({
                "device_code": "device-secret", "user_code": "ABCD-1234\u{1b}[31m", "verification_uri": at,
                "expires_in": 900, "interval": 5, "message": "ignored",
            });
            return ("200 OK", device.to_string());
        }
        match form["grant_type"].as_str() {
            "urn:ietf:params:oauth:grant-type:device_code" => {
                match self.waiting.lock().unwrap().pop_front() {
                    None => (
                        "200 OK",
                        Self::tokens(&json!({ "oid": super::bench::ANN, "name": "Ann" })).to_string(),
                    ),
                    Some("lost") => ("503 Service Unavailable", String::new()),
                    Some(error) => {
                        let body = json!({ "error": error, "error_description": format!("AADSTS7: {error}\r\nTrace") });
                        ("400 Bad Request", body.to_string())
                    }
                }
            }
            "authorization_code" => ("200 OK", self.exchange(&form).to_string()),
            _ => ("200 OK", json!({ "access_token": "renewed-token", "expires_in": 3600 }).to_string()),
        }
    }

    /// PKCE and the redirect are checked as a sign-in service does.
    fn exchange(&self, form: &HashMap<String, String>) -> Value {
        let asked = self.codes.lock().unwrap().remove(&form["code"]).expect("a code counts once");
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, form["code_verifier"].as_bytes()));
        assert_eq!(asked["code_challenge"], challenge);
        assert_eq!(asked["code_challenge_method"], "S256");
        assert_eq!(asked["redirect_uri"], form["redirect_uri"]);
        let nonce = self.nonce.lock().unwrap().map_or(asked["nonce"].clone(), str::to_owned);
        let claims = json!({
            "nonce": nonce, "oid": super::bench::ANN, "name": "Ann\u{1b}[31m", "preferred_username": "ann@example.com",
        });
        Self::tokens(&claims)
    }

    fn tokens(claims: &Value) -> Value {
        let id_token = format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims.to_string()));
        json!({ "access_token": "first-token", "expires_in": 3600, "refresh_token": "refresh-1", "id_token": id_token })
    }

    /// Somebody signs in at this address; where the browser ends up.
    pub(super) fn sign_in(&self, address: &str) -> Url {
        let asked: HashMap<String, String> =
            Url::parse(address).unwrap().query_pairs().into_owned().collect();
        let code = format!("code-{}", self.visited.lock().unwrap().len());
        let mut back = Url::parse(&asked["redirect_uri"]).unwrap();
        back.query_pairs_mut().append_pair("code", &code).append_pair("state", &asked["state"]);
        self.codes.lock().unwrap().insert(code, asked.clone());
        self.visited.lock().unwrap().push(asked);
        back
    }
}

fn whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
    body.len() >= length.map_or(0, |length| length.trim().parse().unwrap())
}

/// What a person does in the browser.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    SignsIn,
    /// The browser asks for an icon, and another program tries to slip its own answer in.
    AmongStrays,
    Refuses,
    NoBrowser,
}

pub(super) struct Person {
    pub(super) tenant: Arc<Tenant>,
    pub(super) manner: Manner,
}

impl Browser for Person {
    fn open(&self, address: &str) -> io::Result<()> {
        if self.manner == Manner::NoBrowser {
            return Err(io::Error::other("no desktop is running here"));
        }
        let back = self.tenant.sign_in(address);
        let manner = self.manner;
        std::thread::spawn(move || {
            if manner == Manner::AmongStrays {
                assert!(get(&back, "/favicon.ico").starts_with("HTTP/1.1 404"));
                assert!(get(&back, "/?code=evil&state=guessed").starts_with("HTTP/1.1 404"));
                assert!(get(&back, "/?state=guessed&error=access_denied").starts_with("HTTP/1.1 404"));
            }
            let query = back.query().unwrap();
            match manner {
                Manner::Refuses => {
                    let state = query.split("state=").nth(1).unwrap();
                    get(
                        &back,
                        &format!("/?error=access_denied&error_description=AADSTS65004%3A+no&state={state}"),
                    )
                }
                _ => get(&back, &format!("/?{query}")),
            }
        });
        Ok(())
    }
}

fn get(back: &Url, target: &str) -> String {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", back.port().unwrap())).unwrap();
    write!(stream, "GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut page = String::new();
    let _ = stream.read_to_string(&mut page);
    page
}

/// A person who signs in on another machine and pastes the address back.
pub(super) struct Pasting {
    pub(super) tenant: Arc<Tenant>,
    pub(super) screen: Buffer,
    pub(super) wrong_first: bool,
    pub(super) line: Vec<u8>,
}

impl Read for Pasting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = Read::read(&mut self.fill_buf()?, buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Pasting {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.line.is_empty() {
            let screen = self.screen.text();
            let address = screen.split_whitespace().rfind(|word| word.contains("/authorize?")).unwrap();
            let back = match std::mem::take(&mut self.wrong_first) {
                true => "http://localhost/?code=1&state=another".to_owned(),
                false => self.tenant.sign_in(address).to_string(),
            };
            self.line = format!("{back}\n").into_bytes();
        }
        Ok(&self.line)
    }

    fn consume(&mut self, amount: usize) {
        self.line.drain(..amount);
    }
}
