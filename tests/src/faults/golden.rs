//! A record as a released version leaves it, with an activation in every state, and what must become of each under
//! every later version. `--bin crash -- golden` writes one with the version at hand.
//!
//! ```text
//! tests/golden/0.1.0/
//!   record/log/… record/anchor.*     as the broker left them when it was told to end; no index: it is made again
//!   directory                        what the tenant held then: principal, role, scope
//!   then                             what time it was
//!   expected                         activation, state or outcome then, how it must end
//! ```

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use elevate_sandbox::people::{CAROL, GLOBAL_READER};
use elevate_sandbox::{Fault, Kind};
use jiff::{SignedDuration, Timestamp};

use super::copy;
use crate::{Outcome, State, World, wish};

const ASSIGNMENTS: &str = "/v1.0/roleManagement/directory/roleAssignments";

/// One activation of a golden record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Which.
    pub id: String,
    /// How it stood when the record was written.
    pub was: String,
    /// How it must end.
    pub ends: String,
}

/// A golden record.
#[derive(Debug)]
pub struct Golden {
    folder: PathBuf,
    /// When it was written.
    pub then: Timestamp,
    /// What is in it.
    pub expected: Vec<Expected>,
}

impl Golden {
    /// All that are kept in this folder, by version.
    ///
    /// # Errors
    /// One is not whole.
    pub fn all(folder: &Path) -> Result<Vec<Self>> {
        let mut folders: Vec<PathBuf> =
            fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
        folders.sort();
        folders.into_iter().filter(|path| path.is_dir()).map(Self::read).collect()
    }

    fn read(folder: PathBuf) -> Result<Self> {
        let then = fs::read_to_string(folder.join("then"))?.trim().parse()?;
        let expected = fs::read_to_string(folder.join("expected"))?;
        let expected = expected.lines().map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let [id, was, ends] = words[..] else { anyhow::bail!("`{line}` is not three words") };
            Ok(Expected { id: id.to_owned(), was: was.to_owned(), ends: ends.to_owned() })
        });
        let expected = expected.collect::<Result<_>>().with_context(|| folder.display().to_string())?;
        Ok(Self { folder, then, expected })
    }

    /// Which version wrote it.
    pub fn version(&self) -> String {
        self.folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Sets a world in which everything is as it was, but for the broker, which has not started yet.
    ///
    /// # Errors
    /// The tenant does not take what it held.
    pub async fn world(&self) -> Result<World> {
        let world = World::without_broker(&[]).await;
        world.hands.advance(self.then.duration_since(world.hands.now()));
        for line in fs::read_to_string(self.folder.join("directory"))?.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [principal, role, scope] = words[..] else { anyhow::bail!("`{line}` is not three words") };
            world.tenant.directory().assign_in_portal(principal, role, scope)?;
        }
        copy(&self.folder.join("record"), &world.store())?;
        Ok(world)
    }
}

