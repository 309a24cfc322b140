//! What must never be said where operators, programs or the next user can read it.

mod inputs;
mod terminal;

use std::path::Path;

use elevate_sandbox::files;
use elevate_sandbox::people::BROKER;
use elevate_tests::faults::stage::Stage;
use elevate_tests::{Logs, State, World, challenge, told, wish, yes};

/// Said by nobody else.
const REASON: &str = "canary-justification-b61f";
const COMMENT: &str = "canary-comment-90aa";

/// The broker signs in with its secret, which is then on every way that a secret could leave.
fn with_a_secret(text: String) -> String {
    let (before, rest) = text.split_once("[graph]").expect("a section");
    let (graph, after) = rest.split_once("\n\n").expect("another section");
    let graph: String = graph
        .lines()
        .filter(|line| !line.starts_with("key"))
        .map(|line| match line.strip_prefix("certificate = ") {
            Some(file) => {
                format!("secret_file = {}\n", file.replace("broker-credential.pem", "broker-secret"))
            }
            None => format!("{line}\n"),
        })
        .collect();
    format!("{before}[graph]{graph}\n{after}")
}

#[tokio::test]
async fn no_token_secret_proof_or_reason_is_ever_logged_or_counted() {
    let logs = Logs::kept();
    let world = World::written(|_, text| with_a_secret(text)).await;
    let ann = world.grpc("ann");
    let bob = world.grpc("bob");
    let mint = world.tenant.tokens();

    // Each of them told to the broker and known here, in calls that succeed and in calls that fail.
    let mut canaries = vec![REASON.to_owned(), COMMENT.to_owned(), world.tenant.broker_secret().to_owned()];
    let bearer = mint.access(&ann.sign_in());
    canaries.push(bearer.clone());
    let ann = ann.bearing(&bearer);
    let wish = wish("groups-admin").because(REASON).lasting("15m");
    let prepared = ann.prepare(&wish).await.unwrap();
    let proof = ann.proof(challenge(&prepared.challenge));
    canaries.push(proof.id_token.clone());
    let asked = ann.request(wish.request(&prepared, proof.clone())).await.unwrap();
    ann.request(wish.request(&prepared, proof)).await.unwrap_err();
    ann.bearing(&format!("{bearer}x")).roles().await.unwrap_err();

    let shown = bob.prepare_approval(&asked.id).await.unwrap();
    let proof = bob.proof(challenge(&shown.challenge));
    canaries.push(proof.id_token.clone());
    let mut say = yes(&shown, proof);
    say.comment = COMMENT.to_owned();
    bob.approve_with(say).await.unwrap();
    world.until(&asked.id, State::Active).await;
    let outage = world.tenant.faults().graph_outage();
    world.pass("20m").await;
    world.tenant.faults().clear(outage);
    world.tenant.directory().set_permissions(&BROKER, []);
    world.pass("2m").await;
    let too_old = bob.prepare_approval(&asked.id).await.unwrap_err();
    assert!(!told(&too_old).text.contains(REASON));

    // A part of a token is a token's, too: whoever has the signature and guesses the rest has it all.
    let parts: Vec<_> =
        canaries.iter().flat_map(|canary| canary.rsplit('.').take(1)).map(str::to_owned).collect();
    let (text, metrics) = (logs.text(), world.admin("/metrics").await.1);
    assert!(text.contains("a revocation is not confirmed yet"), "the logs are not read here");
    for canary in canaries.iter().chain(&parts) {
        for (place, said) in [("the logs", &text), ("the metrics", &metrics)] {
            let line = said.lines().find(|line| line.contains(canary.as_str()));
            assert!(
                line.is_none(),
                "{place} say what they must not: {}",
                &line.unwrap()[..line.unwrap().len().min(300)]
            );
        }
    }
}

/// Everything in a folder, and below it, that holds one of these.
fn holding(folder: &Path, canaries: &[(&str, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, canaries));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        for (name, canary) in canaries {
            if bytes.windows(canary.len()).any(|window| window == canary.as_bytes()) {
                found.push(format!("{} holds {name}", path.display()));
            }
        }
    }
    found
}

/// The broker as a process, and all that it leaves on its host: the record, which keeps people's words for auditors,
/// but never what they proved themselves with; its log; what `ps` shows; what a core dump would hold.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_proof_or_key_is_left_on_the_broker_s_host() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::set(folder.path(), Path::new(env!("CARGO_BIN_EXE_broker-process"))).await.unwrap();
    let process = stage.start().await.unwrap();
    stage.grpc("eve").apply(elevate_tests::POLICY, 0).await.unwrap();
    let mint = stage.tenant.tokens();
    let signature = |token: &str| token.rsplit('.').next().unwrap().to_owned();
    let mut canaries: Vec<(&str, String)> = Vec::new();

    let ann = stage.grpc("ann");
    let bearer = mint.access(&ann.sign_in());
    canaries.push(("an access token", signature(&bearer)));
    let ann = ann.bearing(&bearer);
    let wish = wish("groups-admin").because(REASON).lasting("10s");
    let prepared = ann.prepare(&wish).await.unwrap();
    let proof = ann.proof(challenge(&prepared.challenge));
    canaries.push(("a proof", signature(&proof.id_token)));
    canaries.push(("a challenge", proof.challenge.clone()));
    let asked = ann.request(wish.request(&prepared, proof.clone())).await.unwrap();
    ann.request(wish.request(&prepared, proof)).await.unwrap_err();
    let bob = stage.grpc("bob");
    let shown = bob.prepare_approval(&asked.id).await.unwrap();
    let proof = bob.proof(challenge(&shown.challenge));
    canaries.push(("an approver's proof", signature(&proof.id_token)));
    bob.approve_with(yes(&shown, proof)).await.unwrap();
    elevate_tests::eventually("it is held", || !stage.tenant.directory().assignments().is_empty()).await;
    for (name, file) in
        [("the key to Graph", files::CREDENTIAL_KEY), ("the key of its certificate", files::TLS_KEY)]
    {
        let text = std::fs::read_to_string(stage.tenant.folder().join(file)).unwrap();
        canaries.push((name, text.lines().nth(3).unwrap().to_owned()));
    }
    let metrics =
        reqwest::get(format!("http://{}/metrics", process.admin())).await.unwrap().text().await.unwrap();
    std::fs::write(folder.path().join("metrics"), metrics).unwrap();
    let proc = Path::new("/proc").join(process.id().unwrap().to_string());
    for shown in ["cmdline", "environ", "limits"] {
        std::fs::write(folder.path().join(shown), std::fs::read(proc.join(shown)).unwrap()).unwrap();
    }
    // No core of it is ever written; the process would not have gone on without that.
    let limits = std::fs::read_to_string(folder.path().join("limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let sizes: Vec<&str> = core["Max core file size".len()..].split_whitespace().take(2).collect();
    assert_eq!(sizes, ["0", "0"], "{core}");
    process.kill_9().await.unwrap();

    // What the tenant keeps in its own folder is the tenant's.
    std::fs::rename(folder.path().join("tenant"), folder.path().with_extension("tenant")).unwrap();
    assert_eq!(holding(folder.path(), &canaries), Vec::<String>::new());
    std::fs::remove_dir_all(folder.path().with_extension("tenant")).unwrap();
    // People's words are in the record, and nowhere else: this is how we know that the files are read here.
    let words = holding(folder.path(), &[("the justification", REASON.to_owned())]);
    assert!(!words.is_empty() && words.iter().all(|place| place.contains("/record/")), "{words:?}");
}
