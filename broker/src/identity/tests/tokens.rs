use aws_lc_rs::hmac;
use proptest::prelude::*;

use super::*;

async fn check(house: &House, token: &str, reason: &str) {
    let refusal = house.identity.caller(token).await.unwrap_err();
    assert!(refusal.to_string().contains(reason), "{reason}: {refusal}");
}

fn header(text: &str) -> String {
    minted(text, &access().to_string(), ec_signature)
}

#[tokio::test]
async fn each_of_the_three_algorithms_is_accepted() {
    let house = House::new();
    let payload = access().to_string();
    let rs = minted(r#"{"alg":"RS256","kid":"rsa","x5t":"rsa","typ":"JWT"}"#, &payload, |text| {
        rsa_signature(&RSA, &RSA_PKCS1_SHA256, text)
    });
    let ps =
        minted(r#"{"alg":"PS256","kid":"rsa"}"#, &payload, |text| rsa_signature(&RSA, &RSA_PSS_SHA256, text));
    let es = header(r#"{"alg":"ES256","kid":"ec","typ":"at+jwt"}"#);
    for token in [rs, ps, es] {
        assert_eq!(house.identity.caller(&token).await.unwrap().principal, ann());
    }
}

#[tokio::test]
async fn no_other_algorithm_is_even_looked_at() {
    let house = House::new();
    let payload = access().to_string();
    let modulus = RSA.public_key().modulus().big_endian_without_leading_zero().to_vec();
    for secret in [modulus, RSA.public_key().as_ref().to_vec(), b"rsa".to_vec()] {
        let token = minted(r#"{"alg":"HS256","kid":"rsa"}"#, &payload, |text| {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), text.as_bytes()).as_ref().to_vec()
        });
        check(&house, &token, "not signed with RS256").await;
    }
    for name in
        ["none", "None", "NONE", "HS256", "RS384", "RS512", "ES384", "EdDSA", "rs256", "ES256K", "RSA1_5"]
    {
        check(&house, &header(&json!({"alg": name, "kid": "ec"}).to_string()), "not signed with RS256").await;
    }
    let unsigned = format!("{}.{}.", b64(r#"{"alg":"none","kid":"ec"}"#), b64(&payload));
    check(&house, &unsigned, "not three parts").await;
}

#[tokio::test]
async fn the_algorithm_must_be_the_keys() {
    let house = House::new();
    let payload = access().to_string();
    let by_rsa = |head: &str, padding: &'static dyn RsaEncoding| {
        minted(head, &payload, |text| rsa_signature(&RSA, padding, text))
    };
    check(&house, &header(r#"{"alg":"ES256","kid":"rsa"}"#), "its key is not for").await;
    check(&house, &by_rsa(r#"{"alg":"RS256","kid":"ec"}"#, &RSA_PKCS1_SHA256), "its key is not for").await;
    check(&house, &by_rsa(r#"{"alg":"PS256","kid":"rsa"}"#, &RSA_PKCS1_SHA256), "does not fit").await;
    check(&house, &by_rsa(r#"{"alg":"RS256","kid":"rsa"}"#, &RSA_PSS_SHA256), "does not fit").await;
    let other = minted(r#"{"alg":"RS256","kid":"rsa"}"#, &payload, |text| {
        rsa_signature(&OTHER_RSA, &RSA_PKCS1_SHA256, text)
    });
    check(&house, &other, "does not fit").await;

    // A key that names its algorithm is for no other.
    let house = House::new();
    house.publish(&[changed(rsa_key("rsa", &RSA), &json!({"alg": "RS256"}))]);
    assert!(
        house.identity.caller(&by_rsa(r#"{"alg":"RS256","kid":"rsa"}"#, &RSA_PKCS1_SHA256)).await.is_ok()
    );
    check(&house, &by_rsa(r#"{"alg":"PS256","kid":"rsa"}"#, &RSA_PSS_SHA256), "its key is not for").await;
}

#[tokio::test]
async fn a_header_that_brings_keys_or_changes_the_rules_is_refused() {
    let house = House::new();
    let good = json!({"typ": "JWT", "alg": "ES256", "kid": "ec", "x5t": "a thumbprint is only a name"});
    assert!(house.identity.caller(&header(&good.to_string())).await.is_ok());
    for (name, value) in [
        ("jwk", ec_key("ec")),
        ("jku", json!("https://evil.example/keys")),
        ("x5u", json!("https://evil.example/cert")),
        ("x5c", json!(["MIIC"])),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("enc", json!("A256GCM")),
        ("cty", json!("JWT")),
        ("jku", json!(null)),
    ] {
        let mut head = good.clone();
        head[name] = value;
        check(&house, &header(&head.to_string()), &format!("`{name}` in its header")).await;
    }
    for (changes, reason) in [
        (json!({"typ": "JWE"}), "another type"),
        (json!({"typ": "jwt"}), "another type"),
        (json!({"typ": ["JWT"]}), "`typ`"),
        (json!({"alg": null}), "no `alg`"),
        (json!({"alg": ["ES256"]}), "`alg`"),
        (json!({"kid": null}), "no `kid`"),
        (json!({"kid": ""}), "`kid`"),
        (json!({"kid": 1}), "`kid`"),
        (json!({"kid": "k".repeat(129)}), "at most 128 bytes"),
        (json!({"kid": "k".repeat(128)}), "does not publish"),
        (json!({"kid": "EC"}), "does not publish"),
        (json!({"kid": "../../etc/passwd"}), "does not publish"),
        (json!({"kid": "ec' OR '1'='1"}), "does not publish"),
        (json!({"kid": "ec\u{0}"}), "does not publish"),
    ] {
        check(&house, &header(&changed(good.clone(), &changes).to_string()), reason).await;
    }
    check(&house, &header(r#"{"alg":"ES256","kid":null}"#), "null for `kid`").await;
    check(&house, &header(r#"{"alg":"ES256","alg":"ES256","kid":"ec"}"#), "not three parts").await;
    check(&house, &header(r#"[{"alg":"ES256","kid":"ec"}]"#), "not three parts").await;
    check(&house, &header(r#"{"alg":"ES256","kid":"ec"} "x""#), "not three parts").await;
}

#[tokio::test]
async fn only_the_compact_form_is_read_and_only_in_strict_base64url() {
    let house = House::new();
    let good = signed(&access());
    let parts: Vec<_> = good.split('.').collect();
    let (head, body, seal) = (parts[0], parts[1], parts[2]);
    for token in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        format!("{head}.{body}"),
        format!("{head}.{body}."),
        format!(".{body}.{seal}"),
        format!("{head}..{seal}"),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}.{seal}"),
        format!("{head}.{body}.{seal}.{seal}.{seal}"),
        format!("{head}=.{body}.{seal}"),
        format!("{good}="),
        format!("{good}=="),
        format!(" {good}"),
        format!("{good}\n"),
        format!("Bearer {good}"),
        format!("{head}.{body}.{}", seal.replace(['-', '_'], "+")) + "+/",
        format!("{head}.\n{body}.{seal}"),
        json!({"protected": head, "payload": body, "signature": seal}).to_string(),
        json!({"payload": body, "signatures": [{"protected": head, "signature": seal}]}).to_string(),
    ] {
        assert!(house.identity.caller(&token).await.is_err(), "{token}");
    }
    // 64 bytes leave four loose bits in the last character; others than zero spell the same bytes.
    let last = seal.chars().last().unwrap();
    let loose = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        .chars()
        .find(|c| *c > last && c.is_ascii_alphabetic())
        .unwrap();
    check(&house, &format!("{}{loose}", &good[..good.len() - 1]), "not three parts").await;
}

#[tokio::test]
async fn what_is_too_large_is_not_looked_at() {
    let house = House::new();
    let room = |length: usize| signed(&changed(access(), &json!({"padding": "a".repeat(length)})));
    assert!(house.identity.caller(&room(11_000)).await.is_ok());
    check(&house, &room(12_000), "larger than 16 KiB").await;
    assert_eq!(house.reads(), 1);
}

#[tokio::test]
async fn a_payload_that_is_no_plain_object_is_refused() {
    let house = House::new();
    for payload in
        ["[]", "null", "1", "\"x\"", "{", "{}x", "\u{feff}{}", "{\"a\":NaN}", "{\"a\":{\"b\":1,\"b\":2}}"]
    {
        check(&house, &signed_text(payload), "no JSON object").await;
    }
    let deep = format!("{}1{}", "{\"a\":".repeat(500), "}".repeat(500));
    check(&house, &signed_text(&deep), "no JSON object").await;
    // Bytes that are no text.
    let mut bytes = access().to_string().into_bytes();
    bytes[2] = 0xff;
    let text = format!("{}.{}", b64(r#"{"alg":"ES256","kid":"ec"}"#), b64(&bytes));
    check(&house, &format!("{text}.{}", b64(ec_signature(&text))), "no JSON object").await;
}

#[tokio::test]
async fn no_refusal_and_no_debug_output_holds_anything_of_the_token() {
    let house = House::new();
    let canary = "canary-7f3a";
    for name in ["iss", "aud", "tid", "oid", "azp", "scp", "ver", "idtyp", "exp"] {
        let token = signed(&changed(access(), &json!({ name: canary })));
        let refusal = house.identity.caller(&token).await.unwrap_err();
        assert!(!format!("{refusal} {refusal:?}").contains(canary), "`{name}`: {refusal}");
    }
    let refusal = house.identity.caller(&header(r#"{"alg":"ES256","kid":"canary-7f3a"}"#)).await.unwrap_err();
    assert!(!refusal.to_string().contains(canary));
}

proptest! {
    #![proptest_config(ProptestConfig {
        // More by PROPTEST_CASES.
        cases: ProptestConfig::default().cases.max(2000),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_token_with_one_byte_changed_never_counts(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0u8..3, 0x20u8..0x7f), 1..4),
    ) {
        static RUNTIME: LazyLock<(tokio::runtime::Runtime, House, String)> = LazyLock::new(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            (runtime, House::new(), signed(&access()))
        });
        let (runtime, house, good) = &*RUNTIME;
        let mut bytes = good.clone().into_bytes();
        for (place, what, byte) in edits {
            let place = place.index(bytes.len());
            match what {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte),
                _ => drop(bytes.remove(place)),
            }
        }
        let token = String::from_utf8(bytes).unwrap();
        let result = runtime.block_on(house.identity.caller(&token));
        prop_assert_eq!(result.is_ok(), token == *good);
    }
}
