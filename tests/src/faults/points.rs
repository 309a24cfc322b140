//! Names for the durable steps, and a kill at each of them.
//!
//! The production code knows nothing of these names: a step is a kind of call and a part of a path, and the library
//! before the disk kills the process there. The steps at Graph are named by what the tenant sees.

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use elevate_sandbox::{Fault as Wrong, Kind};

use super::compare::Mirror;
use super::kill::finish;
use super::load::{Answers, Load};
use super::preload::{Fault, Preload};
use super::stage::{Stage, policy};
use super::{Found, Plan};
use crate::{Caller, Wish, wish};

/// A durable step: what it is called, the call, the part of the path, and in how many ways a kill can meet it.
pub const STEPS: [(&str, &str, &str); 22] = [
    ("store.lock", "open", "/lock"),
    ("log.open", "open", "/log/"),
    ("log.write", "write", "/log/"),
    ("log.sync", "sync", "/log/"),
    ("log.names", "sync", "/log$"),
    ("log.cut", "truncate", "/log/"),
    ("anchor.open", "open", "/anchor."),
    ("anchor.write", "write", "/anchor."),
    ("anchor.sync", "sync", "/anchor."),
    ("index.open", "open", "/index/"),
    ("index.apply", "write", "/index/db"),
    ("index.flush", "range", "/index/db"),
    ("index.snapshot", "write", "/index/snap."),
    ("index.snapshot.name", "rename", "/index/snap."),
    ("bookmark.write", "write", "/notices.new"),
    ("bookmark.sync", "sync", "/notices.new"),
    ("bookmark.rename", "rename", "/notices.new"),
    ("time.write", "write", "/time.new"),
    ("time.sync", "sync", "/time.new"),
    ("time.rename", "rename", "/time.new"),
    ("ballast.open", "open", "/ballast"),
    ("ballast.name", "rename", "/ballast"),
];

