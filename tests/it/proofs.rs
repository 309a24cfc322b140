//! What a proof must be, and what it buys no more than once.

use elevate_proto::v1 as api;
use elevate_sandbox::{Key, SignIn, Signature, Strength, people};
use elevate_tests::{Caller, World, challenge, told, wish, yes};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tonic::Code::PermissionDenied;

use crate::refusals::refused;

/// Asks for `role` with the proof that `make` makes, which must be refused for this reason, and then with
/// a good one, which must not: what was refused spent nothing.
async fn check(
    what: &str,
    role: &str,
    reason: &str,
    make: impl FnOnce(&World, &Caller, &api::Challenge) -> api::Proof,
) {
    let world = World::start().await;
    let ann = world.grpc("ann");
    let wish = wish(role).under("INC0042");
    let prepared = ann.prepare(&wish).await.unwrap();
    let proof = make(&world, &ann, challenge(&prepared.challenge));
    let told =
        refused(&world, what, ann.request(wish.request(&prepared, proof)), PermissionDenied, reason).await;
    assert!(told.text.contains("sign"), "{what}: `{}` does not say what to do", told.text);
    let good = ann.proof(challenge(&prepared.challenge));
    ann.request(wish.request(&prepared, good)).await.unwrap_or_else(|status| panic!("{what}: {status:?}"));
}

/// The claims of a good proof, altered and signed as the tenant signs.
fn altered(
    world: &World,
    ann: &Caller,
    wanted: &api::Challenge,
    alter: impl FnOnce(&mut Value),
) -> api::Proof {
    let mint = world.tenant.tokens();
    let mut claims = mint.id_claims(&ann.sign_in().nonce(&wanted.nonce));
    alter(&mut claims);
    api::Proof { id_token: mint.sign(&claims), challenge: wanted.challenge.clone() }
}

#[tokio::test]
async fn a_sign_in_that_is_too_old_or_too_weak_buys_nothing() {
    let ago = |world: &World, age: i64| world.hands.now() - SignedDuration::from_secs(age);
    check("5 m 1 s ago", "groups-admin", "PROOF_STALE", |world, ann, wanted| {
        ann.proof_by(wanted, |sign_in| sign_in.auth_time(ago(world, 301)))
    })
    .await;
    check("a day ago", "groups-admin", "PROOF_STALE", |world, ann, wanted| {
        ann.proof_by(wanted, |sign_in| sign_in.auth_time(ago(world, 86_400)))
    })
    .await;
    check("a password", "groups-admin", "PROOF_WEAK", |_, ann, wanted| {
        ann.proof_by(wanted, |sign_in| sign_in.strength(Strength::Pwd))
    })
    .await;
    check("a telephone for a passkey", "user-admin", "PROOF_WEAK", |_, ann, wanted| {
        ann.proof_by(wanted, |sign_in| sign_in.strength(Strength::Mfa))
    })
    .await;
    check("no context where c1 is asked", "app-admin", "PROOF_WEAK", |_, ann, wanted| {
        ann.proof_by(wanted, |sign_in| SignIn { id_acrs: Vec::new(), ..sign_in })
    })
    .await;
    check("another context", "app-admin", "PROOF_WEAK", |_, ann, wanted| {
        ann.proof_by(wanted, |sign_in| SignIn { id_acrs: vec!["c2".to_owned()], ..sign_in })
    })
    .await;
}

#[tokio::test]
async fn a_proof_for_another_request_buys_nothing() {
    check("no nonce", "groups-admin", "PROOF_UNBOUND", |_, ann, wanted| {
        ann.proof_by(wanted, |sign_in| SignIn { nonce: None, ..sign_in })
    })
    .await;
    check("a nonce of its own", "groups-admin", "PROOF_UNBOUND", |_, ann, wanted| {
        ann.proof_by(wanted, |sign_in| sign_in.nonce("mine"))
    })
    .await;
    check("no challenge", "groups-admin", "PROOF_UNBOUND", |_, ann, wanted| api::Proof {
        challenge: String::new(),
        ..ann.proof(wanted)
    })
    .await;
    check("a challenge of its own", "groups-admin", "PROOF_UNBOUND", |_, ann, wanted| api::Proof {
        challenge: "A".repeat(wanted.challenge.len()),
        ..ann.proof(wanted)
    })
    .await;
    check("a challenge with a letter changed", "groups-admin", "PROOF_UNBOUND", |_, ann, wanted| {
        let swapped = if wanted.challenge.starts_with('A') { "B" } else { "A" };
        let mut other = wanted.clone();
        other.challenge.replace_range(30..31, swapped);
        ann.proof(&other)
    })
    .await;
}

