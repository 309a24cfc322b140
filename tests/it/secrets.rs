//! What must never be said where operators, programs or the next user can read it.

use elevate_sandbox::people::BROKER;
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
