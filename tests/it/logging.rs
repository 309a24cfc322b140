//! What is logged at the finest level does no harm to the process that logs it.

use elevate_tests::Logs;

/// As sled leaves it in a thread: something that logs while the thread ends.
struct PutOff;

impl Drop for PutOff {
    fn drop(&mut self) {
        log::trace!(target: "sled::pagecache::iobuf", "bumping atomic header lsn");
    }
}

thread_local! {
    static PUT_OFF: PutOff = const { PutOff };
}

/// Without the guard it does not fail: the whole process aborts.
#[test]
fn a_thread_that_ends_while_the_index_still_logs_does_not_end_the_process() {
    let logs = Logs::kept();
    let thread = std::thread::spawn(|| {
        // In this order: what is touched first is dropped last, so that the place where an event's text is
        // put together is gone before.
        PUT_OFF.with(|_| log::trace!(target: "rustls", "canary-heard-2b7e"));
        log::error!(target: "sled", "canary-unheard-2b7e");
    });
    thread.join().unwrap();
    let text = logs.text();
    assert!(text.contains("canary-heard-2b7e"), "what others log is kept");
    assert!(!text.contains("canary-unheard-2b7e"), "sled is not heard");
}
