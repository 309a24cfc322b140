//! The contract of Elevate, `elevate.v1`, and the stored form of its record, `elevate.record.v1`, generated from the .proto files and committed.
//!
//! Comments in the .proto files are the API's documentation. Nothing here is written by hand but the
//! module lists; `tests/fresh.rs` regenerates the code without `protoc` and fails when it differs.

/// The API: `elevate.v1`.
#[allow(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::restriction,
    reason = "generated"
)]
pub mod v1 {
    include!("gen/elevate.v1.rs");

    /// The API's descriptors, for reflection.
    pub const DESCRIPTORS: &[u8] = include_bytes!("gen/elevate.v1.bin");
}

/// The stored form of the record: `elevate.record.v1`.
pub mod record {
    /// Version 1. The bytes of a leaf never change.
    #[allow(
        missing_docs,
        missing_debug_implementations,
        unreachable_pub,
        unused_qualifications,
        clippy::all,
        clippy::restriction,
        reason = "generated"
    )]
    pub mod v1 {
        include!("gen/elevate.record.v1.rs");
    }
}
