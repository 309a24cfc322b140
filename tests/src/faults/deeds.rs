//! A deed, and a kill at each durable step of it: before the log is written, in the middle, behind it, before and
//! behind its sync, and within the index.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use elevate_proto::v1 as api;

use super::compare::Mirror;
use super::load::Answers;
use super::preload::{Fault, Preload};
use super::stage::Stage;
use super::{Found, Plan};
use crate::{PATIENCE, State, wish};

/// What is done, and how many times the log is written for it.
const DEEDS: [(Deed, u64); 6] = [
    (Deed::Freeze, 1),
    (Deed::Thaw, 1),
    (Deed::TakeAllAway, 3),
    (Deed::SignOut, 3),
    (Deed::JoinGroup, 3),
    (Deed::GiveBack, 2),
];

/// Something that is more than one write to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    /// Nothing new is granted.
    Freeze,
    /// It is again.
    Thaw,
    /// Everything that anybody holds, at once.
    TakeAllAway,
    /// A place is given back, and its holder signed out after it.
    SignOut,
    /// A place in a group is asked for and granted.
    JoinGroup,
    /// A role is given back.
    GiveBack,
}

/// Where it is cut off.
const CUTS: [(&str, &str, &str); 8] = [
    ("write", "/log/", "kill-before"),
    ("write", "/log/", "kill-half"),
    ("write", "/log/", "kill-after"),
    ("sync", "/log/", "kill-before"),
    ("sync", "/log/", "kill-after"),
    ("write", "/index/db", "kill-before"),
    ("write", "/index/db", "kill-half"),
    ("range", "/index/db", "kill-after"),
];

