//! The real world: this process's terminal, clock, browser and keyring.

use std::io::{self, BufReader, IsTerminal as _};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::Notify;

use crate::world::{self, Browser, Clock, Commands, Key, Keyring, Keys, Running, Terminals, World};

/// How long an opener may take to say that it cannot. One that is still running has opened something.
const OPENER_PATIENCE: Duration = Duration::from_millis(1500);

impl World {
    /// This process's own.
    pub fn real() -> Self {
        let size = terminal_size::terminal_size();
        Self {
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
            input: Arc::new(Mutex::new(BufReader::new(io::stdin()))),
            terminals: Terminals {
                input: io::stdin().is_terminal(),
                out: io::stdout().is_terminal(),
                err: io::stderr().is_terminal(),
                width: size.map(|(width, _)| width.0),
                height: size.map(|(_, height)| height.0),
            },
            // A variable that is no text is none that we know.
            env: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
            browser: Arc::new(DesktopBrowser),
            clock: Arc::new(SystemClock),
            time_zone: TimeZone::system(),
            keyring: Arc::new(SystemKeyring),
            keys: Arc::new(Keyboard),
            commands: Arc::new(Programs),
            interrupt: Arc::new(Notify::new()),
        }
    }
}

/// `$BROWSER`, or what the desktop opens addresses with.
#[derive(Debug)]
struct DesktopBrowser;

impl Browser for DesktopBrowser {
    fn open(&self, url: &str) -> io::Result<()> {
        let mut child =
            opener(url)?.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let step = Duration::from_millis(50);
        let mut waited = Duration::ZERO;
        while waited < OPENER_PATIENCE {
            match child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(io::Error::other(format!("the opener ended with {status}"))),
                None => thread::sleep(step),
            }
            waited += step;
        }
        thread::spawn(move || reap(child));
        Ok(())
    }
}

/// Waits for a browser that runs on, so that it leaves no zombie behind while we wait.
fn reap(mut child: Child) {
    let _ = child.wait();
}

/// The command that opens an address. No shell sees it.
fn opener(url: &str) -> io::Result<Command> {
    // The variable is a list of commands; the first is as far as we go. `%s` stands for the address.
    if let Some(browser) = std::env::var("BROWSER").ok().filter(|value| !value.trim().is_empty()) {
        let mut words = browser.split(':').next().unwrap_or(&browser).split_whitespace();
        let mut command = Command::new(words.next().unwrap_or("xdg-open"));
        let words: Vec<&str> = words.collect();
        command.args(words.iter().map(|word| word.replace("%s", url)));
        if !words.iter().any(|word| word.contains("%s")) {
            command.arg(url);
        }
        return Ok(command);
    }
    if cfg!(target_os = "macos") {
        let mut command = Command::new("open");
        command.arg(url);
        return Ok(command);
    }
    if cfg!(windows) {
        // `start` belongs to the shell, which would read the `&`s of the address; this does not.
        let mut command = Command::new("rundll32");
        command.args(["url.dll,FileProtocolHandler", url]);
        return Ok(command);
    }
    let desktop = ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"];
    if desktop.iter().all(|name| std::env::var_os(name).is_none()) {
        // xdg-open would put a text browser into the terminal that we are talking on.
        return Err(io::Error::other("no desktop is running here"));
    }
    let mut command = Command::new("xdg-open");
    command.arg(url);
    Ok(command)
}

/// The operating system's clock.
#[derive(Debug)]
struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the client reads a clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Programs of this machine.
#[derive(Debug)]
struct Programs;

impl Commands for Programs {
    fn run(&self, command: world::Command) -> Running {
        Box::pin(async move {
            let world::Command { words, env, forward_interrupt } = command;
            let mut words = words.into_iter();
            let mut program = tokio::process::Command::new(words.next().unwrap_or_default());
            // A child that outlives us would go on with a role that is about to be taken back; it is its own
            // to decide, as with every shell.
            let child = program.args(words).envs(env).spawn()?;
            watch_over(child, forward_interrupt).await
        })
    }
}