#[tokio::test]
async fn a_proof_moved_to_another_request_or_action_buys_nothing() {
    let world = World::start().await;
    let (ann, bob) = (world.grpc("ann"), world.grpc("bob"));
    let one = ann.prepare(&wish("groups-admin")).await.unwrap();
    let proof = ann.proof(challenge(&one.challenge));
    type Change = fn(&mut api::RequestActivationRequest);
    let table: [(&str, Change); 4] = [
        ("for longer", |m| m.term_seconds += 1),
        ("for another reason", |m| m.justification.push('!')),
        ("under another ticket", |m| {
            m.ticket = Some(api::Ticket { number: "1".into(), system: String::new() })
        }),
        ("for another role", |m| m.role = "helpdesk-admin".to_owned()),
    ];
    for (what, change) in table {
        let mut message = wish("groups-admin").request(&one, proof.clone());
        change(&mut message);
        refused(&world, what, ann.request(message), PermissionDenied, "PROOF_UNBOUND").await;
    }

    // What was made to approve cannot be used to ask, nor the other way round, nor for another's request.
    let anns = ann.ask(&wish("groups-admin")).await.unwrap();
    let daves = world.grpc("dave").ask(&wish("groups-admin")).await.unwrap();
    let first = bob.prepare_approval(&anns.id).await.unwrap();
    let second = bob.prepare_approval(&daves.id).await.unwrap();
    let to_first = bob.proof(challenge(&first.challenge));
    let moved = yes(&second, to_first.clone());
    refused(&world, "to dave's", bob.approve_with(moved), PermissionDenied, "PROOF_UNBOUND").await;
    let asking = bob.prepare(&wish("helpdesk-admin")).await.unwrap();
    let to_ask = bob.proof(challenge(&asking.challenge));
    let with = yes(&first, to_ask);
    refused(&world, "asking's", bob.approve_with(with), PermissionDenied, "PROOF_UNBOUND").await;
    let message = wish("helpdesk-admin").request(&asking, to_first.clone());
    refused(&world, "approving's", bob.request(message), PermissionDenied, "PROOF_UNBOUND").await;
    bob.approve_with(yes(&first, to_first)).await.unwrap();
}

#[tokio::test]
async fn a_challenge_is_good_for_five_minutes() {
    let world = World::start().await;
    let ann = world.grpc("ann");
    let prepared = ann.prepare(&wish("reader")).await.unwrap();
    world.advance("5m1s");
    let late = wish("reader").request(&prepared, ann.proof(challenge(&prepared.challenge)));
    let told = refused(&world, "late", ann.request(late), PermissionDenied, "PROOF_UNBOUND").await;
    assert!(told.text.contains("more than five minutes old"), "{}", told.text);
}

#[tokio::test]
async fn another_persons_proof_buys_nothing() {
    check("bob's, for ann's challenge", "groups-admin", "PROOF_FOREIGN", |world, _, wanted| {
        world.grpc("bob").proof(wanted)
    })
    .await;

    // Nor does a whole request of Ann's, sent by somebody else.
    let world = World::start().await;
    let (ann, dave) = (world.grpc("ann"), world.grpc("dave"));
    let prepared = ann.prepare(&wish("groups-admin")).await.unwrap();
    let message = wish("groups-admin").request(&prepared, ann.proof(challenge(&prepared.challenge)));
    let stolen = dave.request(message.clone());
    refused(&world, "stolen", stolen, PermissionDenied, "PROOF_FOREIGN").await;
    // And Dave's own sign-in to Ann's challenge is not for his request.
    let mut own = message;
    own.proof = Some(dave.proof(challenge(&prepared.challenge)));
    refused(&world, "adopted", dave.request(own), PermissionDenied, "PROOF_UNBOUND").await;
}

