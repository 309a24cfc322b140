//! Colour, quiet, questions, pasted addresses, and what is kept where.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, BufRead, Cursor, Read, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use elevate_client::{Browser, Commands, Exit, Key, Keyring, Keys, Running, Terminals};
use elevate_sandbox::stage::Told;
use elevate_sandbox::{Strength, browser};
use elevate_tests::{State, World};
use tokio::sync::Notify;

use super::Session;

/// A terminal with somebody at it who reads what is said before they type.
struct Terminal<'a> {
    world: &'a World,
    name: &'static str,
    env: Vec<(&'static str, &'static str)>,
    terminals: Terminals,
    /// What they type, or `None` to paste the address that they were sent to.
    input: Option<&'static str>,
}

impl<'a> Terminal<'a> {
    fn of(world: &'a World, name: &'static str) -> Self {
        let terminals = Terminals { input: true, out: true, err: true, width: Some(100), height: Some(30) };
        Self { world, name, env: Vec::new(), terminals, input: Some("") }
    }

    async fn types(&self, arguments: &[&str]) -> Told {
        let (out, err) = (Pad::default(), Pad::default());
        let ca = self.world.tenant.ca_file().to_owned();
        let input: Arc<Mutex<dyn BufRead + Send>> = match self.input {
            Some(typed) => Arc::new(Mutex::new(Cursor::new(typed.as_bytes()))),
            None => {
                let (said, name) = (err.clone(), self.name);
                Arc::new(Mutex::new(Pasted { said, name, ca: ca.clone(), line: Cursor::new(Vec::new()) }))
            }
        };
        let own = |name: &str, value: String| (name.to_owned(), value);
        let mut env = BTreeMap::from([
            own(
                "ELEVATE_CONFIG_DIR",
                self.world.folder().join("people").join(self.name).display().to_string(),
            ),
            own("ELEVATE_TOKEN_STORE", "file".to_owned()),
            own("ELEVATE_BROKER", format!("localhost:{}", self.world.address().port())),
            own("ELEVATE_CA", ca.display().to_string()),
        ]);
        env.extend(self.env.iter().map(|(name, value)| own(name, (*value).to_owned())));
        let world = elevate_client::World {
            out: Box::new(out.clone()),
            err: Box::new(err.clone()),
            input,
            terminals: self.terminals,
            env,
            browser: Arc::new(Screen { name: self.name, ca }),
            clock: Arc::new(Held(self.world.hands.clock())),
            time_zone: jiff::tz::TimeZone::UTC,
            keyring: Arc::new(Held(self.world.hands.clock())),
            keys: Arc::new(NoKeyboard),
            commands: Arc::new(NoPrograms),
            interrupt: Arc::new(Notify::new()),
        };
        let words: Vec<_> =
            std::iter::once("elevate").chain(arguments.iter().copied()).map(OsString::from).collect();
        let run = tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(elevate_client::run(words, world))
        });
        Told { exit: run.await.unwrap(), out: out.text(), err: err.text() }
    }
}

#[derive(Clone, Default)]
struct Pad(Arc<Mutex<Vec<u8>>>);

impl Pad {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Pad {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Somebody who opens the address that was printed in a browser elsewhere, and pastes where it ends.
struct Pasted {
    said: Pad,
    name: &'static str,
    ca: PathBuf,
    line: Cursor<Vec<u8>>,
}

impl Read for Pasted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.fill_buf()?;
        self.line.read(buffer)
    }
}

impl BufRead for Pasted {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.line.get_ref().is_empty() {
            let said = self.said.text();
            let address =
                said.lines().map(str::trim).find(|line| line.starts_with("https://")).unwrap().to_owned();
            let redirected = browser::redirect(&address, self.name, Strength::Fido, &self.ca);
            let landing = tokio::runtime::Handle::current().block_on(redirected).map_err(io::Error::other)?;
            self.line = Cursor::new(format!("{landing}\n").into_bytes());
        }
        self.line.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.line.consume(bytes);
    }
}

struct Screen {
    name: &'static str,
    ca: PathBuf,
}

impl Browser for Screen {
    fn open(&self, url: &str) -> io::Result<()> {
        let (url, name, ca) = (url.to_owned(), self.name, self.ca.clone());
        tokio::spawn(async move { browser::sign_in(&url, name, Strength::Fido, &ca).await.unwrap() });
        Ok(())
    }
}

struct Held(elevate_sandbox::Clock);

impl elevate_client::Clock for Held {
    fn now(&self) -> jiff::Timestamp {
        self.0.now()
    }
}

impl Keyring for Held {
    fn load(&self, _: &str) -> Result<Option<String>, String> {
        Err("none here".to_owned())
    }

    fn save(&self, _: &str, _: &str) -> Result<(), String> {
        Err("none here".to_owned())
    }

    fn forget(&self, _: &str) -> Result<(), String> {
        Err("none here".to_owned())
    }
}

#[tokio::test]
async fn there_is_colour_on_a_terminal_and_none_where_it_is_not_wanted() {
    let session = Session::of(&["ann"]).await;
    let ann = || Terminal::of(&session.world, "ann");
    let ask = ["activate", "no-such-role", "--reason", "x", "--yes"];
    let colours = |told: &Told| told.out.contains('\u{1b}') || told.err.contains('\u{1b}');
    assert!(colours(&ann().types(&ask).await), "none on a terminal");
    for env in [("NO_COLOR", "1"), ("CLICOLOR", "0"), ("TERM", "dumb")] {
        let told = Terminal { env: vec![env], ..ann() }.types(&ask).await;
        assert!(!colours(&told), "{env:?}: {:?}", told.out);
    }
    assert!(!colours(&ann().types(&[&ask[..], &["--no-color"]].concat()).await));
    let piped = Terminal { terminals: Terminals::default(), ..ann() };
    assert!(!colours(&piped.types(&ask).await), "into a pipe");
}

