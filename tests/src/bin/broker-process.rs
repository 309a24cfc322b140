//! The real broker in a process of its own, for the tests that kill it. Takes `broker` and then what `elevated` takes.

use std::process::ExitCode;

fn main() -> ExitCode {
    elevate_tests::faults::stage::broker(std::env::args_os().skip(2))
}
