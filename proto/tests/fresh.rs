//! The generated code is what the .proto files say. `UPDATE=1 cargo test -p elevate-proto` writes it anew.

use std::fs;
use std::path::Path;

use prost::Message as _;

const FILES: [&str; 11] = [
    "elevate/v1/types.proto",
    "elevate/v1/session.proto",
    "elevate/v1/roles.proto",
    "elevate/v1/activations.proto",
    "elevate/v1/approvals.proto",
    "elevate/v1/revocations.proto",
    "elevate/v1/reviews.proto",
    "elevate/v1/policy.proto",
    "elevate/v1/audit.proto",
    "elevate/record/v1/record.proto",
    "elevate/record/v1/index.proto",
];

#[test]
fn generated_code_is_fresh() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = FILES.iter().map(|file| root.join(file)).filter(|file| file.exists());
    let descriptors = protox::compile(files, [root]).unwrap();
    let out = tempfile::tempdir().unwrap();
    tonic_prost_build::configure()
        .out_dir(out.path())
        .btree_map(".")
        .compile_fds(descriptors.clone())
        .unwrap();
    // The descriptors serve reflection: only the API, with its comments.
    fs::write(out.path().join("elevate.v1.bin"), api_only(descriptors).encode_to_vec()).unwrap();

    for entry in fs::read_dir(out.path()).unwrap() {
        let made = entry.unwrap();
        if made.file_name().to_string_lossy().starts_with("google.") {
            continue;
        }
        let kept = root.join("src/gen").join(made.file_name());
        let fresh = fs::read(made.path()).unwrap();
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&kept, &fresh).unwrap();
        }
        let stale = fs::read(&kept).ok() != Some(fresh);
        assert!(!stale, "{} is stale; run `UPDATE=1 cargo test -p elevate-proto`", kept.display());
    }
}

fn api_only(mut descriptors: prost_types::FileDescriptorSet) -> prost_types::FileDescriptorSet {
    descriptors.file.retain(|file| file.package() != "elevate.record.v1");
    descriptors
}