/// Waits for its end, and hands on what tells us to end.
#[cfg(unix)]
async fn watch_over(mut child: tokio::process::Child, forward_interrupt: bool) -> io::Result<u8> {
    use std::os::unix::process::ExitStatusExt as _;

    use rustix::process::{Pid, Signal, kill_process};
    use tokio::signal::unix::{SignalKind, signal};

    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let (mut term, mut hangup) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    let mut interrupt = signal(SignalKind::interrupt())?;
    let status = loop {
        let told = tokio::select! {
            status = child.wait() => break status?,
            _ = term.recv() => Signal::TERM,
            _ = hangup.recv() => Signal::HUP,
            _ = interrupt.recv() => if forward_interrupt { Signal::INT } else { continue },
        };
        if let Some(pid) = pid {
            // It may have ended at this moment; then there is nobody to tell.
            let _ = kill_process(pid, told);
        }
    };
    let by_signal = || status.signal().map(|number| number.saturating_add(128));
    let code = status.code().or_else(by_signal).unwrap_or(1);
    Ok(u8::try_from(code).unwrap_or(1))
}

#[cfg(not(unix))]
async fn watch_over(mut child: tokio::process::Child, _: bool) -> io::Result<u8> {
    let status = child.wait().await?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// The terminal's keyboard.
#[derive(Debug)]
struct Keyboard;

impl Keys for Keyboard {
    fn open(&self) -> io::Result<()> {
        enable_raw_mode()
    }

    fn next(&self) -> io::Result<Key> {
        loop {
            let Event::Key(event) = event::read()? else { continue };
            if event.kind == KeyEventKind::Release {
                continue;
            }
            let control = event.modifiers.contains(KeyModifiers::CONTROL);
            return Ok(match event.code {
                KeyCode::Up => Key::Up,
                KeyCode::Down => Key::Down,
                KeyCode::Enter => Key::Enter,
                KeyCode::Esc => Key::Escape,
                KeyCode::Backspace => Key::Backspace,
                KeyCode::Char('c') if control => Key::Interrupt,
                KeyCode::Char(letter) if !control => Key::Char(letter),
                _ => Key::Other,
            });
        }
    }

    fn close(&self) {
        // A terminal that has gone needs nothing.
        let _ = disable_raw_mode();
    }
}

/// Keychain, Credential Manager or Secret Service.
#[derive(Debug)]
struct SystemKeyring;

#[cfg(feature = "keyring")]
impl Keyring for SystemKeyring {
    fn load(&self, name: &str) -> Result<Option<String>, String> {
        match entry(name)?.get_password() {
            Ok(secret) => Ok(Some(secret)),
            Err(keyring::v1::Error::NoEntry) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    fn save(&self, name: &str, secret: &str) -> Result<(), String> {
        entry(name)?.set_password(secret).map_err(|error| error.to_string())
    }

    fn forget(&self, name: &str) -> Result<(), String> {
        match entry(name)?.delete_credential() {
            Ok(()) | Err(keyring::v1::Error::NoEntry) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[cfg(feature = "keyring")]
fn entry(name: &str) -> Result<keyring::v1::Entry, String> {
    if let Err(error) = keyring::v1::Entry::store_status() {
        return Err(error.to_string());
    }
    keyring::v1::Entry::new("elevate", name).map_err(|error| error.to_string())
}

#[cfg(not(feature = "keyring"))]
impl Keyring for SystemKeyring {
    fn load(&self, _: &str) -> Result<Option<String>, String> {
        Err("this build has no keyring".to_owned())
    }

    fn save(&self, _: &str, _: &str) -> Result<(), String> {
        Err("this build has no keyring".to_owned())
    }

    fn forget(&self, _: &str) -> Result<(), String> {
        Err("this build has no keyring".to_owned())
    }
}
