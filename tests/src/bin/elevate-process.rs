//! The real command line in a process of its own, for the test that kills it. Takes who signs in when a browser is
//! opened, the tenant's CA file and what time it is, and then what `elevate` takes.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use elevate_client::{Browser, Clock, World};
use elevate_sandbox::{Strength, browser};
use jiff::Timestamp;

fn main() -> ExitCode {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut words = std::env::args_os().skip(1);
    let mut next = || words.next().unwrap_or_default().to_string_lossy().into_owned();
    let (name, ca, now) = (next(), PathBuf::from(next()), next());
    let Ok(now) = now.parse() else { return ExitCode::FAILURE };
    let Ok(runtime) = tokio::runtime::Runtime::new() else { return ExitCode::FAILURE };
    let world =
        World { browser: Arc::new(Screenless { name, ca }), clock: Arc::new(Stopped(now)), ..World::real() };
    let words: Vec<OsString> = std::iter::once(OsString::from("elevate")).chain(words).collect();
    let exit = runtime.block_on(elevate_client::run(words, world));
    exit.into()
}

struct Screenless {
    name: String,
    ca: PathBuf,
}

impl Browser for Screenless {
    fn open(&self, url: &str) -> io::Result<()> {
        let (url, name, ca) = (url.to_owned(), self.name.clone(), self.ca.clone());
        tokio::spawn(async move {
            // A sign-in that fails is seen by whoever waits for it.
            let _ = browser::sign_in(&url, &name, Strength::Fido, &ca).await;
        });
        Ok(())
    }
}

struct Stopped(Timestamp);

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        self.0
    }
}