/// Writes one into this folder, which is not there yet: `tests/golden/VERSION`.
///
/// # Errors
/// Something did not come to be as it should.
pub async fn write(into: &Path) -> Result<()> {
    ensure!(
        !into.exists(),
        "{} is there already: what a released version wrote is never written again",
        into.display()
    );
    let world = World::start().await;
    let (ann, bob, carol, dave, eve) =
        (world.grpc("ann"), world.grpc("bob"), world.grpc("carol"), world.grpc("dave"), world.grpc("eve"));
    let mut expected = Vec::new();
    let mut expect = |id: &str, was: &str, ends: &str| {
        expected.push(Expected { id: id.to_owned(), was: was.to_owned(), ends: ends.to_owned() });
    };
    let closed = |outcome: Outcome| format!("{outcome:?}");

    // Over already, in every way.
    let ended = ann.ask(&wish("reader").lasting("5m")).await?;
    let lapsed = dave.ask(&wish("groups-admin").lasting("1h")).await?;
    world.until(&ended.id, State::Active).await;
    world.pass_to(&ended.id, State::Closed, "10m").await;
    world.pass("4h").await;
    world.pass_to(&lapsed.id, State::Closed, "10m").await;
    let denied = ann.ask(&wish("groups-admin").lasting("1h")).await?;
    bob.deny(&denied.id, "not today").await?;
    let withdrawn = ann.ask(&wish("groups-admin").lasting("1h")).await?;
    ann.withdraw(&withdrawn.id).await?;
    let given_back = ann.ask(&wish("reader").lasting("1h")).await?;
    world.until(&given_back.id, State::Active).await;
    ann.deactivate(&given_back.id).await?;
    world.pass_to(&given_back.id, State::Closed, "5m").await;
    let revoked = ann.ask(&wish("reader").lasting("1h")).await?;
    world.until(&revoked.id, State::Active).await;
    eve.revoke(&revoked.id, "the machine was lost").await?;
    world.pass_to(&revoked.id, State::Closed, "5m").await;
    let failed = carol
        .ask(&wish("reader").lasting("1h").from(world.hands.now().checked_add(SignedDuration::from_mins(5))?))
        .await?;
    // Somebody assigns the role before it begins.
    let foreign = world.tenant.directory().assign_in_portal(CAROL.id, GLOBAL_READER.id, "/")?;
    world.pass("6m").await;
    world.pass_to(&failed.id, State::Closed, "5m").await;
    ensure!(world.tenant.directory().remove_in_portal(&foreign), "the foreign assignment is gone");
    let elsewhere = ann.ask(&wish("reader").lasting("2h")).await?;
    world.until(&elsewhere.id, State::Active).await;
    let held = world.tenant.directory().assignments();
    ensure!(world.tenant.directory().remove_in_portal(&held[0].id), "what is held can be removed");
    world.pass("12m").await;
    world.pass_to(&elsewhere.id, State::Closed, "5m").await;
    for id in [&ended, &lapsed, &denied, &withdrawn, &given_back, &revoked, &failed, &elsewhere] {
        let outcome = closed(eve.show(&id.id).await?.outcome());
        expect(&id.id, &outcome, &outcome);
    }

    // Live, in every state.
    let approved = ann.ask(&wish("groups-admin").lasting("1h")).await?;
    let awaiting = dave.ask(&wish("groups-admin").lasting("1h")).await?;
    let one_yes = dave.ask(&wish("helpdesk-admin").lasting("1h")).await?;
    bob.approve(&approved.id).await?;
    bob.approve(&one_yes.id).await?;
    let active = ann.ask(&wish("reader").lasting("2h")).await?;
    let revoking = ann.ask(&wish("user-admin").lasting("2h")).await?;
    for id in [&approved, &active, &revoking] {
        world.until(&id.id, State::Active).await;
    }
    let scheduled = dave
        .ask(
            &wish("reader").lasting("1h").from(world.hands.now().checked_add(SignedDuration::from_hours(3))?),
        )
        .await?;
    let failing = Kind::FailBefore { status: 503, retry_after: None };
    world.tenant.faults().add(Fault::on(ASSIGNMENTS, failing.clone()).method("POST"));
    world.tenant.faults().add(Fault::on(ASSIGNMENTS, failing).method("DELETE"));
    let activating = ann.ask(&wish("exchange-admin").lasting("2h")).await?;
    world.until_that(&activating.id, |shown| shown.state() == State::Activating && shown.tries > 0).await;
    ann.deactivate(&revoking.id).await?;
    world.until_that(&revoking.id, |shown| shown.state() == State::Revoking && shown.tries > 0).await;
    let live = [
        (&awaiting, State::AwaitingApproval, Outcome::Lapsed),
        (&one_yes, State::AwaitingApproval, Outcome::Lapsed),
        (&scheduled, State::Scheduled, Outcome::Expired),
        (&activating, State::Activating, Outcome::Expired),
        (&approved, State::Active, Outcome::Expired),
        (&active, State::Active, Outcome::Expired),
        (&revoking, State::Revoking, Outcome::Deactivated),
    ];
    for (id, state, ends) in live {
        let shown = eve.show(&id.id).await?;
        ensure!(shown.state() == state, "{shown:#?} is not {state:?}");
        expect(&id.id, &format!("{state:?}"), &closed(ends));
    }

    let mut directory = String::new();
    for held in world.tenant.directory().assignments() {
        writeln!(directory, "{} {} {}", held.principal, held.role, held.scope)?;
    }
    let then = world.hands.now();
    world.stop().await?;
    let record = into.join("record");
    copy(&world.store(), &record)?;
    // What is made again from the log, or is of one process, is no part of it.
    fs::remove_dir_all(record.join("index"))?;
    fs::remove_file(record.join("lock"))?;
    fs::write(into.join("directory"), directory)?;
    fs::write(into.join("then"), format!("{then}\n"))?;
    let lines: Vec<String> =
        expected.iter().map(|each| format!("{} {} {}\n", each.id, each.was, each.ends)).collect();
    fs::write(into.join("expected"), lines.concat())?;
    Ok(())
}