/// A step at Graph.
struct AtGraph {
    name: &'static str,
    method: &'static str,
    path: &'static str,
    /// What must be asked for, and for how many seconds, where people at work would not: Entra keeps what PIM gives for
    /// five minutes.
    asked: Option<(&'static str, i64)>,
}

const fn at(name: &'static str, method: &'static str, path: &'static str) -> AtGraph {
    AtGraph { name, method, path, asked: None }
}

const ASSIGNMENTS: &str = "/v1.0/roleManagement/directory/roleAssignments";

/// Each is met twice: while the request is under way (`sent`), and when it is done and its answer is lost (`done`).
const AT_GRAPH: [AtGraph; 9] = [
    at("graph.grant", "POST", ASSIGNMENTS),
    at("graph.revoke", "DELETE", ASSIGNMENTS),
    at("graph.member.add", "POST", "/v1.0/groups/*/members/$ref"),
    at("graph.member.remove", "DELETE", "/v1.0/groups/*/members/*/$ref"),
    at("graph.owner.add", "POST", "/v1.0/groups/*/owners/$ref"),
    at("graph.owner.remove", "DELETE", "/v1.0/groups/*/owners/*/$ref"),
    at("graph.sign-out", "POST", "/v1.0/users/*/revokeSignInSessions"),
    AtGraph {
        asked: Some(("security-reader", 300)),
        ..at("graph.pim", "POST", "/v1.0/roleManagement/directory/roleAssignmentScheduleRequests")
    },
    AtGraph {
        asked: Some(("tier0", 300)),
        ..at(
            "graph.pim-group",
            "POST",
            "/v1.0/identityGovernance/privilegedAccess/group/assignmentScheduleRequests",
        )
    },
];

/// How long a broker that is to be killed at the first call of a kind may live, and at a later one.
const MET_WITHIN: Duration = Duration::from_secs(20);
const LATER_WITHIN: Duration = Duration::from_millis(2500);

/// By the machine's clock: more than a minute of the tenant's.
const CLEARED_WITHIN: Duration = Duration::from_millis(1500);

/// Who asks for what must be asked for: one for each way to be met, since neither can be had twice.
const ASKERS: [&str; 2] = ["ann", "bob"];

/// Kills the broker at every named step at its disk, `plan.count` times each at most.
///
/// # Errors
/// It does not start again, or does not answer.
pub async fn all(stage: &Stage, preload: &Preload, plan: &Plan) -> Result<Found> {
    let (mut found, mut mirror) = (Found::default(), Mirror::default());
    let process = stage.open().await?;
    let load = Load::begin(stage, Answers::default(), plan.seed);
    tokio::time::sleep(Duration::from_millis(500)).await;
    process.kill_9().await?;
    let (mut total, mut unmet) = (0_u64, Vec::new());
    for (name, call, part) in STEPS {
        let ways: &[&str] = if call == "write" {
            &["kill-before", "kill-half", "kill-after"]
        } else {
            &["kill-before", "kill-after"]
        };
        let mut reached = 0_u64;
        let mut beyond = None;
        for round in 0..plan.count {
            let what = ways[usize::try_from(round)? % ways.len()];
            // Early ones are in start-up, later ones in service.
            let nth = [1, 2, 4, 7, 12, 20, 33][usize::try_from(round / ways.len() as u64)? % 7];
            // Where there is no seventh call there is no twelfth.
            if beyond.is_some_and(|beyond| nth > beyond) {
                break;
            }
            // What a start makes only where it is missing is missing.
            prepare(stage, name)?;
            let mut dying = stage.spawn(&preload.failing(&stage.store(), Fault { call, part, nth, what }))?;
            // Every step is taken once in a start, however slow the machine is.
            let within = if nth == 1 { MET_WITHIN } else { LATER_WITHIN };
            let died = dying.died(within).await?;
            dying.kill_9().await?;
            reached += u64::from(died);
            if !died {
                beyond = Some(nth);
            }
            again(stage, &load, &mut mirror, &mut found, &format!("{name} {what} {nth}")).await?;
            if !found.holds() {
                break;
            }
        }
        total += reached;
        tell(name, reached, &mut found, &mut unmet);
    }
    let process = stage.start().await?;
    finish(stage, process, load, mirror, &mut found).await?;
    found.violations.append(&mut unmet);
    found.figures.insert(0, ("points".to_owned(), STEPS.len().to_string()));
    found.figures.insert(1, ("kills".to_owned(), total.to_string()));
    Ok(found)
}

/// Kills the broker at every step at Graph, `plan.count` times each at most. It goes by the tenant's clock, which goes
/// faster: what a killed broker was taking away keeps its slot until two reads, half a minute apart.
///
/// # Errors
/// It does not start again, or does not answer.
pub async fn at_graph(stage: &Stage, plan: &Plan) -> Result<Found> {
    let (mut found, mut mirror) = (Found::default(), Mirror::default());
    stage.take_the_clock();
    let process = stage.open().await?;
    let load = Load::begin(stage, Answers::default(), plan.seed);
    tokio::time::sleep(Duration::from_millis(500)).await;
    process.kill_9().await?;
    let (mut total, mut unmet) = (0_u64, Vec::new());
    for step in AT_GRAPH {
        for done in [false, true] {
            let name = format!("{}.{}", step.name, if done { "done" } else { "sent" });
            let mut reached = 0_u64;
            for round in 0..if step.asked.is_some() { 1 } else { plan.count } {
                let killed = killed_at(stage, &step, done).await.with_context(|| name.clone())?;
                reached += u64::from(killed);
                again(stage, &load, &mut mirror, &mut found, &format!("{name} {round}")).await?;
                if !found.holds() {
                    break;
                }
            }
            total += reached;
            tell(&name, reached, &mut found, &mut unmet);
        }
    }
    let process = stage.start().await?;
    finish(stage, process, load, mirror, &mut found).await?;
    found.violations.append(&mut unmet);
    found.figures.insert(0, ("points".to_owned(), (2 * AT_GRAPH.len()).to_string()));
    found.figures.insert(1, ("kills".to_owned(), total.to_string()));
    Ok(found)
}

/// A broker that is killed when Graph is asked for this. Whether it was.
async fn killed_at(stage: &Stage, step: &AtGraph, done: bool) -> Result<bool> {
    let process = stage.start().await?;
    let _faster = stage.faster();
    tokio::time::sleep(CLEARED_WITHIN).await;
    let kind = if done { Kind::LoseReply } else { Kind::Latency { milliseconds: 400 } };
    let fault = stage.tenant.faults().add(Wrong::on(step.path, kind).method(step.method).times(1));
    if let Some((role, seconds)) = step.asked {
        let who = stage.grpc(ASKERS[usize::from(done)]);
        ask_until_taken(&who, &wish(role).seconds(seconds)).await?;
    }
    let met = met(stage, step, done).await;
    process.kill_9().await?;
    // Whatever it asked of Graph has happened by then or never will.
    tokio::time::sleep(Duration::from_millis(if done { 0 } else { 450 })).await;
    stage.tenant.faults().clear(fault);
    Ok(met)
}

/// While nothing is granted for a moment one asks again.
async fn ask_until_taken(who: &Caller, wish: &Wish) -> Result<()> {
    let began = Instant::now();
    loop {
        match who.ask(wish).await {
            Ok(_) => return Ok(()),
            Err(status) if began.elapsed() > Duration::from_secs(10) => return Err(status.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

fn tell(name: &str, reached: u64, found: &mut Found, unmet: &mut Vec<String>) {
    found.figure(name, format!("{reached} kills"));
    if reached == 0 {
        unmet.push(format!("no kill ever met `{name}`"));
    }
}

/// Kills the very first start of a broker at each step by which it makes a new record.
///
/// # Errors
/// It does not start again, or does not answer.
pub async fn first_starts(folder: &std::path::Path, preload: &Preload, plan: &Plan) -> Result<Found> {
    let mut found = Found::default();
    let mut total = 0_u64;
    for (name, call, part) in STEPS {
        let mut reached = 0_u64;
        for round in 0..plan.count {
            let folder = folder.join(format!("first-{name}-{round}"));
            std::fs::create_dir_all(&folder)?;
            let stage = Stage::set(&folder, &plan.program).await?;
            let what = ["kill-before", "kill-after", "kill-half"][usize::try_from(round)? % 3];
            let fault = Fault { call, part, nth: 1 + round / 3, what };
            let mut dying = stage.spawn(&preload.failing(&stage.store(), fault))?;
            let died = dying.died(Duration::from_millis(1500)).await?;
            dying.kill_9().await?;
            reached += u64::from(died);
            let process = stage
                .start()
                .await
                .with_context(|| format!("after the first start was killed at {name} {what}"))?;
            stage.grpc("eve").apply(&policy(), 0).await?;
            stage.grpc("ann").ask(&wish("user-admin")).await?;
            process.stop().await?;
            let (code, said) = stage.elevated(&["store", "check"]).await?;
            if code != Some(0) {
                found.violations.push(format!("a first start killed at {name} {what}: {said}"));
            }
            std::fs::remove_dir_all(&folder)?;
        }
        total += reached;
        if reached > 0 {
            found.figure(&format!("first start, {name}"), format!("{reached} kills"));
        }
    }
    found.figures.insert(0, ("kills of a first start".to_owned(), total.to_string()));
    Ok(found)
}

/// Some steps are taken only where there is a reason.
fn prepare(stage: &Stage, name: &str) -> Result<()> {
    let store = stage.store();
    if name.starts_with("ballast.") {
        match std::fs::remove_file(store.join("ballast")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    if name == "log.cut" {
        // A torn tail, as a power cut leaves it.
        let mut segments: Vec<_> = std::fs::read_dir(store.join("log"))?.collect::<Result<_, _>>()?;
        segments.sort_by_key(std::fs::DirEntry::path);
        let last = segments.last().context("a log has a segment")?;
        std::fs::File::options().append(true).open(last.path())?.write_all(&[7; 40])?;
    }
    Ok(())
}

/// Starts it again, as itself, and compares.
async fn again(
    stage: &Stage,
    load: &Load,
    mirror: &mut Mirror,
    found: &mut Found,
    killed: &str,
) -> Result<()> {
    let process = stage.start().await.with_context(|| format!("after it was killed at {killed}"))?;
    mirror
        .compare(stage, &load.answers.so_far(), found)
        .await
        .with_context(|| format!("after it was killed at {killed}"))?;
    process.kill_9().await?;
    if !found.holds() {
        found.violations.push(format!("that was after it was killed at {killed}"));
    }
    Ok(())
}

/// Waits until Graph is asked: until it was done, or until the next call that is under way.
async fn met(stage: &Stage, step: &AtGraph, done: bool) -> bool {
    // Of the calls only so many are kept.
    stage.tenant.calls().clear();
    let answered = || !stage.tenant.calls().matching(step.method, step.path).is_empty();
    let began = Instant::now();
    while began.elapsed() < MET_WITHIN {
        // A call is counted once it is over, a fault when it hits.
        if if done { answered() } else { stage.tenant.faults().list().is_empty() } {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    false
}
