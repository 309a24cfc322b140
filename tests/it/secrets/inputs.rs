//! A word of its own in every text of every call: none may come to the logs or the metrics. What people prove themselves
//! with may not come into an answer or the record either.

use elevate_proto::v1 as api;
use elevate_tests::{Caller, Logs, POLICY, State, World, challenge, wish, yes};
use tonic::Status;

/// Texts that nobody else says, and which of them are secrets.
#[derive(Default)]
struct Canaries {
    all: Vec<String>,
    secret: Vec<String>,
    /// What callers were told where they were refused.
    said: Vec<String>,
}

impl Canaries {
    /// What somebody writes for others to read.
    fn words(&mut self, of: &str) -> String {
        let canary = format!("canary-{of}-{:04x}", 0x5eed + self.all.len() * 7919);
        self.all.push(canary.clone());
        canary
    }

    /// What somebody proves themselves with.
    fn secret(&mut self, of: &str) -> String {
        let canary = self.words(of);
        self.secret.push(canary.clone());
        canary
    }

    fn refused<T>(&mut self, answer: Result<T, Status>) {
        let Err(status) = answer else { panic!("it was not refused") };
        self.said.push(format!("{status:?} {}", String::from_utf8_lossy(status.details())));
    }
}

/// Proofs that prove nothing.
fn garbage(canaries: &mut Canaries, of: &str) -> api::Proof {
    let id_token = canaries.secret(&format!("{of}-id-token"));
    api::Proof { id_token, challenge: canaries.secret(&format!("{of}-challenge")) }
}

async fn asking(ann: &Caller, canaries: &mut Canaries) -> api::Activation {
    let mut wished = wish("groups-admin").lasting("1h").because(&canaries.words("justification"));
    wished.ticket =
        Some(api::Ticket { number: canaries.words("ticket"), system: canaries.words("ticket-system") });
    let prepared = ann.prepare(&wished).await.unwrap();
    let bad = wished.request(&prepared, garbage(canaries, "request"));
    canaries.refused(ann.request(bad).await);
    for wrong in [
        wish(&canaries.words("role")).because(&canaries.words("another-justification")),
        wished.clone().at(&canaries.words("scope")),
    ] {
        canaries.refused(ann.prepare(&wrong).await);
    }
    let proof = ann.proof(challenge(&prepared.challenge));
    let named = api::RequestActivationRequest {
        request_id: canaries.words("request-id"),
        ..wished.request(&prepared, proof)
    };
    canaries.refused(ann.request(named).await);
    let prepared = ann.prepare(&wished).await.unwrap();
    let proof = ann.proof(challenge(&prepared.challenge));
    canaries.secret.push(proof.id_token.clone());
    canaries.all.push(proof.id_token.clone());
    let asked = ann.request(wished.request(&prepared, proof.clone())).await.unwrap();
    // The same proof for something else.
    canaries.refused(ann.request(wish("reader").request(&prepared, proof)).await);
    for id in [canaries.words("shown-id"), canaries.words("watched-id")] {
        canaries.refused(ann.show(&id).await);
        canaries.refused(ann.watch(&id).await);
        canaries.refused(ann.withdraw(&id).await);
        canaries.refused(ann.deactivate(&id).await);
    }
    let bearer = canaries.secret("bearer");
    canaries.refused(ann.bearing(&bearer).roles().await);
    asked
}

async fn deciding(bob: &Caller, asked: &str, canaries: &mut Canaries) {
    let shown = bob.prepare_approval(asked).await.unwrap();
    let bad = api::ApproveActivationRequest {
        comment: canaries.words("comment"),
        digest: canaries.words("digest"),
        ..yes(&shown, garbage(canaries, "approval"))
    };
    canaries.refused(bob.approve_with(bad).await);
    let comment = canaries.words("comment");
    let good = yes(&shown, bob.proof(challenge(&shown.challenge)));
    bob.approve_with(api::ApproveActivationRequest { comment, ..good }).await.unwrap();
    let late = canaries.words("denial-too-late");
    canaries.refused(bob.deny(asked, &late).await);
}