/// Cuts off every deed at every durable step; fewer, evenly spread, where `plan.count` is less.
///
/// # Errors
/// It does not start again, or does not answer.
pub async fn cut_off(stage: &Stage, preload: &Preload, plan: &Plan) -> Result<Found> {
    let (mut found, mut mirror, answers) = (Found::default(), Mirror::default(), Answers::default());
    stage.take_the_clock();
    stage.open().await?.stop().await?;
    let all: Vec<(Deed, Fault<'static>)> = DEEDS
        .into_iter()
        .flat_map(|(deed, times)| (1..=times).map(move |nth| (deed, nth)))
        .flat_map(|(deed, nth)| CUTS.map(|(call, part, what)| (deed, Fault { call, part, nth, what })))
        .collect();
    let count = plan.count.min(all.len() as u64);
    let (mut cut, mut kills) = (0_u64, 0_u64);
    for number in 0..count {
        // The seed shifts them, so that another seed cuts at others.
        let place = (number * all.len() as u64 / count + plan.seed) % all.len() as u64;
        let (deed, fault) = all[usize::try_from(place)?];
        let named = || format!("{deed:?}, {} {} {} {}", fault.what, fault.call, fault.part, fault.nth);
        let died = one(stage, preload, deed, fault, &answers).await.with_context(named)?;
        kills += u64::from(died);
        cut += 1;
        let process = stage.start().await.with_context(named)?;
        mirror.compare(stage, &answers.so_far(), &mut found).await.with_context(named)?;
        is_as_on_record(stage, &mirror, &mut found).await.with_context(named)?;
        clear(stage).await.with_context(named)?;
        process.stop().await?;
        if !found.holds() {
            found.violations.push(format!("that was after {}", named()));
            break;
        }
    }
    let process = stage.start().await?;
    mirror.close(stage, process, &answers.so_far(), &mut found).await?;
    found.figures.insert(0, ("deeds cut off".to_owned(), format!("{kills} of {cut}")));
    ensure!(kills * 2 > cut, "most of the deeds were not cut off: {kills} of {cut}");
    Ok(found)
}

/// Does it under a broker that is to die of it. Whether it did.
async fn one(
    stage: &Stage,
    preload: &Preload,
    deed: Deed,
    fault: Fault<'_>,
    answers: &Answers,
) -> Result<bool> {
    let armed = stage.folder.join("armed");
    let mut dying = stage.start_under(&preload.failing_once(&stage.store(), fault, &armed)).await?;
    let (ann, eve) = (stage.grpc("ann"), stage.grpc("eve"));
    let mut held = Vec::new();
    let before: &[(&str, &str)] = match deed {
        Deed::TakeAllAway => &[("ann", "reader"), ("bob", "reader"), ("dave", "operator")],
        Deed::SignOut => &[("ann", "operator")],
        Deed::GiveBack => &[("ann", "reader")],
        Deed::Freeze | Deed::Thaw | Deed::JoinGroup => &[],
    };
    for (who, role) in before {
        let asked = stage.grpc(who).ask(&wish(role).lasting("1h")).await?;
        reaches(stage, &asked.id, State::Active).await?;
        held.push(asked.id);
    }
    let again = format!("{deed:?} {fault:?}");
    if deed == Deed::Thaw {
        eve.revocation().freeze(eve.call(api::FreezeRequest { reason: again.clone() })).await?;
    }
    std::fs::write(&armed, b"")?;
    match deed {
        Deed::Freeze => {
            let answer = eve.revocation().freeze(eve.call(api::FreezeRequest { reason: again })).await;
            answers.keep_freeze("frozen", answer.map(tonic::Response::into_inner));
        }
        Deed::Thaw => {
            let answer = eve.revocation().thaw(eve.call(api::ThawRequest { reason: again })).await;
            answers.keep_freeze("thawed", answer.map(tonic::Response::into_inner));
        }
        Deed::TakeAllAway => {
            let answer = eve.revocation().revoke_activations(eve.call(everything())).await;
            answers.keep_many(answer).await;
        }
        Deed::SignOut | Deed::GiveBack => {
            answers.keep("revocation-begun", ann.deactivate(&held[0]).await);
        }
        Deed::JoinGroup => {
            answers.keep("requested", ann.ask(&wish("operator").lasting("1h")).await);
        }
    }
    let died = dying.died(Duration::from_millis(1500)).await?;
    dying.kill_9().await?;
    std::fs::remove_file(&armed)?;
    Ok(died)
}

fn everything() -> api::RevokeActivationsRequest {
    let selection = api::RevocationSelection { everything: true, ..Default::default() };
    api::RevokeActivationsRequest { selection: Some(selection), reason: "an incident".to_owned() }
}

/// Nothing new is granted if the last word on record says so, and only then.
async fn is_as_on_record(stage: &Stage, mirror: &Mirror, found: &mut Found) -> Result<()> {
    let dave = stage.grpc("dave");
    let seen = dave.session().get_caller(dave.call(api::GetCallerRequest {})).await?.into_inner().frozen;
    if seen.is_some() != mirror.is_frozen() {
        found.violations.push(format!("the record says {}, and callers hear {seen:?}", mirror.is_frozen()));
    }
    let asked = dave.ask(&wish("exchange-admin").lasting("1h")).await;
    if asked.is_ok() == mirror.is_frozen() {
        found.violations.push(format!("frozen is {}, and a request is {asked:?}", mirror.is_frozen()));
    }
    Ok(())
}

/// Everything comes to its end, so that the next deed finds every slot empty.
async fn clear(stage: &Stage) -> Result<()> {
    let eve = stage.grpc("eve");
    // Where nothing is frozen it is refused.
    let _ = eve.revocation().thaw(eve.call(api::ThawRequest { reason: "the next".to_owned() })).await;
    let mut steps = eve.revocation().revoke_activations(eve.call(everything())).await?.into_inner();
    let _faster = stage.faster();
    let gone = async {
        while let Some(step) = steps.message().await? {
            ensure!(step.step() != api::RevocationStep::Failed, "{step:?}");
        }
        Ok(())
    };
    tokio::time::timeout(PATIENCE, gone).await.context("not everything came to its end")?
}

async fn reaches(stage: &Stage, id: &str, state: State) -> Result<()> {
    let reached = async {
        while stage.grpc("eve").show(id).await?.state() != state {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    };
    tokio::time::timeout(PATIENCE, reached).await.with_context(|| format!("{id} is not {state:?}"))?
}
