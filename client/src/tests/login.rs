//! Sessions: how they begin, where they are kept, how they are renewed, how they end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use elevate_proto::v1;
use expect_test::expect;

use super::bench::{Bench, Buffer, Drawer, NOW, ann};
use super::tenant::{Manner, Pasting};
use crate::exit::Exit;

fn caller(bench: &Bench) {
    bench.broker.says("get_caller", &v1::Caller { principal: Some(ann()), ..v1::Caller::default() });
}

#[tokio::test]
async fn login_asks_by_code_with_pkce_state_and_nonce() {
    let bench = Bench::new().await;
    let ran = bench.elevate(&["login", "--output", "json"]).await;
    assert_eq!(ran.exit, Exit::Ok, "{ran:?}");
    let visited = bench.tenant.visited.lock().unwrap().clone();
    let asked: &HashMap<String, String> = &visited[0];
    for (name, value) in [
        ("response_type", "code"),
        ("response_mode", "query"),
        ("client_id", "client-1"),
        ("scope", "api://elevate/use openid profile offline_access"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(asked[name], value);
    }
    for name in ["state", "nonce", "code_challenge"] {
        assert_eq!(asked[name].len(), 43, "256 bits of {name}");
    }
    assert!(asked["redirect_uri"].starts_with("http://localhost:") && !asked["redirect_uri"].ends_with('/'));
    assert!(!asked.contains_key("prompt"), "a session is not a step-up");
    let form = bench.tenant.forms.lock().unwrap()[0].clone();
    assert!(form["code_verifier"].len() == 43 && !form.contains_key("client_secret"));
    expect![[r#"
        {
          "access_token_expires_at": "2026-11-20T16:00:00Z",
          "broker": "broker:8443",
          "issuer": "https://tenant/v2.0",
          "kept_in": "file",
          "name": "Ann\u001b[31m",
          "object_id": "071cc716-8147-4397-a5ba-b2105951cc0b",
          "username": "ann@example.com",
          "workload": false
        }
    "#]]
    .assert_eq(&ran.out);
}

#[tokio::test]
async fn login_remembers_the_broker_and_keeps_the_session_in_a_private_file() {
    let mut bench = Bench::new().await;
    let ran = bench.elevate(&["login", "--no-browser"]).await;
    assert_eq!(ran.exit, Exit::SignIn, "the input is empty: {ran:?}");
    let ran = bench.elevate(&["login"]).await;
    let port = bench.tenant.visited.lock().unwrap()[0]["redirect_uri"].clone();
    assert!(ran.err.contains("https://tenant/v2.0/authorize?"), "always printed, for {port}");
    let err: String =
        ran.err.lines().filter(|line| !line.contains("authorize?")).collect::<Vec<_>>().join("\n");
    expect![[r#"
        To sign in, your browser opens this address:


        no keyring answers here; the session is kept in FOLDER/config/session-broker_8443.json, readable only by you
        remembered the broker in FOLDER/config/config.toml"#]].assert_eq(&err);
    expect![[r#"
        Signed in to broker:8443 as Ann[31m (ann@example.com)
    "#]]
    .assert_eq(&ran.out);
    let folder = bench.folder.path().join("config");
    let file = folder.join(format!("session-localhost_{}.json", bench.port));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    }
    // From now on nothing has to be said.
    bench.env.remove("ELEVATE_BROKER");
    bench.env.remove("ELEVATE_CA");
    caller(&bench);
    assert_eq!(bench.elevate(&["whoami"]).await.exit, Exit::Ok);
    assert_eq!(bench.broker.carried("get_caller").0.as_deref(), Some("Bearer first-token"));

    let out = bench.elevate(&["logout"]).await;
    expect![[r#"
        out: Signed out of broker:8443: the session is deleted here
        err: What remains: roles that you hold, until they end (`elevate deactivate` gives them back), and requests that wait (`elevate withdraw`).
        err: Your browser stays signed in to the tenant until you sign out there.
        exit: 0
    "#]].assert_eq(&out.all());
    assert!(!file.exists());
    expect![[r#"
        err: error: you are not signed in to broker:8443
        err:   run `elevate login`
        exit: 3
    "#]]
    .assert_eq(&bench.elevate(&["whoami"]).await.all());
}

#[tokio::test]
async fn a_session_in_the_keyring_is_in_pieces_that_every_system_takes() {
    let mut bench = Bench::new().await;
    let drawer = Arc::new(Drawer::default());
    bench.keyring = Arc::clone(&drawer) as Arc<dyn crate::Keyring>;
    let ran = bench.elevate(&["login"]).await;
    assert!(ran.exit == Exit::Ok && !ran.err.contains("readable only by you"), "{ran:?}");
    caller(&bench);
    assert_eq!(bench.elevate(&["whoami"]).await.exit, Exit::Ok);
    assert!(!drawer.0.lock().unwrap().is_empty());
    assert_eq!(bench.elevate(&["logout"]).await.exit, Exit::Ok);
    assert!(drawer.0.lock().unwrap().is_empty());
    bench.env.insert("ELEVATE_TOKEN_STORE".to_owned(), "file".to_owned());
    bench.elevate(&["login"]).await;
    assert!(drawer.0.lock().unwrap().is_empty(), "the file was asked for");
}

#[tokio::test]
async fn a_keyring_that_was_asked_for_and_is_not_there_is_an_error() {
    let mut bench = Bench::new().await;
    bench.env.insert("ELEVATE_TOKEN_STORE".to_owned(), "keyring".to_owned());
    let ran = bench.elevate(&["login"]).await;
    assert!(
        ran.exit == Exit::Unexpected && ran.err.contains("the keyring does not take the session"),
        "{ran:?}"
    );
}

#[tokio::test]
async fn the_address_can_be_pasted_back() {
    for (terminal, wrong_first) in [(false, false), (true, true)] {
        let mut bench = Bench::new().await;
        if terminal {
            bench = bench.at_a_terminal();
        }
        let screen = Buffer::default();
        let pasting = Pasting {
            tenant: Arc::clone(&bench.tenant),
            screen: screen.clone(),
            wrong_first,
            line: Vec::new(),
        };
        let ran = bench.with_input(&["login", "--no-browser"], Arc::new(Mutex::new(pasting)), screen).await;
        assert_eq!(ran.exit, Exit::Ok, "{ran:?}");
        assert_eq!(ran.err.contains("Paste that address here"), terminal);
        assert_eq!(ran.err.contains("That is not the address of this sign-in"), wrong_first);
    }
}

#[tokio::test]
async fn without_browser_and_terminal_it_says_what_to_do() {
    let mut bench = Bench::new().await;
    bench.manner = Manner::NoBrowser;
    let ran = bench.elevate(&["login", "--output", "json"]).await;
    let last = ran.err.lines().last().unwrap();
    expect![[r#"{"error":{"advice":"run it in a terminal with `--no-browser` and sign in with a browser elsewhere; a program signs in with `elevate login --workload`, or brings its token in ELEVATE_ACCESS_TOKEN_FILE","code":"client","exit":3,"fields":[],"message":"no browser opens here (no desktop is running here), and nobody is at a terminal","reason":"NO_BROWSER","retry_after_seconds":null}}"#]].assert_eq(last);
    assert_eq!(ran.exit, Exit::SignIn);
}

#[tokio::test]
async fn strays_on_the_loopback_are_not_taken_for_the_answer() {
    let mut bench = Bench::new().await;
    bench.manner = Manner::AmongStrays;
    assert_eq!(bench.elevate(&["login"]).await.exit, Exit::Ok);
    assert_eq!(bench.tenant.forms.lock().unwrap()[0]["code"], "code-0");
}

#[tokio::test]
async fn a_sign_in_that_does_not_succeed_says_why() {
    let mut bench = Bench::new().await;
    bench.manner = Manner::Refuses;
    let ran = bench.elevate(&["login"]).await;
    assert!(ran.err.contains("the sign-in did not succeed: AADSTS65004: no"), "{ran:?}");
    assert_eq!(ran.exit, Exit::SignIn);

    bench.manner = Manner::SignsIn;
    *bench.tenant.nonce.lock().unwrap() = Some("another's");
    let ran = bench.elevate(&["login"]).await;
    assert!(ran.err.contains("the nonce differs") && ran.exit == Exit::SignIn, "{ran:?}");

    *bench.tenant.refuses.lock().unwrap() = Some("AADSTS70008: the code has expired");
    let ran = bench.elevate(&["login"]).await;
    assert!(ran.err.contains("AADSTS70008: the code has expired\n"), "{ran:?}");
}

#[tokio::test]
async fn a_session_is_renewed_and_says_when_it_cannot_be() {
    let mut bench = Bench::new().await;
    caller(&bench);
    assert_eq!(bench.elevate(&["login"]).await.exit, Exit::Ok);
    bench.now = NOW + 3600;
    assert_eq!(bench.elevate(&["whoami"]).await.exit, Exit::Ok);
    assert_eq!(bench.broker.carried("get_caller").0.as_deref(), Some("Bearer renewed-token"));
    let form = bench.tenant.forms.lock().unwrap().last().unwrap().clone();
    assert_eq!((form["grant_type"].as_str(), form["refresh_token"].as_str()), ("refresh_token", "refresh-1"));

    bench.now = NOW + 7200;
    *bench.tenant.refuses.lock().unwrap() = Some("AADSTS50173: the password was changed");
    expect![[r#"
        err: error: the session with broker:8443 is over: AADSTS50173: the password was changed
        err:   run `elevate login`
        exit: 3
    "#]]
    .assert_eq(&bench.elevate(&["whoami"]).await.all());
}

#[tokio::test]
async fn a_program_signs_in_by_its_own_credential() {
    let bench = Bench::new().await;
    let secret = bench.folder.path().join("secret");
    std::fs::write(&secret, "hunter2\n").unwrap();
    let by_secret =
        ["login", "--workload", "--client-id", "robot", "--secret-file", secret.to_str().unwrap()];
    let ran = bench.elevate(&by_secret).await;
    assert_eq!(ran.exit, Exit::Ok, "{ran:?}");
    let form = bench.tenant.forms.lock().unwrap().last().unwrap().clone();
    assert_eq!(form["client_secret"], "hunter2");
    assert_eq!(form["scope"], "api://elevate/.default");
    let kept = bench.folder.path().join("config").join(format!("session-localhost_{}.json", bench.port));
    assert!(!std::fs::read_to_string(kept).unwrap().contains("hunter2"), "the secret stays where it is");
}

#[tokio::test]
async fn a_program_signs_in_by_certificate() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let bench = Bench::new().await;
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let params = rcgen::CertificateParams::new(vec!["robot".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let path = |name: &str, text: String| {
        let path = bench.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (cert, key_path) = (path("robot.pem", certificate.pem()), path("robot.key", key.serialize_pem()));
    let args = [
        "login",
        "--workload",
        "--client-id",
        "robot",
        "--certificate",
        &cert,
        "--certificate-key",
        &key_path,
    ];
    let ran = bench.elevate(&args).await;
    assert_eq!(ran.exit, Exit::Ok, "{ran:?}");
    let form = bench.tenant.forms.lock().unwrap().last().unwrap().clone();
    let parts: Vec<&str> = form["client_assertion"].split('.').collect();
    let json = |part: &str| -> serde_json::Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    let thumbprint = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate.der());
    assert_eq!(json(parts[0])["alg"], "PS256");
    assert_eq!(json(parts[0])["x5t#S256"], URL_SAFE_NO_PAD.encode(thumbprint));
    assert_eq!(json(parts[1])["aud"], format!("{}/token", bench.tenant.issuer()));
    let public = aws_lc_rs::signature::UnparsedPublicKey::new(
        &aws_lc_rs::signature::RSA_PSS_2048_8192_SHA256,
        rcgen::PublicKeyData::der_bytes(&key),
    );
    let signed = format!("{}.{}", parts[0], parts[1]);
    public.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(parts[2]).unwrap()).unwrap();
}

#[tokio::test]
async fn doctor_tries_everything_and_says_what_to_do() {
    let bench = Bench::new().await;
    caller(&bench);
    expect![[r#"
        out: ok       configuration    broker broker:8443, trusting FOLDER/ca.pem; no FOLDER/config/config.toml
        out: ok       token store      the file FOLDER/config/session-broker_8443.json
        out: ok       connection       TLS 1.3; the broker's certificate is good until 4096-01-01 01:00 (in 755728 days)
        out: ok       broker           answers
        out: ok       sign-in service  https://tenant/v2.0
        out: ok       clock            agrees with the sign-in service's
        out: failed   session          you are not signed in to broker:8443
        out:                           run `elevate login`
        out: -        grants           not tried: nobody is signed in
        exit: 3
    "#]].assert_eq(&bench.elevate(&["doctor"]).await.all());
    bench.elevate(&["login"]).await;
    let ran = bench.elevate(&["doctor", "--output", "json"]).await;
    assert_eq!(ran.exit, Exit::Ok, "{ran:?}");
    let json = ran.json();
    let verdicts: Vec<_> = json["checks"].as_array().unwrap().iter().map(|c| &c["verdict"]).collect();
    assert!(verdicts.iter().all(|verdict| *verdict == "ok"), "{json}");
    expect![[r#"
        out: ok       configuration    broker localhost:1, trusting FOLDER/ca.pem; FOLDER/config/config.toml
        out: ok       token store      the file FOLDER/config/session-localhost_1.json
        out: failed   connection       cannot reach the broker at localhost:1: the connection was refused
        out:                           check the port, and whether the broker runs
        out: -        broker           not tried: the broker is not reached
        out: -        sign-in service  not tried: the broker is not reached
        out: -        clock            not tried: the broker is not reached
        out: -        session          not tried: the broker is not reached
        out: -        grants           not tried: the broker is not reached
        exit: 7
    "#]]
    .assert_eq(&bench.elevate(&["doctor", "--broker", "localhost:1"]).await.all());
}
