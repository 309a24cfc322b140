use elevate_sandbox::{Strength, browser, people};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::JwkSet};
use serde_json::{Value, json};

use crate::setting::{REDIRECT, Setting, VERIFIER, answer, claims};

const ANN: [(&str, &str); 2] = [("login_hint", "ann"), ("sandbox_strength", "mfa")];

#[tokio::test]
async fn discovery_leads_to_every_other_address() {
    let setting = Setting::start().await;
    let (status, document) =
        answer(setting.client.get(setting.login("v2.0/.well-known/openid-configuration"))).await;
    assert_eq!(status, 200);
    assert_eq!(document["issuer"], setting.tenant.issuer());
    for (name, path) in [
        ("authorization_endpoint", "oauth2/v2.0/authorize"),
        ("token_endpoint", "oauth2/v2.0/token"),
        ("jwks_uri", "discovery/v2.0/keys"),
    ] {
        assert_eq!(document[name], setting.login(path), "{name}");
    }
    let elsewhere =
        setting.url("/7f0e0000-0000-0000-0000-000000000000/v2.0/.well-known/openid-configuration");
    let (status, error) = answer(setting.client.get(elsewhere)).await;
    assert_eq!((status, &error["error_codes"]), (400, &json!([90002])));
}

#[tokio::test]
async fn a_sign_in_with_pkce_yields_tokens_that_verify() {
    let setting = Setting::start().await;
    let landing = setting.authorize(&ANN).await;
    assert!(landing.0.as_str().starts_with("http://localhost:51234/?"), "{}", landing.0);
    assert_eq!(landing.get("state"), "the-state");
    let (status, tokens) = setting.redeem(&landing.get("code"), VERIFIER).await;
    assert_eq!(status, 200, "{tokens}");

    let access = verified(&setting, &tokens["access_token"], people::BROKER.client_id).await;
    let id = verified(&setting, &tokens["id_token"], people::CLI.client_id).await;
    for claims in [&access, &id] {
        assert_eq!(claims["oid"], people::ANN.id);
        assert_eq!(claims["tid"], setting.tenant.id());
        assert_eq!(claims["ver"], "2.0");
        assert_eq!(claims["amr"], json!(["pwd", "rsa", "ngcmfa", "mfa"]));
        assert_eq!(claims["auth_time"], setting.now().as_second());
        assert!(claims["uti"].as_str().is_some_and(|uti| uti.len() == 22));
        assert_eq!(claims["preferred_username"], "ann@sandbox.example");
        assert_eq!(claims["groups"], json!([people::STAFF.id]));
    }
    assert_ne!(access["sub"], id["sub"], "`sub` is pairwise");
    assert_eq!(id["nonce"], "the-nonce");
    assert_eq!(access["scp"], "access_as_user");
    assert_eq!((&access["azp"], &access["azpacr"]), (&json!(people::CLI.client_id), &json!("0")));
    assert!(access.get("roles").is_none() && access.get("nonce").is_none() && access.get("idtyp").is_none());
    let life = access["exp"].as_i64().unwrap() - setting.now().as_second();
    assert!((3600..=5400).contains(&life), "{life}");
    assert_eq!(tokens["expires_in"], life);
}

#[tokio::test]
async fn a_code_is_good_once_for_its_own_verifier_and_redirect() {
    let setting = Setting::start().await;
    let code = async || setting.authorize(&ANN).await.get("code");

    let (status, error) = setting.redeem(&code().await, "another-verifier").await;
    assert_eq!(
        (status, &error["error"], &error["error_codes"][0]),
        (400, &json!("invalid_grant"), &json!(501_481))
    );
    assert!(error["error_description"].as_str().unwrap().starts_with("AADSTS501481: The Code_Verifier"));
    for field in ["timestamp", "trace_id", "correlation_id"] {
        assert!(error[field].is_string(), "{field}");
    }

    let spent = code().await;
    assert_eq!(setting.redeem(&spent, VERIFIER).await.0, 200);
    assert_eq!(setting.redeem(&spent, VERIFIER).await.1["error_codes"], json!([54005]));

    let late = code().await;
    setting.pass(600);
    assert_eq!(setting.redeem(&late, VERIFIER).await.1["error_codes"], json!([70008]));

    let code = code().await;
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", people::CLI.client_id),
        ("code", &code),
        ("redirect_uri", "http://localhost:9"),
        ("code_verifier", VERIFIER),
    ];
    assert_eq!(setting.token(&form).await.1["error_codes"], json!([500_112]));
}