async fn taking_away(eve: &Caller, asked: &str, canaries: &mut Canaries) {
    let freeze = api::FreezeRequest { reason: canaries.words("freeze") };
    eve.revocation().freeze(eve.call(freeze)).await.unwrap();
    let thaw = api::ThawRequest { reason: canaries.words("thaw") };
    eve.revocation().thaw(eve.call(thaw)).await.unwrap();
    let mut some = |selection: api::RevocationSelection| api::RevokeActivationsRequest {
        selection: Some(selection),
        reason: canaries.words("revoke-many"),
    };
    let named = some(api::RevocationSelection { role: "reader".to_owned(), ..Default::default() });
    eve.revocation().revoke_activations(eve.call(named)).await.unwrap();
    let strange = some(api::RevocationSelection { ids: vec!["canary-ids".to_owned()], ..Default::default() });
    canaries.refused(eve.revocation().revoke_activations(eve.call(strange)).await);
    eve.revoke(asked, &canaries.words("revocation")).await.unwrap();
}

async fn ruling(eve: &Caller, canaries: &mut Canaries) {
    let comment = |canary: String| format!("# {canary}\n{POLICY}");
    eve.apply(&comment(canaries.words("policy")), 1).await.unwrap();
    let fault = format!("{} = 1", canaries.words("policy-fault"));
    canaries.refused(eve.apply(&fault, 2).await);
    let digest = canaries.words("policy-digest");
    canaries.refused(eve.confirm(&digest).await);
    let review =
        api::CloseReviewRequest { id: canaries.words("review-id"), comment: canaries.words("review") };
    canaries.refused(eve.review().close_review(eve.call(review)).await);
    let page = api::ListAuditEntriesRequest { page_token: canaries.words("page"), ..Default::default() };
    canaries.refused(eve.record().list_audit_entries(eve.call(page)).await);
}

#[tokio::test]
async fn nothing_that_anybody_sends_comes_to_the_logs_or_the_metrics_and_no_proof_anywhere() {
    let logs = Logs::kept();
    let world = World::start().await;
    let mut canaries = Canaries::default();
    let asked = asking(&world.grpc("ann"), &mut canaries).await;
    let denied = world.grpc("dave").ask(&wish("groups-admin")).await.unwrap();
    world.grpc("bob").deny(&denied.id, &canaries.words("denial")).await.unwrap();
    deciding(&world.grpc("bob"), &asked.id, &mut canaries).await;
    world.until(&asked.id, State::Active).await;
    taking_away(&world.grpc("eve"), &asked.id, &mut canaries).await;
    world.until(&asked.id, State::Closed).await;
    ruling(&world.grpc("eve"), &mut canaries).await;

    let (text, metrics) = (logs.text(), world.admin("/metrics").await.1);
    let record = format!("{:?}", world.grpc("eve").audit().await.unwrap());
    // This is how we know that what we look through is what was said.
    assert!(text.contains("frozen") && metrics.contains("elevate_"));
    assert!(record.contains(&canaries.all[0]), "the record keeps the justification");
    let mut found = Vec::new();
    for canary in &canaries.all {
        for (place, said) in [("the logs", &text), ("the metrics", &metrics)] {
            if let Some(line) = said.lines().find(|line| line.contains(canary.as_str())) {
                found.push(format!("{place}: {canary}: {}", line.chars().take(200).collect::<String>()));
            }
        }
    }
    for canary in &canaries.secret {
        found.extend(record.contains(canary.as_str()).then(|| format!("the record: {canary}")));
        let refusals = canaries.said.iter().filter(|said| said.contains(canary.as_str()));
        found.extend(refusals.map(|said| format!("a refusal: {said}")));
    }
    assert!(found.is_empty(), "{found:#?}");
    assert!(
        canaries.all.len() > 30 && canaries.said.len() > 15,
        "{} {}",
        canaries.all.len(),
        canaries.said.len()
    );
}
