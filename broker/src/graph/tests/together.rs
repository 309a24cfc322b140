use std::collections::BTreeMap;

use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::super::address::Removable;
use super::super::budget::Priority;
use super::super::call::{Body, Call, Fault, Line, Wire};
use super::*;

/// Graph, answering only as often as it is let to.
#[derive(Debug)]
struct Gate {
    asked: watch::Sender<Vec<Value>>,
    open: Semaphore,
    /// What one call is answered, by the last part of its address: of each batch, and alone.
    says: fn(&str) -> Value,
    /// What a batch is answered as a whole, where it is not answered one by one.
    whole: Option<u16>,
}

#[async_trait]
impl Wire for Gate {
    async fn send(&self, question: reqwest::Request) -> Result<reqwest::Response, &'static str> {
        if question.url().path() == "/token" {
            let token = json!({ "token_type": "Bearer", "expires_in": 3600, "access_token": "token" });
            return Ok(response(200, &BTreeMap::new(), &token));
        }
        let body = question.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
        let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let path = question.url().path().to_owned();
        let seen = json!({ "method": question.method().as_str(), "path": path, "body": body });
        self.asked.send_modify(|asked| asked.push(seen));
        self.open.acquire().await.expect("it is never closed").forget();
        let said = |url: &str| (self.says)(url.rsplit('/').next().unwrap_or_default());
        if !path.ends_with("/$batch") {
            let said = said(&path);
            let headers = serde_json::from_value(said["headers"].clone()).unwrap_or_default();
            return Ok(response(status(&said), &headers, &said["body"]));
        }
        if let Some(status) = self.whole {
            return Ok(response(status, &BTreeMap::new(), &json!({ "error": { "code": "Broken" } })));
        }
        let answer = |item: &Value| {
            let mut said = said(item["url"].as_str().unwrap());
            said["id"] = item["id"].clone();
            said
        };
        let items = body["requests"].as_array().unwrap().iter().rev();
        let answers: Vec<_> = items.map(answer).filter(|said| status(said) != 0).collect();
        Ok(response(200, &BTreeMap::new(), &json!({ "responses": answers })))
    }
}

fn status(said: &Value) -> u16 {
    u16::try_from(said["status"].as_u64().unwrap()).unwrap()
}

fn response(status: u16, headers: &BTreeMap<String, String>, body: &Value) -> reqwest::Response {
    let mut response = http::Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(body.to_string()).unwrap().into()
}

fn done(_: &str) -> Value {
    json!({ "status": 204 })
}

struct Stage {
    gate: Arc<Gate>,
    line: Arc<Line>,
}

type Outcome = Result<Body, Fault>;

impl Stage {
    fn set(says: fn(&str) -> Value, whole: Option<u16>) -> Self {
        let gate = Gate { asked: watch::Sender::default(), open: Semaphore::new(0), says, whole };
        let url = |path: &str| Url::parse(&format!("http://localhost{path}")).unwrap();
        let application = Application {
            client_id: CLIENT.parse().unwrap(),
            token_endpoint: url("/token"),
            proof: Proof::Secret(SECRET.into()),
        };
        let settings = Settings {
            tenant: TENANT.parse().unwrap(),
            credential: Credential::Application(application),
            graph: url("/v1.0"),
            scope: String::new(),
            deadline: Duration::from_secs(20),
        };
        let gate = Arc::new(gate);
        let line = Line::new(settings, http(), gate.clone(), ManualClock::new());
        Self { gate, line: Arc::new(line) }
    }

    fn removable(&self, n: usize) -> Removable {
        self.line.root.assignment(&id(&format!("a{n}"))).unwrap()
    }

    /// Begins to take away what is called this.
    fn take_away(&self, n: usize) -> JoinHandle<Outcome> {
        let (line, what) = (Arc::clone(&self.line), self.removable(n));
        tokio::spawn(async move { line.take_away(Call::delete("assignments.delete", &what)).await })
    }

    /// As soon as so many questions were asked in all: how many were in each.
    async fn asked(&self, count: usize) -> Vec<usize> {
        let mut asked = self.gate.asked.subscribe();
        let asked = asked.wait_for(|asked| asked.len() >= count).await.unwrap();
        asked.iter().map(|seen| seen["body"]["requests"].as_array().map_or(1, Vec::len)).collect()
    }

