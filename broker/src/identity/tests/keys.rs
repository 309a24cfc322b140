use tokio_util::sync::CancellationToken;

use super::*;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

/// A token that is good for days, signed with the key of this name.
fn lasting(kid: &str) -> String {
    let claims = changed(access(), &json!({"exp": START + 1000 * HOUR}));
    minted(&json!({"alg": "ES256", "kid": kid}).to_string(), &claims.to_string(), ec_signature)
}

async fn reason(house: &House, kid: &str) -> &'static str {
    house.identity.caller(&lasting(kid)).await.map_or_else(|refusal| refusal.reason(), |_| "accepted")
}

#[tokio::test]
async fn keys_are_read_once_and_kept_for_an_hour() {
    let house = House::new();
    assert_eq!(house.identity.status().keys, 0);
    let status = house.identity.warm().await.unwrap();
    assert_eq!((status.keys, status.fetched_at, status.last_error), (2, Some(at(0)), None));
    for (now, reads) in [(0, 1), (HOUR - 1, 1), (HOUR, 2), (2 * HOUR - 1, 2), (2 * HOUR, 3)] {
        house.clock.set(now);
        assert_eq!(reason(&house, "ec").await, "accepted");
        assert_eq!(house.reads(), reads, "at {now}");
    }
}

#[tokio::test]
async fn a_new_key_is_found_when_it_is_first_used_and_a_removed_one_ends_at_the_next_read() {
    let house = House::new();
    house.identity.warm().await.unwrap();
    house.publish(&[ec_key("new")]);
    house.clock.set(MINUTE);
    assert_eq!(reason(&house, "ec").await, "accepted");
    assert_eq!(reason(&house, "new").await, "accepted");
    assert_eq!(reason(&house, "ec").await, "TOKEN_INVALID");
    assert_eq!(house.reads(), 2);
}

#[tokio::test]
async fn unknown_keys_make_us_ask_once_in_five_minutes() {
    let house = House::new();
    house.identity.warm().await.unwrap();
    for (now, reads) in [(0, 2), (1, 2), (5 * MINUTE - 1, 2), (5 * MINUTE, 3), (5 * MINUTE + 1, 3)] {
        house.clock.set(now);
        assert_eq!(reason(&house, &format!("made-up-{now}")).await, "TOKEN_INVALID");
        assert_eq!(house.reads(), reads, "at {now}");
    }
}

#[tokio::test]
async fn ten_thousand_unknown_keys_at_once_make_us_ask_once() {
    let house = House::new();
    house.identity.warm().await.unwrap();
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    *house.tenant.gate.lock().unwrap() = Some(gate.clone());
    let head = |n: usize| json!({"alg": "ES256", "kid": format!("made-up-{n}")}).to_string();
    let storm: Vec<_> = (0..10_000)
        .map(|n| {
            let (identity, token) = (house.identity.clone(), minted(&head(n), "{}", |_| vec![0; 64]));
            tokio::spawn(async move { identity.caller(&token).await })
        })
        .collect();
    tokio::task::yield_now().await;
    // Those whose key is known do not wait for it.
    assert_eq!(reason(&house, "ec").await, "accepted");
    gate.add_permits(10_000);
    for task in storm {
        assert_eq!(task.await.unwrap().unwrap_err().reason(), "TOKEN_INVALID");
    }
    assert_eq!(house.reads(), 2);
}

#[tokio::test]
async fn while_one_reads_the_others_go_on_with_what_is_kept() {
    let house = House::new();
    house.identity.warm().await.unwrap();
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    *house.tenant.gate.lock().unwrap() = Some(gate.clone());
    house.clock.set(HOUR);
    let identity = house.identity.clone();
    let first = tokio::spawn(async move { identity.caller(&lasting("ec")).await });
    while house.reads() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(reason(&house, "ec").await, "accepted");
    assert!(!first.is_finished());
    gate.add_permits(1);
    assert!(first.await.unwrap().is_ok());
    assert_eq!(house.reads(), 2);
}

