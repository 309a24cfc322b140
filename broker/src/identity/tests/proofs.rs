use elevate_core::policy::AuthContext;

use super::*;
use elevate_core::activation::ProofShown;

/// What the ID token with these changes shows, under a challenge that fits.
async fn check(house: &House, rule: &ProofRule, changes: &Value) -> Result<ProofShown, TokenRefusal> {
    let challenge = house.identity.challenge(ann(), digest(), Action::Activate);
    let token = signed(&changed(id_token(&challenge.nonce), changes));
    let proof = house.identity.proof(&token, &wanted(&challenge.text, rule)).await;
    proof.map(|proof| proof.into_shown())
}

#[tokio::test]
async fn a_proof_goes_on_record_with_how_and_when() {
    let house = House::new();
    let shown = check(&house, &rule(), &json!({})).await.unwrap();
    assert_eq!((shown.token.as_str(), shown.nonce.len()), ("uti-3", 43));
    assert_eq!(shown.signed_in_at, at(-10));
    assert_eq!(
        (shown.methods, shown.contexts),
        (vec!["fido".into(), "mfa".into()], vec!["c1".into(), "c7".into()])
    );
}

#[tokio::test]
async fn every_claim_must_be_there_once_and_of_its_type() {
    let house = House::new();
    let rule = ProofRule { context: AuthContext::new("c1"), ..rule() };
    let challenge = house.identity.challenge(ann(), digest(), Action::Activate);
    let good = id_token(&challenge.nonce);
    let wanted = wanted(&challenge.text, &rule);
    assert!(house.identity.proof(&signed(&good), &wanted).await.is_ok());
    for (names, may_be_absent) in [
        (
            ["iss", "aud", "tid", "oid", "uti", "exp", "iat", "nonce", "auth_time", "amr", "acrs"].as_slice(),
            false,
        ),
        (["nbf", "ver"].as_slice(), true),
    ] {
        for name in names {
            for (case, payload) in spoilt(&good, name, may_be_absent) {
                let result = house.identity.proof(&signed_text(&payload), &wanted).await;
                assert!(result.is_err(), "`{name}` {case}: {result:?}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_no_proof_of_this_person_to_this_client_is_refused() {
    let house = House::new();
    for (changes, reason) in [
        (json!({"iss": "https://login.example/common/v2.0"}), "PROOF_INVALID"),
        (json!({"aud": BROKER}), "PROOF_INVALID"),
        (json!({"tid": OTHER}), "PROOF_INVALID"),
        (json!({"oid": OTHER}), "PROOF_FOREIGN"),
        (json!({"ver": "1.0"}), "PROOF_INVALID"),
        (json!({"scp": "access_as_user"}), "PROOF_INVALID"),
        (json!({"idtyp": "user"}), "PROOF_INVALID"),
        (json!({"appid": CLIENT}), "PROOF_INVALID"),
        (json!({"azp": OTHER}), "PROOF_INVALID"),
        (json!({"exp": START}), "PROOF_INVALID"),
        (json!({"nonce": null}), "PROOF_UNBOUND"),
        (json!({"nonce": "of another sign-in"}), "PROOF_UNBOUND"),
        (json!({"nonce": "n".repeat(257)}), "PROOF_INVALID"),
    ] {
        let refusal = check(&house, &rule(), &changes).await.unwrap_err();
        assert_eq!(refusal.reason(), reason, "{changes}: {refusal}");
    }
    assert!(check(&house, &rule(), &json!({"azp": CLIENT})).await.is_ok());
    let typ =
        |typ: &str| minted(&json!({"alg": "ES256", "kid": "ec", "typ": typ}).to_string(), "{}", ec_signature);
    let refusal = house.identity.proof(&typ("at+jwt"), &wanted("", &rule())).await.unwrap_err();
    assert!(refusal.to_string().contains("another type"), "{refusal}");
}

#[tokio::test]
async fn an_access_token_proves_nothing_even_for_the_same_application() {
    let house = House::with(|settings| settings.audience = CLIENT.to_owned());
    let rule = ProofRule { bound: Bound::Loose, ..rule() };
    let signed_in = json!({"aud": CLIENT, "auth_time": START, "amr": ["mfa"]});
    for token in [changed(access(), &signed_in), changed(app_only(), &signed_in)] {
        let result = house.identity.proof(&signed(&token), &wanted("", &rule)).await;
        assert_eq!(result.unwrap_err().reason(), "PROOF_INVALID");
    }
}

#[tokio::test]
async fn a_nonce_of_another_challenge_digest_or_action_does_not_bind() {
    let house = House::new();
    let rule = rule();
    let first = house.identity.challenge(ann(), digest(), Action::Activate);
    let second = house.identity.challenge(ann(), digest(), Action::Activate);
    let approve = house.identity.challenge(ann(), digest(), Action::Approve);
    for nonce in [second.nonce, approve.nonce, first.nonce.to_lowercase(), format!("{}=", first.nonce)] {
        let result = house.identity.proof(&signed(&id_token(&nonce)), &wanted(&first.text, &rule)).await;
        assert!(matches!(result, Err(TokenRefusal::Unbound { .. })), "{result:?}");
    }
    let approving = Wanted { action: Action::Approve, ..wanted(&approve.text, &rule) };
    let token = signed(&id_token(&super::super::challenge::nonce(&approve.text, digest(), Action::Approve)));
    assert!(house.identity.proof(&token, &approving).await.is_ok());
}

#[tokio::test]
async fn a_sign_in_is_fresh_by_the_bound_that_denies() {
    let house = House::new();
    for (auth_time, earliest, latest, reason) in [
        (0, 299, 299, None),
        (0, 300, 300, None),
        (0, 301, 301, Some("PROOF_STALE")),
        (0, 200, 301, Some("PROOF_STALE")),
        (100, 96, 96, None),
        (100, 95, 95, None),
        (100, 94, 94, Some("PROOF_INVALID")),
        (100, 94, 100, Some("PROOF_INVALID")),
    ] {
        house.clock.set_between(earliest, latest);
        let changes = json!({"auth_time": START + auth_time, "iat": START + earliest, "nbf": START});
        let refusal = check(&house, &rule(), &changes).await.err().map(|refusal| refusal.reason());
        assert_eq!(refusal, reason, "signed in at {auth_time}, now {earliest}..{latest}");
    }
    house.clock.set(900);
    let refusal = check(&house, &rule(), &json!({"iat": START + 900})).await.unwrap_err();
    assert!(refusal.to_string().contains("older than the 5m that the policy allows"), "{refusal}");
}

#[tokio::test]
async fn a_token_older_than_its_challenge_is_refused_but_entra_backdates_by_five_minutes() {
    let house = House::new();
    house.clock.set(1000);
    for (issued, counts) in [(1000, true), (700, true), (695, true), (694, false), (0, false)] {
        let changes = json!({"iat": START + issued, "auth_time": START + 1000});
        assert_eq!(check(&house, &rule(), &changes).await.is_ok(), counts, "{issued}");
    }
}

#[tokio::test]
async fn strength_is_what_the_methods_say() {
    let house = House::new();
    for (amr, mfa, resistant) in [
        (json!(["pwd"]), false, false),
        (json!([]), false, false),
        (json!(["MFA"]), false, false),
        (json!(["sms", "mfa"]), true, false),
        (json!(["rsa", "ngcmfa", "mfa"]), true, false),
        (json!(["ngcmfa"]), false, false),
        (json!(["x509"]), false, false),
        (json!(["hwk"]), false, false),
        (json!(["hwk", "mfa", "ngcmfa"]), true, true),
        (json!(["fido", "mfa"]), true, true),
    ] {
        for (strength, strong) in [(Strength::Mfa, mfa), (Strength::PhishingResistant, resistant)] {
            let result = check(&house, &ProofRule { strength, ..rule() }, &json!({"amr": amr})).await;
            assert_eq!(result.is_ok(), strong, "{amr} for {strength:?}: {result:?}");
            assert!(strong || matches!(result, Err(TokenRefusal::Weak { .. })));
        }
    }
}

#[tokio::test]
async fn an_authentication_context_is_wanted_beside_the_methods_not_instead() {
    let house = House::new();
    let rule = ProofRule { context: AuthContext::new("c1"), ..rule() };
    for (changes, reason) in [
        (json!({}), None),
        (json!({"acrs": ["c11", "C1"]}), Some("`c1` was not satisfied")),
        (json!({"acrs": []}), Some("`c1` was not satisfied")),
        (json!({"amr": ["pwd"]}), Some("second factor")),
    ] {
        let refusal = check(&house, &rule, &changes).await.err().map(|refusal| refusal.to_string());
        match reason {
            None => assert_eq!(refusal, None),
            Some(reason) => assert!(refusal.as_ref().unwrap().contains(reason), "{changes}: {refusal:?}"),
        }
    }
}

#[tokio::test]
async fn a_claim_that_the_registration_does_not_ask_for_is_named_with_who_can_mend_it() {
    let house = House::new();
    let rule = ProofRule { context: AuthContext::new("c1"), ..rule() };
    for (claim, reason) in [("amr", "PROOF_INVALID"), ("auth_time", "PROOF_INVALID"), ("acrs", "PROOF_WEAK")]
    {
        let refusal = check(&house, &rule, &json!({ claim: null })).await.unwrap_err();
        assert_eq!(refusal.reason(), reason);
        let mend = format!("an administrator adds `{claim}` to the optional claims");
        assert!(refusal.to_string().contains(&mend), "{refusal}");
    }
}

#[tokio::test]
async fn lists_are_bounded() {
    let house = House::new();
    let list = |length: usize, item: &str| {
        let mut list = vec![item.to_owned(); length - 1];
        list.push("mfa".to_owned());
        json!(list)
    };
    for (amr, counts) in [
        (list(32, "x"), true),
        (list(33, "x"), false),
        (list(2, &"x".repeat(64)), true),
        (list(2, &"x".repeat(65)), false),
    ] {
        assert_eq!(check(&house, &rule(), &json!({"amr": amr})).await.is_ok(), counts);
    }
}

#[tokio::test]
async fn a_loose_rule_asks_for_no_nonce_but_for_all_the_rest() {
    let house = House::new();
    let rule = ProofRule { bound: Bound::Loose, ..rule() };
    let mut marks = std::collections::BTreeSet::new();
    for (changes, reason) in [
        (json!({"nonce": null}), None),
        // Another token of the same sign-in, as a refreshed session gives them: it counts as the same.
        (json!({"nonce": null, "uti": "another"}), None),
        (json!({"nonce": "theirs"}), None),
        (json!({"nonce": null, "auth_time": START - 301}), Some("PROOF_STALE")),
        (json!({"nonce": null, "amr": ["pwd"]}), Some("PROOF_WEAK")),
        (json!({"nonce": null, "oid": OTHER}), Some("PROOF_FOREIGN")),
        (json!({"nonce": null, "uti": null}), Some("PROOF_INVALID")),
    ] {
        let token = signed(&changed(id_token("n"), &changes));
        match house.identity.proof(&token, &wanted("", &rule)).await {
            Ok(proof) => {
                assert_eq!(reason, None, "{changes}");
                marks.insert(proof.into_shown().nonce);
            }
            Err(refusal) => assert_eq!(Some(refusal.reason()), reason, "{changes}"),
        }
    }
    assert_eq!(marks.len(), 1, "{marks:?}");
    let later = signed(&changed(id_token("n"), &json!({"nonce": null, "auth_time": START - 1})));
    let later = house.identity.proof(&later, &wanted("", &rule)).await.unwrap().into_shown();
    assert!(marks.insert(later.nonce), "another sign-in counts for itself");
    let approval = rule.for_approval();
    let refusal = house.identity.proof(&signed(&id_token("n")), &wanted("", &approval)).await.unwrap_err();
    assert_eq!(refusal.reason(), "PROOF_UNBOUND");
}
