//! The broker is killed with -9 at any moment of the story. After a restart no assignment outlives its end,
//! and none is there that the record does not know. Here the broker is a process, which goes by a clock that the test
//! moves: after a kill two reads, half a minute apart, must show an assignment gone.

use std::path::Path;
use std::time::Duration;

use elevate_proto::v1 as api;
use elevate_sandbox::{Fault, Kind};
use elevate_tests::faults::stage::Stage;
use elevate_tests::{PATIENCE, State, eventually, span, wish};

/// The test crate's own executable of the real broker.
const PROGRAM: &str = env!("CARGO_BIN_EXE_broker-process");

/// How long a role is held here.
const TERM: &str = "10m";

/// How long Graph takes to answer where the broker is killed meanwhile, by the machine's clock.
const LATE: Duration = Duration::from_millis(700);

const ASSIGNMENTS: &str = "/v1.0/roleManagement/directory/roleAssignments";

/// The moments at which the broker is killed, in the order of the story.
const MOMENTS: [&str; 14] = [
    "while it starts",
    "prepared",
    "asked, not waiting for the answer",
    "asked",
    "approved, not waiting for the answer",
    "approved",
    "while it looks before it begins",
    "while Graph is asked to grant",
    "granted, and the answer lost",
    "held",
    "just before the end",
    "while Graph is asked to take away",
    "taken away, and the answer lost",
    "over",
];

/// Tells the story until this moment comes.
async fn until(moment: &str, stage: &Stage) {
    let (ann, bob) = (stage.grpc("ann"), stage.grpc("bob"));
    let faults = stage.tenant.faults();
    let late = Kind::Latency { milliseconds: 700 };
    let wish = wish("groups-admin").lasting(TERM);
    if moment == "while it looks before it begins" {
        // The first look is that of the request itself.
        faults.add(Fault::on(ASSIGNMENTS, late.clone()).method("GET").skip(2).times(1));
    }
    if moment == "while Graph is asked to grant" {
        faults.add(Fault::on(ASSIGNMENTS, late.clone()).method("POST").times(1));
    }
    if moment == "granted, and the answer lost" {
        faults.add(Fault::on(ASSIGNMENTS, Kind::LoseReply).method("POST").times(1));
    }
    if moment == "while Graph is asked to take away" {
        faults.add(Fault::on(ASSIGNMENTS, late).method("DELETE").times(1));
    }
    if moment == "taken away, and the answer lost" {
        faults.add(Fault::on(ASSIGNMENTS, Kind::LoseReply).method("DELETE").times(1));
    }
    let prepared = ann.prepare(&wish).await.unwrap();
    if moment == "prepared" {
        return;
    }
    let message = wish.request(&prepared, ann.proof(elevate_tests::challenge(&prepared.challenge)));
    if moment == "asked, not waiting for the answer" {
        tokio::spawn(async move { ann.request(message).await });
        tokio::task::yield_now().await;
        return;
    }
    let asked = ann.request(message).await.unwrap();
    if moment == "asked" {
        return;
    }
    let shown = bob.prepare_approval(&asked.id).await.unwrap();
    let message = elevate_tests::yes(&shown, bob.proof(elevate_tests::challenge(&shown.challenge)));
    if moment == "approved, not waiting for the answer" {
        tokio::spawn(async move { bob.approve_with(message).await });
        eventually("his rights are read", || !stage.tenant.calls().matching("GET", ASSIGNMENTS).is_empty())
            .await;
        return;
    }
    bob.approve_with(message).await.unwrap();
    let holds = || !stage.tenant.directory().assignments().is_empty();
    match moment {
        "approved" => {}
        "while it looks before it begins" | "while Graph is asked to grant" => {
            eventually("Graph is asked", || faults.list().is_empty()).await;
        }
        "granted, and the answer lost" | "held" => eventually("it is held", holds).await,
        "just before the end" => {
            eventually("it is held", holds).await;
            stage.advance(span("9m 59s"));
        }
        "while Graph is asked to take away" => {
            eventually("it is held", holds).await;
            stage.advance(span("10m 1s"));
            eventually("Graph is asked", || faults.list().is_empty()).await;
        }
        "taken away, and the answer lost" => {
            eventually("it is held", holds).await;
            stage.advance(span("10m 1s"));
            eventually("it is gone", || !holds()).await;
        }
        _ => closed(stage).await,
    }
}