#[tokio::test]
async fn a_new_key_that_another_read_brings_makes_us_ask_no_more() {
    let house = House::new();
    house.identity.warm().await.unwrap();
    house.publish(&[ec_key("new")]);
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    *house.tenant.gate.lock().unwrap() = Some(gate.clone());
    let identity = house.identity.clone();
    let warming = tokio::spawn(async move { identity.warm().await });
    while house.reads() < 2 {
        tokio::task::yield_now().await;
    }
    let identity = house.identity.clone();
    let caller = tokio::spawn(async move { identity.caller(&lasting("new")).await });
    tokio::task::yield_now().await;
    gate.add_permits(2);
    assert_eq!(warming.await.unwrap().unwrap().keys, 1);
    assert!(caller.await.unwrap().is_ok());
    assert_eq!(house.reads(), 2);
}

#[tokio::test]
async fn a_caller_who_hangs_up_does_not_spoil_the_read() {
    let house = House::new();
    house.identity.warm().await.unwrap();
    house.publish(&[ec_key("new")]);
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    *house.tenant.gate.lock().unwrap() = Some(gate.clone());
    let identity = house.identity.clone();
    let caller = tokio::spawn(async move { identity.caller(&lasting("new")).await });
    while house.reads() < 2 {
        tokio::task::yield_now().await;
    }
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    gate.add_permits(1);
    assert_eq!(reason(&house, "new").await, "accepted");
    assert_eq!(house.reads(), 2);
}

#[tokio::test]
async fn the_last_good_set_outlives_an_outage_for_a_day() {
    let house = House::new();
    house.identity.warm().await.unwrap();
    house.outage();
    for (now, kid, expected) in [
        (HOUR, "ec", "accepted"),
        (HOUR + 1, "new", "TENANT_UNREACHABLE"),
        (24 * HOUR - 1, "ec", "accepted"),
        (24 * HOUR, "ec", "TENANT_UNREACHABLE"),
        (24 * HOUR + 1, "ec", "TENANT_UNREACHABLE"),
    ] {
        house.clock.set(now);
        assert_eq!(reason(&house, kid).await, expected, "at {now}");
    }
    let status = house.identity.status();
    assert!(status.last_error.unwrap().contains("answered 503"));
    assert_eq!(status.fetched_at, Some(at(0)));

    house.publish_discovery(&json!({"issuer": issuer(), "jwks_uri": keys_address()}));
    house.publish(&[ec_key("ec")]);
    house.clock.set(24 * HOUR + 2 * MINUTE);
    assert_eq!(reason(&house, "ec").await, "accepted");
    assert_eq!(house.identity.status().last_error, None);
}

#[tokio::test]
async fn a_tenant_out_of_reach_is_not_asked_more_than_twice_a_minute() {
    let house = House::new();
    house.tenant.documents.lock().unwrap().remove(&keys_address());
    for (now, reads) in [(0, 1), (1, 1), (29, 1), (30, 2), (59, 2), (60, 3)] {
        house.clock.set(now);
        assert_eq!(reason(&house, "ec").await, "TENANT_UNREACHABLE");
        assert_eq!(house.reads(), reads, "at {now}");
    }
}

#[tokio::test]
async fn a_clock_put_back_does_not_stop_the_keys_from_being_read() {
    let house = House::new();
    house.clock.set(1000 * HOUR);
    house.identity.warm().await.unwrap();
    house.clock.set(0);
    assert_eq!(reason(&house, "ec").await, "accepted");
    assert_eq!(house.identity.status().fetched_at, Some(at(0)));
    // Nor does one so unsure that nothing is fresh make every caller ask.
    house.clock.set_between(0, 2 * HOUR);
    for _ in 0..10 {
        assert_eq!(reason(&house, "ec").await, "accepted");
    }
    assert_eq!(house.reads(), 3);
}