#[tokio::test]
async fn only_an_id_token_of_this_tenant_for_the_registered_client_is_a_proof() {
    let other = "5a4db0c5-0000-4000-8000-00000000ffff";
    type Alter = fn(&mut Value, i64);
    let table: [(&str, &str, Alter); 19] = [
        ("for another client", "PROOF_INVALID", |c, _| c["aud"] = json!(people::BROKER.client_id)),
        ("for two", "PROOF_INVALID", |c, _| c["aud"] = json!([people::CLI.client_id, "x"])),
        ("of another tenant", "PROOF_INVALID", |c, _| {
            c["tid"] = json!("5a4db0c5-0000-4000-8000-00000000ffff")
        }),
        ("by another issuer", "PROOF_INVALID", |c, _| c["iss"] = json!("https://login.example/v2.0")),
        ("over", "PROOF_INVALID", |c, now| c["exp"] = json!(now - 6)),
        ("to come", "PROOF_INVALID", |c, now| c["nbf"] = json!(now + 6)),
        ("signed in to come", "PROOF_INVALID", |c, now| c["auth_time"] = json!(now + 6)),
        ("a text for a time", "PROOF_INVALID", |c, now| c["auth_time"] = json!(now.to_string())),
        ("no time", "PROOF_INVALID", |c, _| c["auth_time"] = Value::Null),
        ("no methods", "PROOF_INVALID", |c, _| c["amr"] = Value::Null),
        ("a text for methods", "PROOF_INVALID", |c, _| c["amr"] = json!("mfa")),
        ("no object", "PROOF_INVALID", |c, _| c["oid"] = Value::Null),
        ("no token id", "PROOF_INVALID", |c, _| c["uti"] = Value::Null),
        ("with a scope", "PROOF_INVALID", |c, _| c["scp"] = json!("access_as_user")),
        ("by another party", "PROOF_INVALID", |c, _| c["azp"] = json!(people::AUTOMATION.client_id)),
        ("no methods in it", "PROOF_WEAK", |c, _| c["amr"] = json!([])),
        ("a method written otherwise", "PROOF_WEAK", |c, _| c["amr"] = json!(["MFA"])),
        ("a nonce that is a list", "PROOF_INVALID", |c, _| c["nonce"] = json!(["n"])),
        ("of version 1", "PROOF_INVALID", |c, _| c["ver"] = json!("1.0")),
    ];
    let world = World::start().await;
    let ann = world.grpc("ann");
    let wish = wish("groups-admin");
    let prepared = ann.prepare(&wish).await.unwrap();
    let wanted = challenge(&prepared.challenge);
    let now = world.hands.now().as_second();
    for (what, reason, alter) in table {
        let proof = altered(&world, &ann, wanted, |claims| alter(claims, now));
        refused(&world, what, ann.request(wish.request(&prepared, proof)), PermissionDenied, reason).await;
    }

    let mint = world.tenant.tokens();
    let claims = mint.id_claims(&ann.sign_in().nonce(&wanted.nonce));
    let another = Key::fresh().unwrap();
    let in_name = another.named(mint.key().kid());
    let good = mint.sign(&claims);
    let (head, _) = good.rsplit_once('.').unwrap();
    let forged = [
        (
            "forged under the key's name",
            mint.sign_with(&mint.key().header(), &claims, &Signature::Rs256(in_name)),
        ),
        (
            "by a key nobody knows",
            mint.sign_with(&another.header(), &claims, &Signature::Rs256(another.clone())),
        ),
        ("without a signature", format!("{head}.")),
        ("unsigned by its own word", {
            let header = json!({ "alg": "none", "typ": "JWT" });
            mint.sign_with(&header, &claims, &Signature::Rs256(another.clone()))
        }),
        ("an access token", mint.access(&ann.sign_in().nonce(&wanted.nonce))),
        ("nothing", String::new()),
        ("garbage", "a.b.c".to_owned()),
        ("too long", "a".repeat(20_000)),
        (other, other.to_owned()),
    ];
    for (what, id_token) in forged {
        let proof = api::Proof { id_token, challenge: wanted.challenge.clone() };
        let call = ann.request(wish.request(&prepared, proof));
        refused(&world, what, call, PermissionDenied, "PROOF_INVALID").await;
    }
    ann.request(wish.request(&prepared, ann.proof(wanted))).await.unwrap();
}

