//! Everything outside of the process, as values: so that a test is a person at a terminal.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::Notify;

/// What surrounds one run of the command.
pub struct World {
    /// Data goes here.
    pub out: Box<dyn Write + Send>,
    /// Everything else that is said goes here.
    pub err: Box<dyn Write + Send>,
    /// What is typed.
    pub input: Arc<Mutex<dyn BufRead + Send>>,
    /// Which of these are terminals.
    pub terminals: Terminals,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// Where a person signs in.
    pub browser: Arc<dyn Browser>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where the reader is.
    pub time_zone: TimeZone,
    /// The operating system's place for secrets.
    pub keyring: Arc<dyn Keyring>,
    /// Where single keys are pressed.
    pub keys: Arc<dyn Keys>,
    /// What runs other programs.
    pub commands: Arc<dyn Commands>,
    /// Told once when the person presses Ctrl-C.
    pub interrupt: Arc<Notify>,
}

impl fmt::Debug for World {
    /// Without the environment: secrets live there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("terminals", &self.terminals).finish_non_exhaustive()
    }
}

/// What is a terminal.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terminals {
    /// Somebody can be asked.
    pub input: bool,
    /// Somebody reads the data.
    pub out: bool,
    /// Somebody reads what else is said.
    pub err: bool,
    /// How wide it is, in columns.
    pub width: Option<u16>,
    /// How high it is, in lines.
    pub height: Option<u16>,
}

/// Opens an address where the person can sign in.
pub trait Browser: Send + Sync {
    /// Opens it, and returns as soon as that is under way.
    ///
    /// # Errors
    /// When nothing here can open it.
    fn open(&self, url: &str) -> io::Result<()>;
}

/// Says what time it is.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;

    /// Returns after this long.
    fn sleep(&self, length: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(length))
    }
}

/// The operating system's place for secrets. May block.
pub trait Keyring: Send + Sync {
    /// What is kept under this name, if anything.
    ///
    /// # Errors
    /// When no keyring answers; the text says why.
    fn load(&self, name: &str) -> Result<Option<String>, String>;

    /// Keeps something under this name.
    ///
    /// # Errors
    /// When no keyring answers; the text says why.
    fn save(&self, name: &str, secret: &str) -> Result<(), String>;

    /// Forgets what is kept under this name; it is no error when nothing is.
    ///
    /// # Errors
    /// When no keyring answers; the text says why.
    fn forget(&self, name: &str) -> Result<(), String>;
}

/// Runs other programs.
pub trait Commands: Send + Sync {
    /// Runs it with our own input and output and hands on the signals that tell it to end. The code it ended
    /// with, or 128 and the number of the signal that ended it.
    fn run(&self, command: Command) -> Running;
}

/// A program that runs, and how it ends; an error when it could not be started.
pub type Running = Pin<Box<dyn Future<Output = io::Result<u8>> + Send>>;

/// What is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The program and its arguments. No shell sees them.
    pub words: Vec<OsString>,
    /// What it sees in its environment beside our own.
    pub env: BTreeMap<String, String>,
    /// Whether Ctrl-C is handed on too: at a terminal the program is sent it without us.
    pub forward_interrupt: bool,
}

/// The keyboard, for what is chosen key by key. May block.
pub trait Keys: Send + Sync {
    /// From now on keys come one by one and are not shown, until [`Keys::close`].
    ///
    /// # Errors
    /// When there is no keyboard here.
    fn open(&self) -> io::Result<()>;

    /// The next key that is pressed.
    ///
    /// # Errors
    /// When the keyboard has gone.
    fn next(&self) -> io::Result<Key>;

    /// The terminal is as it was before.
    fn close(&self);
}

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// An arrow.
    Up,
    /// An arrow.
    Down,
    /// This is it.
    Enter,
    /// None of it.
    Escape,
    /// The last letter was wrong.
    Backspace,
    /// A letter.
    Char(char),
    /// Ctrl-C.
    Interrupt,
    /// Any other.
    Other,
}

impl World {
    /// A variable of the environment; an empty one counts as absent.
    pub(crate) fn var(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The folder of the client's own files: `$ELEVATE_CONFIG_DIR`, or `elevate` in the user's
    /// configuration folder.
    pub(crate) fn config_folder(&self) -> Option<PathBuf> {
        if let Some(folder) = self.var("ELEVATE_CONFIG_DIR") {
            return Some(PathBuf::from(folder));
        }
        let above = match (self.var("XDG_CONFIG_HOME"), self.var("APPDATA"), self.var("HOME")) {
            // The specification has relative paths ignored.
            (Some(folder), _, _) if PathBuf::from(folder).is_absolute() => PathBuf::from(folder),
            (_, Some(folder), _) if cfg!(windows) => PathBuf::from(folder),
            (_, _, Some(home)) => PathBuf::from(home).join(".config"),
            _ => return None,
        };
        Some(above.join("elevate"))
    }
}