    /// Lets so many be answered.
    fn answer(&self, count: usize) {
        self.gate.open.add_permits(count);
    }

    /// Four are on their way, and then these wait.
    async fn busy_with(
        &self,
        waiting: std::ops::Range<usize>,
    ) -> (Vec<JoinHandle<Outcome>>, Vec<JoinHandle<Outcome>>) {
        let first = (900..904).map(|n| self.take_away(n)).collect();
        self.asked(4).await;
        let mut rest = Vec::new();
        for n in waiting {
            rest.push(self.take_away(n));
            tokio::task::yield_now().await;
        }
        (first, rest)
    }
}

#[tokio::test]
async fn what_comes_alone_goes_alone_and_at_once() {
    let stage = Stage::set(done, None);
    let all: Vec<_> = (0..4).map(|n| stage.take_away(n)).collect();
    assert_eq!(stage.asked(4).await, [1, 1, 1, 1], "before any of them is answered");
    stage.answer(4);
    for each in all {
        each.await.unwrap().unwrap();
    }
    assert!(stage.gate.asked.borrow().iter().all(|seen| seen["method"] == json!("DELETE")));
}

#[tokio::test]
async fn what_waits_goes_together_twenty_at_a_time_and_each_hears_its_own_answer() {
    fn says(name: &str) -> Value {
        match name {
            "a3" => json!({ "status": 404, "body": { "error": { "code": "Request_ResourceNotFound" } } }),
            "a7" => json!({ "status": 403, "body": { "error": { "code": "Authorization_RequestDenied" } } }),
            "a8" => json!({ "status": 504, "body": { "error": { "code": "GatewayTimeout" } } }),
            // No answer at all.
            "a9" => json!({ "status": 0 }),
            _ => json!({ "status": 204 }),
        }
    }
    let stage = Stage::set(says, None);
    let (_first, rest) = stage.busy_with(0..45).await;
    stage.answer(1);
    assert_eq!(stage.asked(5).await[4..], [20], "when the first is back, and not before");
    stage.answer(6);
    assert_eq!(stage.asked(7).await, [1, 1, 1, 1, 20, 20, 5]);
    for (n, outcome) in rest.into_iter().enumerate() {
        match (n, outcome.await.unwrap()) {
            (3, Err(Fault::Refused(refusal))) => assert!(refusal.is_missing()),
            (7, Err(Fault::Refused(refusal))) => assert!(refusal.is("Authorization_RequestDenied")),
            (8 | 9, Err(Fault::Unclear { .. })) => {}
            (_, Ok(_)) if ![3, 7, 8, 9].contains(&n) => {}
            (_, other) => panic!("{n}: {other:?}"),
        }
    }
    let counted = stage.line.meter().calls;
    let of = |kind, word| counted.iter().find(|(k, w, _)| (*k, *w) == (kind, word)).map(|(.., count)| *count);
    assert_eq!(of("assignments.delete", "done"), Some(45), "41 of the 45, and the four before them");
    assert_eq!(of("assignments.delete", "refused"), Some(2));
    assert_eq!(of("assignments.delete", "unclear"), Some(2));
    assert_eq!(of("batch", "done"), Some(3));
}

#[tokio::test]
async fn a_part_of_a_batch_says_what_it_would_say_alone() {
    let stage = Stage::set(done, None);
    let (_first, _rest) = stage.busy_with(0..1).await;
    let url = stage.line.root.roles("roleAssignmentScheduleRequests");
    let body = json!({ "action": "adminRemove" });
    let call = Call::write("pim.remove", Priority::Revoke, url, Some(body.clone()));
    let line = Arc::clone(&stage.line);
    let removing = tokio::spawn(async move { line.take_away(call).await });
    tokio::task::yield_now().await;
    stage.answer(5);
    stage.asked(5).await;
    removing.await.unwrap().unwrap();
    let asked = stage.gate.asked.borrow();
    assert_eq!(asked[4]["method"], json!("POST"));
    assert_eq!(asked[4]["path"], json!("/v1.0/$batch"));
    let items = asked[4]["body"]["requests"].as_array().unwrap();
    let (delete, post) = (&items[0], &items[1]);
    assert_eq!(
        *delete,
        json!({ "id": "0", "method": "DELETE", "url": "/roleManagement/directory/roleAssignments/a0" })
    );
    let url = "/roleManagement/directory/roleAssignmentScheduleRequests";
    let headers = json!({ "Content-Type": "application/json" });
    assert_eq!(*post, json!({ "id": "1", "method": "POST", "url": url, "headers": headers, "body": body }));
}

