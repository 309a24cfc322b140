//! `elevated`: see [`elevate_broker::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    elevate_broker::cli::run(std::env::args_os())
}