/// Waits until nothing on record can change any more.
async fn closed(stage: &Stage) {
    let eve = stage.grpc("eve");
    let _faster = stage.faster();
    let waited = tokio::time::timeout(PATIENCE, async {
        loop {
            let all = eve.list(true).await.unwrap();
            match all.iter().find(|each| each.state() != State::Closed) {
                None => return,
                // Nobody says yes any more to what still waits.
                Some(waits) if waits.state() == State::AwaitingApproval => {
                    eve.revoke(&waits.id, "the test is over").await.unwrap();
                }
                Some(live) => {
                    let mut changes = eve.watch(&live.id).await.unwrap();
                    while let Ok(Some(_)) = changes.message().await {}
                }
            }
        }
    });
    waited.await.unwrap_or_else(|_| panic!("something is still open"));
}

/// What must be true of every moment, at any time: what the directory holds, the record knows as live.
fn is_known(held: &[elevate_sandbox::directory::Assignment], all: &[api::Activation]) -> bool {
    held.iter().all(|held| {
        all.iter().any(|each| {
            let who = each.principal.as_ref().is_some_and(|who| who.object_id == held.principal);
            let what = each.directory_role.as_ref().is_some_and(|what| what.role_definition_id == held.role);
            let live = [State::Activating, State::Active, State::Revoking].contains(&each.state());
            who && what && live
        })
    })
}

async fn check(moment: &'static str) {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::set(folder.path(), Path::new(PROGRAM)).await.unwrap();
    stage.take_the_clock();
    let mut broker = stage.open().await.unwrap();
    if moment == "while it starts" {
        broker.kill_9().await.unwrap();
        for pause in [0, 20, 60, 120, 250] {
            let unready = stage.spawn(&[]).unwrap();
            tokio::time::sleep(Duration::from_millis(pause)).await;
            unready.kill_9().await.unwrap();
        }
        broker = stage.start().await.unwrap();
        until("held", &stage).await;
    } else {
        until(moment, &stage).await;
    }
    broker.kill_9().await.unwrap();
    // Whatever it asked of Graph has happened by then or never will.
    if moment.contains("is asked") || moment.contains("looks") {
        tokio::time::sleep(LATE + Duration::from_millis(100)).await;
    }
    stage.tenant.faults().clear_all();

    let broker = stage.start().await.unwrap();
    let eve = stage.grpc("eve");
    let held = stage.tenant.directory().assignments();
    let all = eve.list(true).await.unwrap();
    // What was granted while we asked is on record by then; what is gone since is no matter.
    let still = stage.tenant.directory().assignments();
    let held: Vec<_> = held.into_iter().filter(|each| still.contains(each)).collect();
    assert!(
        is_known(&held, &all)
            || !stage.tenant.directory().assignments().iter().any(|each| held.contains(each)),
        "killed {moment}: {held:#?} is held, and the record knows {all:#?}"
    );
    closed(&stage).await;
    assert_eq!(stage.tenant.directory().assignments(), [], "killed {moment}: something is held for ever");
    let posts = stage.tenant.calls().matching("POST", ASSIGNMENTS);
    let taken = posts.iter().filter(|post| post.status == Some(201) || post.status.is_none()).count();
    assert!(taken <= 1, "killed {moment}: granted twice: {posts:#?}");

    // Every word that was given stands: the same person asks again, and the story goes well.
    let asked = stage.grpc("ann").ask(&wish("reader").lasting(TERM)).await.unwrap();
    closed(&stage).await;
    let ended = eve.show(&asked.id).await.unwrap();
    assert_eq!(ended.outcome(), elevate_tests::Outcome::Expired, "killed {moment}: {ended:#?}");
    assert_eq!(stage.tenant.directory().assignments(), []);
    broker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_of_asking_it_leaves_nothing_behind() {
    all(&MOMENTS[..7]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_of_holding_it_leaves_nothing_behind() {
    all(&MOMENTS[7..]).await;
}

/// All of them at once: each has a tenant, a broker and a record of its own, and mostly waits.
async fn all(moments: &'static [&'static str]) {
    let checks: Vec<_> = moments.iter().map(|moment| tokio::spawn(check(moment))).collect();
    for check in checks {
        check.await.unwrap();
    }
}