#[tokio::test]
async fn into_a_pipe_goes_the_answer_and_nothing_else() {
    let session = Session::of(&["ann"]).await;
    let ann = session.world.person("ann");
    let told = ann.types(&["roles"]).await;
    assert_eq!(told.err, "", "something beside the answer");
    assert!(!told.out.contains('\r') && !told.out.contains('\u{1b}'));
    let quiet = ["activate", "reader", "--reason", "x", "--yes", "--quiet"];
    let told = ann.types(&quiet).await;
    assert_eq!(told.out, "You hold Global Reader until 09:00 +00:00 (in 1h)\n", "{}", told.err);
    assert!(!told.err.contains("hint:"), "{}", told.err);
}

#[tokio::test]
async fn who_says_no_when_asked_changes_nothing() {
    let session = Session::of(&["ann"]).await;
    let before = session.world.whole().await;
    let ann = Terminal { input: Some("look at the logs\nn\n"), ..Terminal::of(&session.world, "ann") };
    let told = ann.types(&["activate", "reader"]).await;
    assert!(told.err.contains("why do you need reader?") && told.err.contains("Go on?"), "{}", told.err);
    assert_eq!(told.exit, Exit::Interrupted, "{}", told.err);
    assert_eq!(session.world.whole().await, before);

    let ann = Terminal { input: Some("look at the logs\ny\n"), ..Terminal::of(&session.world, "ann") };
    let told = ann.types(&["activate", "reader"]).await;
    assert_eq!(told.exit, Exit::Ok, "{}", told.err);
    assert!(told.err.contains("look at the logs"), "what is asked is shown before the sign-in");
}

#[tokio::test]
async fn without_a_browser_the_address_is_printed_and_the_redirect_pasted_back() {
    let world = World::start().await;
    let ann = Terminal { input: None, ..Terminal::of(&world, "ann") };
    let told = ann.types(&["login", "--no-browser"]).await;
    assert_eq!(told.exit, Exit::Ok, "{}", told.err);
    assert!(told.err.contains("Open this address in any browser"), "{}", told.err);
    let ann = Terminal { input: None, ..Terminal::of(&world, "ann") };
    let ask = ["activate", "reader", "--reason", "x", "--yes", "--no-browser"];
    assert_eq!(ann.types(&ask).await.exit, Exit::Ok);

    let wrong =
        Terminal { input: Some("https://localhost/?code=1&state=2\n"), ..Terminal::of(&world, "bob") };
    let told = wrong.types(&["login", "--no-browser"]).await;
    assert_eq!(told.exit, Exit::SignIn, "{}", told.err);
    assert!(told.err.contains("That is not the address of this sign-in"), "{}", told.err);
}

#[tokio::test]
async fn tokens_are_in_the_session_file_only_and_only_its_owner_can_read_it() {
    let mut session = Session::of(&["ann", "bob"]).await;
    let mut said = String::new();
    for words in [
        "login",
        "whoami",
        "activate groups-admin --reason-file FOLDER/reason.txt --yes --no-wait",
        "show ID",
        "doctor",
        "list --output json",
        "whoami --output json",
    ] {
        let told = session.types("ann", words).await;
        said.push_str(&told.out);
        said.push_str(&told.err);
    }
    let told = session.types("bob", "approve ID --yes").await;
    said.push_str(&told.err);
    let id = session.newest().await;
    session.world.until(&id, State::Active).await;

    // Every token is three parts, and the first of them begins so.
    assert!(!said.contains("eyJ"), "a token is printed");
    let mut kept = Vec::new();
    for entry in std::fs::read_dir(session.world.folder().join("people/ann")).unwrap() {
        let path = entry.unwrap().path();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        if path.is_dir() {
            for file in std::fs::read_dir(&path).unwrap() {
                kept.push(file.unwrap().path());
            }
            continue;
        }
        if std::fs::read_to_string(&path).unwrap().contains("eyJ") {
            assert_eq!(mode, 0o600, "{} is readable by others", path.display());
        }
        kept.push(path);
    }
    let with_tokens: Vec<_> =
        kept.iter().filter(|path| std::fs::read_to_string(path).unwrap().contains("eyJ")).collect();
    assert_eq!(with_tokens.len(), 1, "{kept:?}");
    let text = std::fs::read_to_string(with_tokens[0]).unwrap();
    let mode = std::fs::metadata(with_tokens[0]).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    assert!(!text.contains("id_token"), "a proof is kept");

    session.types("ann", "logout").await;
    for path in kept.iter().filter(|path| path.exists()) {
        assert!(
            !std::fs::read_to_string(path).unwrap().contains("eyJ"),
            "kept after the logout: {}",
            path.display()
        );
    }
}

/// Nobody presses single keys here.
struct NoKeyboard;

impl Keys for NoKeyboard {
    fn open(&self) -> io::Result<()> {
        Err(io::Error::other("none here"))
    }

    fn next(&self) -> io::Result<Key> {
        Err(io::Error::other("none here"))
    }

    fn close(&self) {}
}

/// Nothing is run here.
struct NoPrograms;

impl Commands for NoPrograms {
    fn run(&self, _: elevate_client::Command) -> Running {
        Box::pin(std::future::ready(Err(io::Error::other("none here"))))
    }
}