#[tokio::test]
async fn the_longest_wish_inside_a_batch_holds_up_what_comes_after_it() {
    fn says(name: &str) -> Value {
        let wish = |seconds: &str| json!({ "status": 429, "headers": { "retry-after": seconds } });
        match name {
            "a1" => wish("20"),
            "a2" => wish("90.5"),
            _ => json!({ "status": 204 }),
        }
    }
    let stage = Stage::set(says, None);
    let (_first, rest) = stage.busy_with(0..5).await;
    stage.answer(5);
    let mut wishes = Vec::new();
    for outcome in rest {
        wishes.push(outcome.await.unwrap().err().map(|fault| fault.wish().as_millis()));
    }
    assert_eq!(wishes, [None, Some(20_000), Some(90_500), None, None]);
    assert_eq!(stage.line.meter().paused.as_millis(), 90_500, "the batch itself was answered 200");
}

#[tokio::test]
async fn what_has_no_clear_answer_goes_alone_from_then_on_and_holds_up_nobody_twice() {
    fn says(name: &str) -> Value {
        json!({ "status": if name == "a2" { 504 } else { 204 } })
    }
    let stage = Stage::set(says, None);
    let (_first, rest) = stage.busy_with(0..4).await;
    stage.answer(5);
    for outcome in rest {
        let _ = outcome.await.unwrap();
    }
    let (_first, _rest) = stage.busy_with(5..8).await;
    let again = stage.take_away(2);
    assert_eq!(stage.asked(10).await[5..], [1, 1, 1, 1, 1], "four, and the one, which waits for no lane");
    assert_eq!(
        stage.gate.asked.borrow()[9]["path"],
        json!("/v1.0/roleManagement/directory/roleAssignments/a2")
    );
    stage.answer(6);
    again.await.unwrap().unwrap_err();
    assert_eq!(stage.asked(11).await[10..], [3], "the others go in company as before");
}

#[tokio::test]
async fn where_batches_are_refused_everything_goes_alone() {
    for status in [400, 403, 404, 500] {
        let stage = Stage::set(done, Some(status));
        let (_first, rest) = stage.busy_with(0..3).await;
        stage.answer(5);
        for outcome in rest {
            let outcome = outcome.await.unwrap();
            assert!(matches!(outcome, Err(Fault::Unclear { .. })), "{status}: {outcome:?}");
        }
        stage.answer(3);
        for again in [0, 1, 2].map(|n| stage.take_away(n)) {
            again.await.unwrap().unwrap();
        }
        assert_eq!(stage.asked(8).await, [1, 1, 1, 1, 3, 1, 1, 1], "{status}");
    }
}

#[tokio::test]
async fn whoever_goes_away_leaves_the_way_to_those_who_wait() {
    let stage = Stage::set(done, None);
    let (first, mut rest) = stage.busy_with(0..30).await;
    // One that waits, and all that are under way.
    rest.remove(0).abort();
    for each in &first {
        each.abort();
    }
    assert_eq!(stage.asked(6).await[4..], [20, 9]);
    // Whoever sent the others goes away too: they are told that nothing is known of them.
    rest.remove(0).abort();
    let untold = rest.remove(0).await.unwrap();
    assert!(matches!(untold, Err(Fault::Unclear { .. })), "{untold:?}");
    stage.answer(8);
    for outcome in rest.split_off(rest.len() - 9) {
        outcome.await.unwrap().unwrap();
    }
    for after in (50..54).map(|n| stage.take_away(n)).collect::<Vec<_>>() {
        after.await.unwrap().unwrap();
    }
}