#[tokio::test]
async fn what_may_not_be_redirected_stays_on_the_page() {
    let setting = Setting::start().await;
    for (name, value, number) in [
        ("client_id", "00000000-0000-0000-0000-000000000000", "AADSTS700016"),
        ("redirect_uri", "https://localhost:1", "AADSTS50011"),
        ("redirect_uri", "http://[::1]:1", "AADSTS50011"),
        ("redirect_uri", "http://localhost:1/callback", "AADSTS50011"),
        ("redirect_uri", "http://localhost.example/", "AADSTS50011"),
        ("redirect_uri", "http://127.0.0.1@evil.example/", "AADSTS50011"),
    ] {
        let url = setting.authorize_url(&[ANN[0], ANN[1], (name, value)]);
        let response = setting.client.get(url).send().await.unwrap();
        assert_eq!(response.status(), 400, "{value}");
        let page = response.text().await.unwrap();
        assert!(page.contains(number), "{value}: {page}");
    }
    setting.authorize(&[ANN[0], ANN[1], ("redirect_uri", "http://127.0.0.1:7/")]).await;
}

#[tokio::test]
async fn what_is_wrong_with_the_request_goes_back_to_the_client() {
    let setting = Setting::start().await;
    let other =
        format!("api://{}/access_as_user https://graph.microsoft.com/.default", people::BROKER.client_id);
    for (name, value, error) in [
        ("response_type", "token", "unsupported_response_type"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge", "", "invalid_request"),
        ("scope", "https://vault.azure.net/.default", "invalid_resource"),
        ("scope", &other, "invalid_request"),
        ("claims", "c1", "invalid_request"),
        ("prompt", "nonsense", "invalid_request"),
        ("sandbox_strength", "strong", "invalid_request"),
    ] {
        let landing = setting.authorize(&[ANN[0], ANN[1], (name, value)]).await;
        assert_eq!(landing.get("error"), error, "{name}={value}");
        assert_eq!(landing.get("state"), "the-state");
        assert!(landing.get("error_description").starts_with("AADSTS"));
    }
    let landing = setting.authorize(&[("prompt", "none")]).await;
    assert_eq!(landing.get("error"), "login_required");
}

#[tokio::test]
async fn the_page_lets_a_person_choose() {
    let setting = Setting::start().await;
    let hostile = [("state", "\"><script>"), ("nonce", "<b>"), ("login_hint", "bob")];
    let page = setting.client.get(setting.authorize_url(&hostile)).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let page = page.text().await.unwrap();
    for text in ["Elevate command line", "access_as_user", "&lt;b&gt;", "FIDO2 passkey", REDIRECT] {
        assert!(page.contains(text), "{text}");
    }
    assert!(!page.contains("<script>") && !page.contains("<b>"));
    assert!(page.contains(&format!(r#"value="{}" checked"#, people::BOB.id)), "the hint is taken");

    let url = setting.authorize_url(&[]);
    let query = url.split_once('?').unwrap().1;
    let chosen = |action| {
        let form = [
            ("request", query),
            ("person", people::CAROL.id),
            ("strength", "fido"),
            ("session_age", "3600"),
            ("action", action),
        ];
        setting.client.post(setting.login("oauth2/v2.0/authorize")).form(&form).send()
    };
    let answer = chosen("sign-in").await.unwrap();
    assert_eq!(answer.status(), 302);
    let landing: url::Url = answer.headers()["location"].to_str().unwrap().parse().unwrap();
    let code = landing.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let (_, tokens) = setting.redeem(&code, VERIFIER).await;
    let id = claims(&tokens["id_token"]);
    assert_eq!((&id["oid"], &id["amr"]), (&json!(people::CAROL.id), &json!(["fido", "mfa"])));
    assert_eq!(id["auth_time"], setting.now().as_second() - 3600);

    let answer = chosen("cancel").await.unwrap();
    assert!(answer.headers()["location"].to_str().unwrap().contains("error=access_denied"));
}

#[tokio::test]
async fn an_older_session_shows_unless_the_client_wants_a_fresh_one() {
    let setting = Setting::start().await;
    let now = setting.now().as_second();
    let age = ("sandbox_auth_age", "1000");
    for (more, expected) in [
        (vec![age], now - 1000),
        (vec![age, ("max_age", "2000")], now - 1000),
        (vec![age, ("max_age", "999")], now),
        (vec![age, ("prompt", "login")], now),
    ] {
        let tokens = setting.tokens(&[&ANN[..], &more].concat()).await;
        assert_eq!(claims(&tokens["id_token"])["auth_time"], expected, "{more:?}");
    }
}

#[tokio::test]
async fn each_way_of_signing_in_has_its_amr() {
    let setting = Setting::start().await;
    for (strength, amr) in [
        ("pwd", json!(["pwd"])),
        ("sms", json!(["pwd", "sms", "mfa"])),
        ("mfa", json!(["pwd", "rsa", "ngcmfa", "mfa"])),
        ("fido", json!(["fido", "mfa"])),
    ] {
        let tokens = setting.tokens(&[ANN[0], ("sandbox_strength", strength)]).await;
        assert_eq!(claims(&tokens["id_token"])["amr"], amr);
    }
}

#[tokio::test]
async fn contexts_are_granted_as_entra_grants_them() {
    let setting = Setting::start().await;
    let asked = async |context: &str, strength| {
        let wish = json!({
            "id_token": { "acrs": { "essential": true, "value": context } },
            "access_token": { "acrs": { "values": [context] }, "xms_cc": { "values": ["cp1"] } },
        });
        let tokens =
            setting.tokens(&[ANN[0], ("sandbox_strength", strength), ("claims", &wish.to_string())]).await;
        let (id, access) = (claims(&tokens["id_token"]), claims(&tokens["access_token"]));
        assert_eq!(access["xms_cc"], json!(["cp1"]));
        assert_eq!(id.get("acrs"), access.get("acrs"));
        id.get("acrs").is_some()
    };
    assert!(!asked("c1", "pwd").await, "its policy demands MFA");
    assert!(asked("c1", "mfa").await);
    assert!(asked("c1", "sms").await, "a text message is MFA to Entra");
    assert!(asked("c9", "pwd").await, "no policy guards it, so it is issued all the same");
    setting.tenant.change_behaviour(|behaviour| behaviour.unguarded_acrs = false);
    assert!(!asked("c9", "pwd").await);
    let tokens = setting.tokens(&ANN).await;
    assert!(claims(&tokens["id_token"]).get("acrs").is_none(), "nobody asked");
}

#[tokio::test]
async fn claims_that_nobody_opted_into_are_not_there() {
    let setting = Setting::start().await;
    setting.tenant.change_behaviour(|behaviour| behaviour.claims.id_token.clear());
    let wish = json!({ "id_token": { "acrs": { "value": "c1" } } }).to_string();
    let tokens = setting.tokens(&[ANN[0], ANN[1], ("claims", &wish)]).await;
    let (id, access) = (claims(&tokens["id_token"]), claims(&tokens["access_token"]));
    for claim in ["amr", "acrs", "auth_time", "groups"] {
        assert!(id.get(claim).is_none(), "{claim}");
    }
    assert!(access.get("amr").is_some() && access.get("auth_time").is_some());
}

#[tokio::test]
async fn app_roles_are_in_the_tokens_of_those_who_hold_them() {
    let setting = Setting::start().await;
    let tokens = setting.tokens(&[("login_hint", "eve@sandbox.example"), ANN[1]]).await;
    let roles = json!(["Elevate.PolicyAdmin", "Elevate.Auditor", "Elevate.Revoker"]);
    assert_eq!(claims(&tokens["access_token"])["roles"], roles);
}

#[tokio::test]
async fn more_than_two_hundred_groups_are_only_hinted_at() {
    let setting = Setting::start().await;
    let directory = setting.tenant.directory();
    for number in 0..200 {
        let group = directory.add_group(&format!("Group {number}"), false);
        directory.add_member(&group, people::ANN.id).unwrap();
    }
    let id = claims(&setting.tokens(&ANN).await["id_token"]);
    assert!(id.get("groups").is_none());
    assert_eq!(id["_claim_names"]["groups"], "src1");
    assert!(id["_claim_sources"]["src1"]["endpoint"].is_string());
}

#[tokio::test]
async fn a_refresh_is_no_sign_in_and_ends_with_the_sessions() {
    let setting = Setting::start().await;
    let first = setting.tokens(&ANN).await;
    setting.pass(1000);
    let refresh = async |token: &Value| {
        setting
            .token(&[
                ("grant_type", "refresh_token"),
                ("client_id", people::CLI.client_id),
                ("refresh_token", token.as_str().unwrap()),
            ])
            .await
    };
    let (status, second) = refresh(&first["refresh_token"]).await;
    assert_eq!(status, 200, "{second}");
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    let (before, after) = (claims(&first["id_token"]), claims(&second["id_token"]));
    assert_eq!(after["auth_time"], before["auth_time"]);
    assert_ne!(after["uti"], before["uti"]);
    assert!(after.get("nonce").is_none());

    setting.pass(1);
    let sign_out = format!("/users/{}/revokeSignInSessions", people::ANN.id);
    assert_eq!(setting.post(&sign_out, json!({})).await.0, 200);
    assert_eq!(refresh(&second["refresh_token"]).await.1["error_codes"], json!([50173]));
    assert_eq!(refresh(&json!("made-up")).await.1["error"], "invalid_grant");
}

#[tokio::test]
async fn a_disabled_person_gets_neither_in_nor_on() {
    let setting = Setting::start().await;
    let tokens = setting.tokens(&ANN).await;
    setting.tenant.directory().disable("ann").unwrap();
    let page = setting.client.get(setting.authorize_url(&ANN)).send().await.unwrap();
    assert_eq!(page.status(), 400);
    assert!(page.text().await.unwrap().contains("AADSTS50057"));
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", people::CLI.client_id),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    assert_eq!(setting.token(&form).await.1["error_codes"], json!([50057]));
}

#[tokio::test]
async fn keys_rotate_and_are_withdrawn() {
    let setting = Setting::start().await;
    let old = setting.tokens(&ANN).await;
    let old_kid = setting.tenant.tokens().key().kid().to_owned();
    let new_kid = setting.tenant.rotate_keys().unwrap();
    let new = setting.tokens(&ANN).await;
    assert_ne!(old_kid, new_kid);
    for tokens in [&old, &new] {
        verified(&setting, &tokens["access_token"], people::BROKER.client_id).await;
    }
    assert!(setting.tenant.withdraw_key(&old_kid));
    let (_, keys) = answer(setting.client.get(setting.login("discovery/v2.0/keys"))).await;
    assert_eq!(keys["keys"].as_array().unwrap().len(), 1);
    assert_eq!(keys["keys"][0]["kid"], new_kid);
    assert_eq!(keys["keys"][0]["issuer"], setting.tenant.issuer());
}

#[tokio::test]
async fn the_scripted_browser_signs_in_and_brings_the_code_back() {
    let setting = Setting::start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let redirect = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let url = setting.authorize_url(&[("redirect_uri", &redirect)]);
    let heard = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let length = stream.read(&mut request).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    let ca = setting.tenant.ca_file();
    let landing = browser::sign_in(&url, "bob", Strength::Fido, ca).await.unwrap();
    assert!(landing.as_str().starts_with(&redirect));
    assert!(heard.await.unwrap().starts_with("GET /?code="));

    let pasted = browser::redirect(&setting.authorize_url(&[]), "bob", Strength::Pwd, ca).await.unwrap();
    assert!(pasted.query_pairs().any(|(name, value)| name == "state" && value == "the-state"));
    let nobody = browser::redirect(&url, "mallory", Strength::Pwd, ca).await.unwrap_err();
    assert!(nobody.to_string().contains("mallory"), "{nobody}");
    setting.tenant.directory().disable("bob").unwrap();
    let disabled = browser::redirect(&url, "bob", Strength::Pwd, ca).await.unwrap_err();
    assert!(disabled.to_string().contains("AADSTS50057"), "{disabled}");
}

/// The claims of a token, if a published key signed it for this audience.
async fn verified(setting: &Setting, token: &Value, audience: &str) -> Value {
    let token = token.as_str().unwrap();
    let keys: JwkSet =
        setting.client.get(setting.login("discovery/v2.0/keys")).send().await.unwrap().json().await.unwrap();
    let header = jsonwebtoken::decode_header(token).unwrap();
    let key = keys.find(header.kid.as_deref().unwrap()).expect("the key is published");
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_audience(&[audience]);
    validation.set_issuer(&[setting.tenant.issuer()]);
    // The time of the test is not the machine's.
    validation.validate_exp = false;
    jsonwebtoken::decode::<Value>(token, &DecodingKey::from_jwk(key).unwrap(), &validation).unwrap().claims
}
