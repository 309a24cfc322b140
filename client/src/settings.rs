//! Flags over environment over configuration file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml_edit::DocumentMut;

use crate::cli::{Form, Global};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::login::store::write_private;
use crate::profile::Profiles;
use crate::world::World;

/// How long a call may take when nobody says otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a run goes by.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) folder: Option<PathBuf>,
    pub(crate) file: File,
    broker: Option<String>,
    pub(crate) ca: Option<PathBuf>,
    /// Client certificate and key.
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
    timeout: Option<Duration>,
    pub(crate) store: Option<Store>,
    pub(crate) access_token_file: Option<PathBuf>,
    pub(crate) no_browser: bool,
}

/// `config.toml`.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    /// HOST:PORT.
    pub(crate) broker: Option<String>,
    /// PEM, by its absolute path.
    pub(crate) ca: Option<PathBuf>,
    /// PEM of a client certificate.
    pub(crate) cert: Option<PathBuf>,
    /// PEM of its key.
    pub(crate) key: Option<PathBuf>,
    /// "table" or "json".
    pub(crate) output: Option<String>,
    /// What is asked for often.
    #[serde(default)]
    pub(crate) profile: Profiles,
}

/// Where the session is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    Keyring,
    File,
}

impl Settings {
    /// Reads everything that is not the command line itself.
    pub(crate) fn read(global: &Global, world: &World) -> Result<Self> {
        let folder = world.config_folder();
        let file = folder.as_deref().map(File::read).transpose()?.unwrap_or_default();
        let path = |flag: &Option<PathBuf>, name: &str, file: &Option<PathBuf>| {
            flag.clone().or_else(|| world.var(name).map(PathBuf::from)).or_else(|| file.clone())
        };
        let cert = path(&global.cert, "ELEVATE_CERT", &file.cert);
        let key = path(&global.key, "ELEVATE_KEY", &file.key);
        let identity = match (cert, key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            _ => return Err(Failure::usage("a client certificate needs its key, and a key its certificate")),
        };
        let broker = global
            .broker
            .clone()
            .or_else(|| world.var("ELEVATE_BROKER").map(str::to_owned))
            .or_else(|| file.broker.clone());
        let store = match world.var("ELEVATE_TOKEN_STORE") {
            None => None,
            Some("keyring") => Some(Store::Keyring),
            Some("file") => Some(Store::File),
            Some(other) => {
                let told = format!("`ELEVATE_TOKEN_STORE={other}` is neither `keyring` nor `file`");
                return Err(Failure::usage(told));
            }
        };
        Ok(Self {
            broker: broker.map(|broker| address(&broker)).transpose()?,
            ca: path(&global.ca, "ELEVATE_CA", &file.ca),
            identity,
            timeout: global.timeout,
            store,
            access_token_file: world.var("ELEVATE_ACCESS_TOKEN_FILE").map(PathBuf::from),
            no_browser: world.var("ELEVATE_NO_BROWSER").is_some_and(|value| value != "0"),
            folder,
            file,
        })
    }

    /// The broker's address.
    pub(crate) fn broker(&self) -> Result<&str> {
        self.broker.as_deref().ok_or_else(|| {
            Failure::usage("no broker is known")
                .advice("name it once with `elevate login --broker HOST:PORT`, or set ELEVATE_BROKER")
        })
    }

    /// How long a call may take.
    pub(crate) fn patience(&self) -> Duration {
        self.timeout.unwrap_or(PATIENCE)
    }

    /// How long a call may take that usually takes so long.
    pub(crate) fn patience_or(&self, usual: Duration) -> Duration {
        self.timeout.unwrap_or(usual)
    }

    /// The folder of our own files, made if it is not there.
    pub(crate) fn own_folder(&self) -> Result<&Path> {
        let folder = self.folder.as_deref().ok_or_else(|| {
            Failure::new(Exit::Unexpected, "CONFIG", "there is no folder to keep the configuration in")
                .advice("set HOME or ELEVATE_CONFIG_DIR")
        })?;
        make_private_folder(folder)
            .map_err(|error| config_failure(format!("cannot make `{}`: {error}", folder.display())))?;
        Ok(folder)
    }
}