#[tokio::test]
async fn a_proof_counts_once_also_when_it_need_carry_no_nonce() {
    for role in ["reader", "exchange-admin"] {
        let world = World::start().await;
        let ann = world.grpc("ann");
        let wish = wish(role);
        let prepared = ann.prepare(&wish).await.unwrap();
        let proof = ann.proof(challenge(&prepared.challenge));
        let first = ann.request(wish.request(&prepared, proof.clone())).await.unwrap();
        world.until(&first.id, elevate_tests::State::Active).await;
        ann.deactivate(&first.id).await.unwrap();
        world.until(&first.id, elevate_tests::State::Closed).await;
        let again = ann.request(wish.request(&prepared, proof.clone()));
        refused(&world, role, again, PermissionDenied, "PROOF_USED").await;

        // Not after a restart either, whether it is known by what it is bound to or by its own id.
        world.restart().await;
        let ann = world.grpc("ann");
        let prepared = ann.prepare(&wish).await.unwrap();
        let reason = if role == "reader" { "PROOF_UNBOUND" } else { "PROOF_USED" };
        let again = ann.request(wish.request(&prepared, proof.clone()));
        refused(&world, role, again, PermissionDenied, reason).await;
    }
}

/// Roles that are bound by freshness alone: then single use is all that stands between them.
fn loose_policy() -> String {
    let roles = people::ROLES.iter().take(8).enumerate().map(|(number, role)| {
        let (id, who) = (role.id, people::STAFF.id);
        format!(
            "[[role]]\nname = \"role-{number}\"\nway = \"assignment\"\nrole_definition = \"{id}\"\n\
             eligible = [\"group:{who}\"]\nlongest = \"1h\"\n[role.proof]\nbound_by = \"freshness\"\n\n"
        )
    });
    roles.collect()
}

#[tokio::test]
async fn of_sixteen_calls_with_one_proof_exactly_one_wins() {
    let world = World::without_policy(&[]).await;
    world.grpc("eve").apply(&loose_policy(), 0).await.unwrap();
    let ann = world.grpc("ann");
    let proof = api::Proof { id_token: world.tenant.tokens().id(&ann.sign_in()), challenge: String::new() };
    // For eight roles, so that no slot stands in the way of a second.
    let mut calls = Vec::new();
    for number in 0..16 {
        let wish = wish(&format!("role-{}", number % 8));
        let prepared = ann.prepare(&wish).await.unwrap();
        calls.push(wish.request(&prepared, proof.clone()));
    }
    let calls: Vec<_> = calls
        .into_iter()
        .map(|message| {
            let ann = ann.clone();
            tokio::spawn(async move { ann.request(message).await })
        })
        .collect();
    let mut won = 0;
    for call in calls {
        match call.await.unwrap() {
            Ok(_) => won += 1,
            Err(status) => {
                let reason = told(&status).reason;
                assert!(["PROOF_USED", "SLOT_TAKEN"].contains(&reason.as_str()), "{status:?}");
            }
        }
    }
    assert_eq!(won, 1);
    assert_eq!(world.grpc("eve").list(true).await.unwrap().len(), 1);
}

#[tokio::test]
async fn of_sixteen_approvals_with_one_proof_exactly_one_is_recorded() {
    let world = World::start().await;
    let asked = world.grpc("ann").ask(&wish("helpdesk-admin")).await.unwrap();
    let bob = world.grpc("bob");
    let prepared = bob.prepare_approval(&asked.id).await.unwrap();
    let proof = bob.proof(challenge(&prepared.challenge));
    let calls = [(); 16].map(|()| {
        let (bob, message) = (bob.clone(), yes(&prepared, proof.clone()));
        tokio::spawn(async move { bob.approve_with(message).await })
    });
    let mut won = 0;
    for call in calls {
        won += i32::from(call.await.unwrap().is_ok());
    }
    assert_eq!(won, 1);
    assert_eq!(world.grpc("ann").show(&asked.id).await.unwrap().approvals_needed, 1);
    assert!(world.tenant.directory().assignments().is_empty());
}

#[tokio::test]
async fn a_proof_that_asked_for_one_role_does_not_ask_for_another_even_unbound() {
    let world = World::without_policy(&[]).await;
    world.grpc("eve").apply(&loose_policy(), 0).await.unwrap();
    let ann = world.grpc("ann");
    let proof = api::Proof { id_token: world.tenant.tokens().id(&ann.sign_in()), challenge: String::new() };
    let one = ann.prepare(&wish("role-1")).await.unwrap();
    let asked = ann.request(wish("role-1").request(&one, proof.clone())).await.unwrap();
    world.until(&asked.id, elevate_tests::State::Active).await;
    let other = ann.prepare(&wish("role-2")).await.unwrap();
    let call = ann.request(wish("role-2").request(&other, proof));
    refused(&world, "again", call, PermissionDenied, "PROOF_USED").await;
}
