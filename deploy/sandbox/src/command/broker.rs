//! `elevate-sandbox broker`: the real broker, in this process.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use elevate_broker::ports;
use elevate_core::due::Now;
use elevate_sandbox::Clock;
use jiff::Timestamp;

/// How soon the broker sees that its clock was moved.
const GLANCE: Duration = Duration::from_millis(50);

/// What `elevated` takes.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Arguments {
    /// Be ahead of the machine's clock by the seconds in this file, always.
    #[arg(long, value_name = "FILE")]
    clock: Option<PathBuf>,
    /// The arguments of `elevated`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<OsString>,
}

pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let Arguments { clock, rest } = arguments;
    let clock = clock.map(|file| Arc::new(Moved(Clock::ahead(file))) as Arc<dyn ports::Clock>);
    elevate_broker::cli::run_by(clock, std::iter::once(OsString::from("elevated")).chain(rest))
}

/// The tenant's clock, for the broker.
#[derive(Debug)]
struct Moved(Clock);

#[async_trait]
impl ports::Clock for Moved {
    fn now(&self) -> Now {
        Now::exactly(self.0.now())
    }

    async fn sleep_until(&self, moment: Timestamp) {
        loop {
            let left = moment.duration_since(self.0.now());
            if !left.is_positive() {
                return;
            }
            tokio::time::sleep(left.unsigned_abs().min(GLANCE)).await;
        }
    }
}
