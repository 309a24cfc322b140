use super::*;
use crate::ports::verifier::{AppRole, CallerKind};

#[tokio::test]
async fn a_person_is_known_by_tenant_and_object() {
    let house = House::new();
    let caller = house.caller(&access()).await.unwrap();
    assert_eq!(caller.principal, ann());
    assert_eq!(caller.kind, CallerKind::Person);
    assert_eq!(caller.name, "ann@contoso.example");
    assert!(caller.roles.is_empty());
}

#[tokio::test]
async fn app_roles_count_for_people_and_programs_and_unknown_ones_do_not() {
    let house = House::new();
    let roles = json!({"roles": ["Elevate.PolicyAdmin", "Elevate.Revoker", "elevate.auditor", "Other.Role"]});
    let caller = house.caller(&changed(access(), &roles)).await.unwrap();
    assert_eq!(caller.roles.into_iter().collect::<Vec<_>>(), [AppRole::PolicyAdmin, AppRole::Revoker]);

    let caller = house.caller(&app_only()).await.unwrap();
    assert_eq!((caller.kind, caller.name.as_str()), (CallerKind::Workload, ANN));
    assert_eq!(caller.roles.into_iter().collect::<Vec<_>>(), [AppRole::Auditor]);
}

#[tokio::test]
async fn every_claim_must_be_there_once_and_of_its_type() {
    let house = House::new();
    let person = changed(access(), &json!({"idtyp": "user", "roles": ["Elevate.Auditor"]}));
    assert!(house.caller(&person).await.is_ok());
    for name in ["iss", "aud", "tid", "oid", "uti", "exp", "iat", "scp", "azp"] {
        for (case, payload) in spoilt(&person, name, false) {
            let result = house.identity.caller(&signed_text(&payload)).await;
            assert!(matches!(result, Err(TokenRefusal::Invalid(_))), "`{name}` {case}: {result:?}");
        }
    }
    for name in ["nbf", "ver", "idtyp", "roles"] {
        let without = changed(person.clone(), &json!({ name: null }));
        assert!(house.caller(&without).await.is_ok(), "`{name}` may be absent");
        for (case, payload) in spoilt(&person, name, true) {
            let result = house.identity.caller(&signed_text(&payload)).await;
            assert!(matches!(result, Err(TokenRefusal::Invalid(_))), "`{name}` {case}: {result:?}");
        }
    }
    let program = changed(app_only(), &json!({"idtyp": "app"}));
    assert!(house.caller(&program).await.is_ok());
    for name in ["azp", "roles"] {
        for (case, payload) in spoilt(&program, name, false) {
            let result = house.identity.caller(&signed_text(&payload)).await;
            assert!(result.is_err(), "`{name}` {case}: {result:?}");
        }
    }
}

#[tokio::test]
async fn a_token_of_or_for_somebody_else_does_not_count() {
    let house = House::new();
    for (changes, reason) in [
        (json!({"iss": format!("https://login.example/{OTHER}/v2.0")}), "another issuer"),
        (json!({"iss": format!("{}/", issuer())}), "another issuer"),
        (json!({"iss": issuer().to_uppercase()}), "another issuer"),
        (json!({"iss": format!("https://sts.windows.net/{TENANT}/")}), "requestedAccessTokenVersion"),
        (json!({"aud": CLIENT}), "for another application"),
        (json!({"aud": format!("api://{BROKER}")}), "for another application"),
        (json!({"aud": BROKER.to_uppercase()}), "for another application"),
        (json!({"aud": "00000003-0000-0000-c000-000000000000"}), "for another application"),
        (json!({"ver": "1.0"}), "version"),
        (json!({"tid": OTHER}), "another tenant"),
        (json!({"tid": "common"}), "not a GUID"),
        (json!({"oid": "ann"}), "not a GUID"),
        (json!({"oid": "00000000-0000-0000-0000-000000000000"}), "not a GUID"),
        (json!({"oid": ANN.replace('-', "")}), "not a GUID"),
        (json!({"uti": "a b"}), "not a token id"),
        (json!({"uti": "a".repeat(129)}), "not a token id"),
        (json!({"azp": OTHER}), "client that is not allowed"),
        (json!({"scp": "access_as_user2 User.Read"}), "lacks the scope"),
        (json!({"scp": format!("{} access_as_user", "x".repeat(2040))}), "2048 bytes"),
        (json!({"scp": "Access_As_User"}), "lacks the scope"),
        (json!({"scp": "access_as_user,User.Read"}), "lacks the scope"),
        (json!({"scp": null}), "no scope"),
        (json!({"scp": null, "roles": ["Elevate.PolicyAdmin"]}), "no scope"),
        (json!({"scp": null, "idtyp": "user", "sub": ANN}), "no scope"),
        (json!({"idtyp": "app"}), "both"),
        (json!({"idtyp": "App"}), "idtyp"),
        (json!({"nonce": "n"}), "is an ID token"),
        (json!({"at_hash": "n"}), "is an ID token"),
    ] {
        let refusal = house.caller(&changed(access(), &changes)).await.unwrap_err();
        assert_eq!(refusal.reason(), "TOKEN_INVALID", "{changes}");
        assert!(refusal.to_string().contains(reason), "{changes}: {refusal}");
    }
}