impl File {
    /// The file in this folder, if there is one.
    fn read(folder: &Path) -> Result<Self> {
        let path = Self::path(folder);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(config_failure(format!("cannot read `{}`: {error}", path.display()))),
        };
        toml::from_str(&text).map_err(|error| {
            config_failure(format!("`{}` cannot be used: {}", path.display(), error.to_string().trim_end()))
                .advice("mend it, or delete it and run `elevate login --broker HOST:PORT` again")
        })
    }

    /// Writes what `login` knows into the file, and leaves everything else in it as people wrote it.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let path = Self::path(folder);
        let failed = |why: String| config_failure(format!("cannot write `{}`: {why}", path.display()));
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => read.map_err(|error| failed(error.to_string()))?,
        };
        let mut document: DocumentMut =
            text.parse().map_err(|error: toml_edit::TomlError| failed(error.to_string()))?;
        let Self { broker, ca, cert, key, output, profile: _ } = self;
        let text = |path: &Option<PathBuf>| path.as_ref().map(|path| path.to_string_lossy().into_owned());
        let keys = [
            ("broker", broker.clone()),
            ("ca", text(ca)),
            ("cert", text(cert)),
            ("key", text(key)),
            ("output", output.clone()),
        ];
        for (name, value) in keys {
            match (value, document.get_mut(name)) {
                (Some(value), Some(there)) if there.as_str() == Some(&value) => {}
                // The key keeps the comments above it.
                (Some(value), Some(there)) => *there = toml_edit::value(value),
                (Some(value), None) => drop(document.insert(name, toml_edit::value(value))),
                (None, _) => drop(document.remove(name)),
            }
        }
        write_private(&path, document.to_string().as_bytes()).map_err(|error| failed(error.to_string()))
    }

    /// Where it is.
    pub(crate) fn path(folder: &Path) -> PathBuf {
        folder.join("config.toml")
    }
}

/// The form of the answers. Read before anything can fail, so that failures have it too.
pub(crate) fn form(global: &Global, world: &World) -> Result<Form> {
    if let Some(form) = global.output {
        return Ok(form);
    }
    let from_file =
        || world.config_folder().and_then(|folder| File::read(&folder).ok()).and_then(|file| file.output);
    match world.var("ELEVATE_OUTPUT").map(str::to_owned).or_else(from_file).as_deref() {
        None | Some("table") => Ok(Form::Table),
        Some("json") => Ok(Form::Json),
        Some(other) => Err(Failure::usage(format!("output `{other}` is neither `table` nor `json`"))),
    }
}

/// Reads a file that the person named.
pub(crate) fn read_named(path: &Path, what: &str) -> Result<Vec<u8>> {
    fs::read(path)
        .map_err(|error| Failure::usage(format!("cannot read {what} `{}`: {error}", path.display())))
}

fn config_failure(message: String) -> Failure {
    Failure::new(Exit::Usage, "CONFIG", message)
}

/// `HOST:PORT`, perhaps pasted with a scheme.
fn address(text: &str) -> Result<String> {
    let bare = text.trim().trim_start_matches("https://").trim_end_matches('/');
    let port = bare.rsplit_once(':').and_then(|(host, port)| (!host.is_empty()).then(|| port.parse::<u16>()));
    let whole = url::Url::parse(&format!("https://{bare}"));
    match (port, whole) {
        (Some(Ok(_)), Ok(url)) if url.path() == "/" && url.username().is_empty() && url.query().is_none() => {
            Ok(bare.to_owned())
        }
        _ => Err(Failure::usage(format!("`{text}` is no address of a broker; write HOST:PORT"))),
    }
}

#[cfg(unix)]
fn make_private_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make_private_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}
