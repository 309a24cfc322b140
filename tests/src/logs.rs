//! What brokers in this process log, kept to be searched.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use elevate_broker::telemetry;
use tracing_subscriber::fmt::MakeWriter;

/// Everything that was logged since it was first asked for, at the finest level there is.
#[derive(Debug, Clone, Default)]
pub struct Logs(Arc<Mutex<Vec<u8>>>);

impl Logs {
    /// Begins to keep what is logged.
    pub fn kept() -> &'static Self {
        static KEPT: OnceLock<Logs> = OnceLock::new();
        KEPT.get_or_init(|| {
            let logs = Self::default();
            let to_them = tracing_subscriber::fmt()
                .with_env_filter("trace")
                .with_ansi(false)
                .with_writer(logs.clone())
                .finish();
            assert!(telemetry::log_to(to_them), "somebody else in this process takes the logs");
            logs
        })
    }

    /// All of it.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Logs {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
