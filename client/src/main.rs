//! `elevate`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything else: with two providers in reach rustls would not know which one to take.
    // An error says that one is installed already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    elevate_client::main(std::env::args_os())
}