#[tokio::test]
async fn the_loop_reads_every_hour_and_stops_when_told() {
    let house = House::new();
    house.identity.warm().await.unwrap();
    let stop = CancellationToken::new();
    let (identity, told) = (house.identity.clone(), stop.clone());
    let running = tokio::spawn(async move { identity.run(told).await });
    for hour in 1..=3 {
        tokio::task::yield_now().await;
        house.clock.set(hour * HOUR);
        while house.identity.status().fetched_at != Some(at(hour * HOUR)) {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(house.reads(), 4);
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn keys_that_are_not_for_this_are_left_out() {
    let good = || rsa_key("k", &RSA);
    let n = |bytes: &[u8]| json!({"n": b64(bytes)});
    for (key, reason) in [
        (changed(good(), &json!({"use": "enc"})), "not for signatures"),
        (changed(good(), &json!({"key_ops": ["sign"]})), "not for verifying"),
        (
            changed(good(), &json!({"issuer": format!("https://login.example/{OTHER}/v2.0")})),
            "another issuer's",
        ),
        (changed(good(), &json!({"issuer": 7})), "`issuer`"),
        (changed(good(), &json!({"alg": "RS384"})), "`alg`"),
        (changed(good(), &json!({"alg": "HS256"})), "`alg`"),
        (changed(good(), &json!({"alg": "ES256"})), "`alg`"),
        (changed(good(), &json!({"kid": null})), "no `kid`"),
        (changed(good(), &json!({"kid": "k".repeat(129)})), "`kid`"),
        (changed(good(), &json!({"kty": "rsa"})), "`kty`"),
        (changed(good(), &json!({"e": "Aw"})), "`e`"),
        (changed(good(), &json!({"e": "AQ"})), "`e`"),
        (changed(good(), &json!({"e": "AQAA"})), "`e`"),
        (changed(good(), &json!({"e": "AQAC"})), "`e`"),
        (changed(good(), &json!({"e": "AQAB=="})), "`e`"),
        (changed(good(), &n(&[0xff; 255])), "`n`"),
        (changed(good(), &n(&[0x7f; 256])), "`n`"),
        (changed(good(), &n(&[[0].as_slice(), &[0xff; 256]].concat())), "`n`"),
        (changed(good(), &n(&[0xff; 1025])), "`n`"),
        (json!({"kty": "oct", "kid": "k", "k": b64([1; 32]), "alg": "HS256"}), "`alg`"),
        (json!({"kty": "oct", "kid": "k", "k": b64([1; 32])}), "`kty`"),
        (json!({"kty": "OKP", "kid": "k", "crv": "Ed25519", "x": b64([1; 32])}), "`kty`"),
        (changed(ec_key("k"), &json!({"crv": "P-384"})), "`crv`"),
        (changed(ec_key("k"), &json!({"x": b64([1; 33])})), "no point"),
        (changed(ec_key("k"), &json!({"y": null})), "no `y`"),
        (changed(ec_key("k"), &json!({"alg": "RS256"})), "`alg`"),
    ] {
        let house = House::new();
        house.publish(&[key.clone(), ec_key("ec")]);
        let found = house.identity.check().await.unwrap();
        assert_eq!(found.usable, 1, "{key}");
        assert!(found.ignored[0].contains(reason), "{key}: {:?}", found.ignored);
    }
    // Two of one name are neither.
    let house = House::new();
    house.publish(&[good(), rsa_key("k", &OTHER_RSA), rsa_key("k", &OTHER_RSA), ec_key("ec")]);
    let found = house.identity.check().await.unwrap();
    assert_eq!((found.usable, found.ignored.len(), found.keys_address), (1, 1, keys_address()));
    assert_eq!(house.identity.status().keys, 0, "looking changes nothing");
}

#[tokio::test]
async fn a_point_off_the_curve_verifies_nothing() {
    let house = House::new();
    house.publish(&[changed(ec_key("ec"), &json!({"x": b64([1; 32]), "y": b64([1; 32])}))]);
    assert_eq!(reason(&house, "ec").await, "TOKEN_INVALID");
}

#[tokio::test]
async fn a_key_set_that_is_none_leaves_the_last_good_one() {
    let house = House::new();
    house.identity.warm().await.unwrap();
    for set in [
        "".to_owned(),
        "{}".to_owned(),
        r#"{"keys":null}"#.to_owned(),
        r#"{"keys":[]}"#.to_owned(),
        r#"{"keys":{}}"#.to_owned(),
        r#"{"keys":["x"]}"#.to_owned(),
        json!({"keys": vec![ec_key("x"); 65]}).to_string(),
        json!({"keys": [ec_key("twice"), ec_key("twice")]}).to_string(),
        format!(r#"{{"keys":[],"keys":[{}]}}"#, ec_key("x")),
    ] {
        house.tenant.documents.lock().unwrap().insert(keys_address(), set.clone());
        assert!(house.identity.warm().await.is_err(), "{set}");
    }
    assert_eq!(house.identity.status().keys, 2);
    assert_eq!(reason(&house, "ec").await, "accepted");
}

#[tokio::test]
async fn keys_come_only_from_where_the_issuer_is() {
    for (document, reason) in [
        (json!({"issuer": format!("{}/", issuer()), "jwks_uri": keys_address()}), "another issuer"),
        (
            json!({"issuer": "https://login.example/{tenantid}/v2.0", "jwks_uri": keys_address()}),
            "another issuer",
        ),
        (json!({"jwks_uri": keys_address()}), "no `issuer`"),
        (json!({"issuer": issuer()}), "no `jwks_uri`"),
        (json!({"issuer": issuer(), "jwks_uri": null}), "null for `jwks_uri`"),
        (json!({"issuer": issuer(), "jwks_uri": "keys"}), "no address"),
        (json!({"issuer": issuer(), "jwks_uri": keys_address().replace("https", "http")}), "not https"),
        (json!({"issuer": issuer(), "jwks_uri": "https://evil.example/keys"}), "not https"),
        (json!({"issuer": issuer(), "jwks_uri": "https://login.example.evil.example/keys"}), "not https"),
        (json!({"issuer": issuer(), "jwks_uri": "https://login.example@evil.example/keys"}), "not https"),
        (json!({"issuer": issuer(), "jwks_uri": "https://login.example:8443/keys"}), "not https"),
        (json!({"issuer": issuer(), "jwks_uri": "file:///keys"}), "not https"),
    ] {
        let house = House::new();
        house.publish_discovery(&document);
        let fault = house.identity.warm().await.unwrap_err();
        assert!(fault.to_string().contains(reason), "{document}: {fault}");
        assert_eq!(house.reads(), 0);
    }
    let house = House::with(|settings| settings.keys_host = Some("keys.example".to_owned()));
    let address = "https://keys.example/keys";
    house.publish_discovery(&json!({"issuer": issuer(), "jwks_uri": address}));
    house
        .tenant
        .documents
        .lock()
        .unwrap()
        .insert(address.to_owned(), json!({"keys": [ec_key("ec")]}).to_string());
    assert_eq!(house.identity.warm().await.unwrap().keys, 1);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let clock = Hands::new();
    let change: [fn(&mut Settings); 9] = [
        |settings| settings.issuer = "http://login.example/v2.0".to_owned(),
        |settings| settings.issuer = "login.example".to_owned(),
        |settings| settings.issuer = "https://login.example/?p=1".to_owned(),
        |settings| settings.issuer = "https://ann:pw@login.example/".to_owned(),
        |settings| settings.audience = String::new(),
        |settings| settings.proof_client = " ".to_owned(),
        |settings| settings.scope = String::new(),
        |settings| settings.clients = Vec::new(),
        |settings| settings.claims.object = String::new(),
    ];
    for (index, change) in change.into_iter().enumerate() {
        let mut settings = settings(clock.clone());
        change(&mut settings);
        assert!(Identity::new(settings).is_err(), "{index}");
    }
    assert!(Identity::new(settings(clock)).is_ok());
}