#[tokio::test]
async fn a_program_must_say_that_it_is_one_and_hold_a_role_of_the_broker() {
    let house = House::new();
    let said = json!({"idtyp": "app", "sub": "whatever"});
    assert!(house.caller(&changed(app_only(), &said)).await.is_ok());
    for (changes, reason) in [
        (json!({"roles": null}), "no app role"),
        (json!({"roles": []}), "no app role"),
        (json!({"roles": ["Directory.Read.All"]}), "no app role"),
        (json!({"roles": null, "idtyp": "app"}), "no app role"),
        // Without `idtyp` this is how an ID token with app roles in it looks.
        (json!({"sub": "pairwise"}), "not a program's"),
        (json!({"sub": null}), "no `sub`"),
        (json!({"azp": null}), "no `azp`"),
        (json!({"scp": "access_as_user"}), "client that is not allowed"),
    ] {
        let refusal = house.caller(&changed(app_only(), &changes)).await.unwrap_err();
        assert!(refusal.to_string().contains(reason), "{changes}: {refusal}");
    }
}

#[tokio::test]
async fn an_id_token_is_no_access_token_even_for_the_same_application() {
    let house = House::with(|settings| settings.proof_client = BROKER.to_owned());
    for changes in
        [json!({}), json!({"nonce": null}), json!({"nonce": null, "roles": ["Elevate.PolicyAdmin"]})]
    {
        let claims = changed(changed(id_token("n"), &json!({"aud": BROKER})), &changes);
        assert!(house.caller(&claims).await.is_err(), "{changes}");
    }
}

#[tokio::test]
async fn a_token_counts_from_its_beginning_to_its_end_and_doubt_denies() {
    let house = House::new();
    // Claim, its second, the interval of the clock, and whether it counts.
    for (claim, value, earliest, latest, counts) in [
        ("exp", 100, 99, 99, true),
        ("exp", 100, 100, 100, false),
        ("exp", 100, 101, 101, false),
        ("exp", 100, 50, 99, true),
        ("exp", 100, 50, 100, false),
        ("nbf", 100, 94, 94, false),
        ("nbf", 100, 95, 95, true),
        ("nbf", 100, 96, 96, true),
        ("nbf", 100, 94, 200, false),
        ("nbf", 100, 95, 200, true),
        ("iat", 100, 94, 94, false),
        ("iat", 100, 95, 95, true),
        ("iat", 100, 96, 96, true),
        ("iat", 100, 94, 200, false),
        ("iat", 100, 95, 200, true),
    ] {
        house.clock.set_between(earliest, latest);
        let result = house.caller(&changed(access(), &json!({ claim: START + value }))).await;
        assert_eq!(result.is_ok(), counts, "`{claim}` {value} at {earliest}..{latest}: {result:?}");
    }
}

#[tokio::test]
async fn guests_are_refused_where_they_are_not_allowed() {
    let house = House::with(|settings| settings.guests = false);
    assert!(house.caller(&changed(access(), &json!({"acct": 0}))).await.is_ok());
    assert!(house.caller(&app_only()).await.is_ok(), "programs are no guests");
    for (changes, reason) in [
        (json!({"acct": 1}), "guest's"),
        (json!({"acct": 2}), "guest's"),
        (json!({"acct": "0"}), "whole number"),
        (json!({}), "optional claim"),
    ] {
        let refusal = house.caller(&changed(access(), &changes)).await.unwrap_err();
        assert!(refusal.to_string().contains(reason), "{changes}: {refusal}");
    }
    assert!(House::new().caller(&changed(access(), &json!({"acct": 1}))).await.is_ok());
}

#[tokio::test]
async fn a_name_is_only_for_reading_and_cannot_rewrite_its_line() {
    let house = House::new();
    for (changes, shown) in [
        (json!({"preferred_username": "ann\u{202e}\u{7}\n@x"}), "ann@x"),
        (json!({"preferred_username": null}), "Ann Archer"),
        (json!({"preferred_username": 7, "name": ["x"]}), ANN),
        (json!({"preferred_username": "\u{200b}", "name": "Ann"}), ANN),
    ] {
        assert_eq!(house.caller(&changed(access(), &changes)).await.unwrap().name, shown);
    }
    let long = changed(access(), &json!({"preferred_username": "é".repeat(500)}));
    assert_eq!(house.caller(&long).await.unwrap().name.chars().count(), 128);
}

#[tokio::test]
async fn another_provider_may_call_its_claims_otherwise() {
    let house = House::with(|settings| {
        settings.claims.token_id = "jti".to_owned();
        settings.claims.object = "user_id".to_owned();
        settings.scope = "elevate".to_owned();
    });
    let renamed =
        json!({"uti": null, "jti": "j", "oid": null, "user_id": ANN, "scp": "openid elevate", "ver": null});
    assert_eq!(house.caller(&changed(access(), &renamed)).await.unwrap().principal, ann());
    assert!(house.caller(&access()).await.is_err());
}

#[tokio::test]
async fn nobody_is_known_before_the_time_is() {
    let house = House::new();
    for (assurance, known) in [
        (Assurance::Unwitnessed, false),
        // The time that is carried on still serves to look, to deny and to give back.
        (Assurance::Doubted, true),
        (Assurance::Witnessed { corroborated: false }, true),
    ] {
        *house.clock.assurance.lock().unwrap() = assurance;
        match house.caller(&access()).await {
            Ok(_) => assert!(known, "{assurance:?}"),
            Err(refusal) => assert_eq!((refusal.reason(), known), ("TIME_UNSURE", false)),
        }
    }
}
