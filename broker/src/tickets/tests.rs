//! Against a ticket system on loopback that says what it is told to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use elevate_core::names::{ObjectId, Principal, RoleName, TenantId, Ticket};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Notify;
use uuid::Uuid;

use super::*;

/// What came, and what is said to it.
#[derive(Debug, Default)]
struct Desk {
    seen: Mutex<Vec<(Method, Uri, HeaderMap, Bytes)>>,
    status: Mutex<u16>,
    says: Mutex<Vec<u8>>,
    location: Mutex<Option<String>>,
    /// Nobody answers before this.
    holds: Mutex<Option<Arc<Notify>>>,
}

impl Desk {
    async fn open() -> (Arc<Self>, SocketAddr) {
        let desk = Arc::new(Self::default());
        desk.says(200, "{}");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = Arc::clone(&desk);
        let answer = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            let desk = Arc::clone(&served);
            async move { desk.answer(method, uri, headers, body).await }
        };
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
        (desk, address)
    }

    fn says(&self, status: u16, body: impl Into<Vec<u8>>) {
        (*self.status.lock().unwrap(), *self.says.lock().unwrap()) = (status, body.into());
    }

    async fn answer(&self, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
        self.seen.lock().unwrap().push((method, uri, headers, body));
        let held = self.holds.lock().unwrap().clone();
        if let Some(held) = held {
            held.notified().await;
        }
        let mut response = Response::builder().status(*self.status.lock().unwrap());
        if let Some(location) = self.location.lock().unwrap().clone() {
            response = response.header("location", location);
        }
        response.body(Body::from(self.says.lock().unwrap().clone())).unwrap()
    }

    fn seen(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

fn http() -> reqwest::Client {
    crate::tls::within_host().unwrap()
}

fn name() -> CheckName {
    "changes".parse().unwrap()
}

fn question_at(address: SocketAddr) -> System {
    System {
        name: name(),
        form: Form::Question(Address::of_a_test(&format!("http://{address}/check"))),
        deadline: Duration::from_secs(20),
        secret: None,
        ca: None,
    }
}

fn lookup_at(address: SocketAddr) -> System {
    let form = Form::Lookup {
        url: Address::of_a_test(&format!("http://{address}/api/change?number={{number}}")),
        number: "/result/0/number".to_owned(),
        state: "/result/0/state".to_owned(),
        accepted: vec!["Implement".to_owned(), "-1".to_owned()],
    };
    System { form, ..question_at(address) }
}

async fn ask(checks: &Checks, number: &str) -> Said {
    let (check, ticket) = (name(), Ticket::new(number, "ServiceNow").unwrap());
    let role: RoleName = "groups-admin".parse().unwrap();
    let requester = Principal {
        tenant: TenantId::from_uuid(Uuid::from_u128(1)),
        object: ObjectId::from_uuid(Uuid::from_u128(2)),
    };
    let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
    let question = Question {
        check: &check,
        ticket: &ticket,
        role: &role,
        place: "/",
        requester,
        starts_at: at(0),
        ends_at: at(3600),
    };
    checks.ask(&question).await
}

fn of(system: System) -> Checks {
    Checks::new([(system, Ok(http()))])
}

#[tokio::test]
async fn the_question_is_posted_whole_and_the_decision_counts() {
    let (desk, address) = Desk::open().await;
    let checks = of(question_at(address));
    desk.says(200, r#"{"decision":"allow","more":[1]}"#);
    assert_eq!(ask(&checks, "CHG1").await, Said::Confirmed);
    let (method, uri, headers, body) = desk.seen.lock().unwrap()[0].clone();
    assert_eq!((method.as_str(), uri.to_string().as_str()), ("POST", "/check"));
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(
        serde_json::from_slice::<Value>(&body).unwrap(),
        json!({
            "number": "CHG1",
            "system": "ServiceNow",
            "role": "groups-admin",
            "place": "/",
            "tenant": "00000000-0000-0000-0000-000000000001",
            "requester": "00000000-0000-0000-0000-000000000002",
            "start": "2027-01-15T08:00:00Z",
            "end": "2027-01-15T09:00:00Z",
            "test": false,
        })
    );
    desk.says(200, r#"{"decision":"deny","reason":"  not\u001b[31m approved\n yet "}"#);
    assert_eq!(ask(&checks, "CHG1").await, Said::Refused("not [31m approved  yet".to_owned()));
    desk.says(200, r#"{"decision":"deny"}"#);
    assert_eq!(ask(&checks, "CHG1").await, Said::Refused("it gave no reason".to_owned()));
    desk.says(200, format!(r#"{{"decision":"deny","reason":"{}"}}"#, "x".repeat(1000)));
    assert_eq!(ask(&checks, "CHG1").await, Said::Refused("x".repeat(200)));
}

#[tokio::test]
async fn what_is_no_decision_is_no_answer() {
    let (desk, address) = Desk::open().await;
    let checks = of(question_at(address));
    let yes = r#"{"decision":"allow"}"#;
    for (status, body) in [
        (200, "{}"),
        (200, ""),
        (200, r#"{"decision":"ALLOW"}"#),
        (200, r#"{"decision":true}"#),
        (200, r#"{"decision":"allow","reason":7}"#),
        (201, yes),
        (204, ""),
        (302, yes),
        (401, yes),
        (403, yes),
        (407, yes),
        (408, yes),
        (425, yes),
        (429, yes),
        (500, yes),
        (503, yes),
    ] {
        desk.says(status, body);
        let said = ask(&checks, "CHG1").await;
        assert!(matches!(said, Said::Unanswered(_)), "{status} {}: {said:?}", &body[..body.len().min(80)]);
    }
}

#[tokio::test]
async fn a_question_that_a_system_stumbles_over_is_a_no_and_no_silence() {
    let (desk, address) = Desk::open().await;
    let yes = r#"{"decision":"allow","result":[{"number":"CHG1","state":"Implement"}]}"#;
    let large = format!("{}{}", " ".repeat(BODY_MAX), yes);
    for checks in [of(question_at(address)), of(lookup_at(address))] {
        desk.says(200, yes);
        assert_eq!(ask(&checks, "CHG1").await, Said::Confirmed);
        for (status, body) in [(400, yes), (404, yes), (405, yes), (414, yes), (422, yes), (200, &large)] {
            desk.says(status, body);
            let said = ask(&checks, "CHG1").await;
            assert!(matches!(said, Said::Refused(_)), "{status} {}: {said:?}", body.len());
        }
    }
}

#[tokio::test]
async fn nobody_is_followed_elsewhere() {
    let (desk, address) = Desk::open().await;
    let (elsewhere, there) = Desk::open().await;
    elsewhere.says(200, r#"{"decision":"allow"}"#);
    *desk.location.lock().unwrap() = Some(format!("http://{there}/check"));
    for status in [301, 302, 303, 307, 308] {
        desk.says(status, "");
        assert_eq!(
            ask(&of(question_at(address)), "CHG1").await,
            Said::Unanswered(format!("it answered {status}"))
        );
    }
    assert_eq!(elsewhere.seen(), 0);
}

#[tokio::test]
async fn a_ticket_that_is_read_is_judged_by_its_state() {
    let (desk, address) = Desk::open().await;
    let checks = of(lookup_at(address));
    let refused = |why: &str| Said::Refused(why.to_owned());
    let none = || refused("it knows no such ticket, or no state of it");
    let shown = |state: &str| format!(r#"{{"result":[{{"number":"chg-0001.A_B","state":{state}}}]}}"#);
    for (status, body, said) in [
        (200, shown(r#""Implement""#).as_str(), Said::Confirmed),
        (200, &shown("-1"), Said::Confirmed),
        (200, &shown(r#""Draft""#), refused("the ticket is in the state `Draft`")),
        (200, &shown(r#""implement""#), refused("the ticket is in the state `implement`")),
        // Another answer than the one we know how to read is a no: silence might be let pass.
        (200, r#"{"result":[]}"#, none()),
        (200, &shown("null"), none()),
        (200, &shown(r#"["Implement"]"#), none()),
        (200, r#"{"result":[{"state":"Implement"}]}"#, none()),
        // The first of all tickets, by a system that did not understand which one was meant.
        (
            200,
            r#"{"result":[{"number":"CHG-7","state":"Implement"}]}"#,
            refused("it showed another ticket, `CHG-7`"),
        ),
        (404, "{}", refused("it knows no such ticket")),
        (200, "<html>", Said::Unanswered("its answer is no JSON".to_owned())),
        (401, "{}", Said::Unanswered("it does not let the broker ask".to_owned())),
        (500, "{}", Said::Unanswered("it answered 500".to_owned())),
    ] {
        desk.says(status, body);
        assert_eq!(ask(&checks, "CHG-0001.a_b").await, said, "{status} {body}");
    }
    let (method, uri, ..) = desk.seen.lock().unwrap()[0].clone();
    assert_eq!((method.as_str(), uri.to_string().as_str()), ("GET", "/api/change?number=CHG-0001.a_b"));
}

#[tokio::test]
async fn a_number_that_says_more_to_an_address_than_a_number_is_sent_nowhere() {
    let (desk, address) = Desk::open().await;
    let checks = of(lookup_at(address));
    desk.says(200, r#"{"result":[{"number":"-","state":"Implement"}]}"#);
    for number in [
        "CHG1^ORstate=Implement",
        "CHG1&x=y",
        "../admin",
        "..",
        "CHG 1",
        "CHG%31",
        "CHG1#",
        "CHG1?",
        "ÇHG1",
        "a/b",
        "-",
    ] {
        let said = ask(&checks, number).await;
        assert!(matches!(said, Said::Refused(_)), "{number}: {said:?}");
    }
    assert_eq!(desk.seen(), 0);
}

#[tokio::test]
async fn a_system_that_does_not_answer_is_not_waited_for() {
    let (desk, address) = Desk::open().await;
    *desk.holds.lock().unwrap() = Some(Arc::default());
    let checks = of(System { deadline: Duration::from_millis(100), ..question_at(address) });
    let Said::Unanswered(why) = ask(&checks, "CHG1").await else { panic!("it answered") };
    assert!(why.contains("did not answer"), "{why}");
    // Nobody is there at all.
    let nobody = of(question_at(SocketAddr::from(([127, 0, 0, 1], 1))));
    assert_eq!(ask(&nobody, "CHG1").await, Said::Unanswered("it cannot be reached".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_others_to_be_answered_is_not_let_pass_for_it() {
    let (desk, address) = Desk::open().await;
    let held = Arc::new(Notify::new());
    *desk.holds.lock().unwrap() = Some(Arc::clone(&held));
    desk.says(200, r#"{"decision":"allow"}"#);
    let checks = Arc::new(of(question_at(address)));
    let check = checks.0.get(&name()).unwrap();
    let all = check.places.acquire_many(u32::try_from(AT_ONCE).unwrap()).await.unwrap();
    let said = ask(&checks, "CHG1").await;
    assert_eq!((said, desk.seen()), (Said::NotAsked("too many ask it at this moment".to_owned()), 0));
    drop(all);
}

#[tokio::test]
async fn so_many_questions_are_under_way_and_no_more() {
    let (desk, address) = Desk::open().await;
    let held = Arc::new(Notify::new());
    *desk.holds.lock().unwrap() = Some(Arc::clone(&held));
    desk.says(200, r#"{"decision":"allow"}"#);
    let checks = Arc::new(of(question_at(address)));
    let asking: Vec<_> = (0..AT_ONCE + 4)
        .map(|_| {
            let checks = Arc::clone(&checks);
            tokio::spawn(async move { ask(&checks, "CHG1").await })
        })
        .collect();
    while desk.seen() < AT_ONCE {
        tokio::task::yield_now().await;
    }
    let check = checks.0.get(&name()).unwrap();
    assert_eq!((check.places.available_permits(), desk.seen()), (0, AT_ONCE));
    // As they are answered, the others come.
    *desk.holds.lock().unwrap() = None;
    held.notify_waiters();
    for asked in asking {
        assert_eq!(asked.await.unwrap(), Said::Confirmed);
    }
    assert_eq!((check.places.available_permits(), desk.seen()), (AT_ONCE, AT_ONCE + 4));
}

#[tokio::test]
async fn the_secret_is_shown_as_the_configuration_says_and_read_anew_at_every_use() {
    let (desk, address) = Desk::open().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    desk.says(200, r#"{"decision":"allow"}"#);
    for (shown, header, expected) in [
        ("bearer", "authorization", "Bearer user:word"),
        ("basic", "authorization", "Basic dXNlcjp3b3Jk"),
        ("header:X-Api-Key", "x-api-key", "user:word"),
    ] {
        std::fs::write(&file, "user:word\n").unwrap();
        let secret = Secret { file: file.clone(), shown: shown.parse().unwrap() };
        let system = System { secret: Some(secret), ..question_at(address) };
        let checks = of(system);
        assert_eq!(ask(&checks, "CHG1").await, Said::Confirmed);
        let sent = desk.seen.lock().unwrap().last().unwrap().2.clone();
        assert_eq!(sent[header], expected);
        assert!(!format!("{checks:?}").contains("word"));
        std::fs::write(&file, "another").unwrap();
        ask(&checks, "CHG1").await;
        let sent = desk.seen.lock().unwrap().last().unwrap().2.clone();
        assert_ne!(sent[header], expected);
        // Without its secret nothing is asked.
        let before = desk.seen();
        std::fs::remove_file(&file).unwrap();
        let said = ask(&checks, "CHG1").await;
        assert!(matches!(said, Said::NotAsked(_)), "{said:?}");
        assert_eq!(desk.seen(), before);
    }
    assert!("cookie".parse::<ShownAs>().is_err() && "header:a b".parse::<ShownAs>().is_err());
}

#[tokio::test]
async fn what_cannot_be_asked_is_not_silent_either() {
    let (_, address) = Desk::open().await;
    let checks = Checks::new([(question_at(address), Err("changes-ca.pem cannot be read".to_owned()))]);
    assert_eq!(ask(&checks, "CHG1").await, Said::NotAsked("the broker is not able to ask it".to_owned()));
    assert_eq!(try_out(&checks).await, Err("changes-ca.pem cannot be read".to_owned()));
    let nobody = Checks::default();
    assert!(matches!(ask(&nobody, "CHG1").await, Said::NotAsked(_)) && !nobody.knows(&name()));
}

async fn try_out(checks: &Checks) -> Result<(), String> {
    let (check, ticket, role) = (name(), Ticket::new("ELEVATE-DOCTOR", "").unwrap(), "r".parse().unwrap());
    let requester = Principal {
        tenant: TenantId::from_uuid(Uuid::from_u128(1)),
        object: ObjectId::from_uuid(Uuid::from_u128(2)),
    };
    let (starts_at, ends_at) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
    let question =
        Question { check: &check, ticket: &ticket, role: &role, place: "/", requester, starts_at, ends_at };
    checks.try_out(&question).await
}

#[tokio::test]
async fn a_ticket_that_the_broker_may_not_read_is_a_no() {
    let (desk, address) = Desk::open().await;
    desk.says(403, "");
    let said = ask(&of(lookup_at(address)), "CHG1").await;
    assert_eq!(said, Said::Refused("it does not show the broker that ticket".to_owned()));
}

#[tokio::test]
async fn who_tries_it_out_says_so_and_takes_any_decision() {
    let (desk, address) = Desk::open().await;
    let checks = of(question_at(address));
    desk.says(200, r#"{"decision":"deny"}"#);
    assert_eq!(try_out(&checks).await, Ok(()));
    let body = desk.seen.lock().unwrap()[0].3.clone();
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["test"], true);
    desk.says(403, "");
    assert_eq!(try_out(&checks).await, Err("it does not let the broker ask".to_owned()));
    desk.says(404, "");
    assert_eq!(try_out(&checks).await, Err("it answered 404".to_owned()));
}

#[tokio::test]
async fn a_system_that_confirms_a_ticket_that_nobody_has_is_found_out() {
    let (desk, address) = Desk::open().await;
    let checks = of(lookup_at(address));
    desk.says(404, "");
    assert_eq!(try_out(&checks).await, Ok(()));
    desk.says(200, r#"{"result":[{"number":"ELEVATE-DOCTOR","state":"Implement"}]}"#);
    let told = "it confirms `ELEVATE-DOCTOR`, a ticket that nobody has".to_owned();
    assert_eq!(try_out(&checks).await, Err(told));
}
