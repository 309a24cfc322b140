//! The real broker in a process of its own, for the tests that kill it. Takes `broker` and then what `elevated` takes.

use std::process::ExitCode;

fn main() -> ExitCode {
    elevate_broker::cli::run(
        std::env::args_os().enumerate().filter(|(place, _)| *place != 1).map(|(_, word)| word),
    )
}
