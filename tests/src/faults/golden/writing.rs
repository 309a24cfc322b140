//! Brings an activation into every state, by every way, and keeps the record of it.

use std::fs;
use std::path::Path;

use anyhow::{Result, bail, ensure};
use elevate_proto::v1 as api;
use elevate_sandbox::people::{CAROL, GLOBAL_READER};
use elevate_sandbox::{Fault, Kind};
use jiff::SignedDuration;

use super::{Expected, Line, copy, stands};
use crate::faults::stage::policy;
use crate::{Outcome, State, World, wish};

/// What the tenant is asked to change, by each way.
const WRITES: [&str; 4] = [
    "/v1.0/roleManagement/directory/roleAssignments",
    "/v1.0/roleManagement/directory/roleAssignmentScheduleRequests",
    "/v1.0/groups/**",
    "/v1.0/identityGovernance/privilegedAccess/group/assignmentScheduleRequests",
];

/// Writes one into this folder, which is not there yet: `tests/golden/VERSION`.
///
/// # Errors
/// Something did not come to be as it should.
pub async fn write(into: &Path) -> Result<()> {
    ensure!(
        !into.exists(),
        "{} is there already: what a released version wrote is never written again; what is not released yet is \
         removed first",
        into.display()
    );
    let world = World::without_policy(&[]).await;
    let began = world.hands.now();
    world.grpc("eve").apply(&policy(), 0).await?;
    let mut writing = Writing { world, expected: Vec::new() };
    writing.over().await?;
    writing.live().await?;
    writing.frozen().await?;
    let Writing { world, expected } = writing;

    let held = Line::all(world.tenant.directory(), began);
    let then = world.hands.now();
    world.stop().await?;
    let record = into.join("record");
    copy(&world.store(), &record)?;
    // What is made again from the log, or is of one process, is no part of it.
    fs::remove_dir_all(record.join("index"))?;
    fs::remove_file(record.join("lock"))?;
    fs::write(into.join("directory"), held.iter().map(|line| line.text() + "\n").collect::<String>())?;
    fs::write(into.join("then"), format!("{then}\n"))?;
    let lines = expected.iter().map(|Expected { id, was, ends }| format!("{id} {was} {ends}\n"));
    fs::write(into.join("expected"), lines.collect::<String>())?;
    Ok(())
}

struct Writing {
    world: World,
    expected: Vec<Expected>,
}

impl Writing {
    async fn expect(&mut self, id: &str, was: &str, ends: &str) -> Result<()> {
        let shown = self.world.grpc("eve").show(id).await?;
        ensure!(stands(&shown) == was, "{shown:#?} is not {was}");
        self.expected.push(Expected { id: id.to_owned(), was: was.to_owned(), ends: ends.to_owned() });
        Ok(())
    }

    async fn asked(&self, who: &str, role: &str, term: &str) -> Result<String> {
        Ok(self.world.grpc(who).ask(&wish(role).lasting(term)).await?.id)
    }

    async fn held(&self, who: &str, role: &str, term: &str) -> Result<String> {
        let id = self.asked(who, role, term).await?;
        self.world.until(&id, State::Active).await;
        Ok(id)
    }

    /// Lets time go by until it stands so.
    async fn comes_to(&self, id: &str, so: &str) -> Result<()> {
        for _ in 0..60 {
            if stands(&self.world.grpc("eve").show(id).await?) == so {
                return Ok(());
            }
            self.world.pass("5s").await;
        }
        bail!("{:#?} does not come to be {so}", self.world.grpc("eve").show(id).await)
    }

    /// Over already, in every way.
    async fn over(&mut self) -> Result<()> {
        let (ann, eve) = (self.world.grpc("ann"), self.world.grpc("eve"));
        let mut over = Vec::new();
        let ended = self.held("ann", "reader", "5m").await?;
        let lapsed = self.asked("dave", "groups-admin", "1h").await?;
        self.world.pass_to(&ended, State::Closed, "10m").await;
        self.world.pass("4h").await;
        self.world.pass_to(&lapsed, State::Closed, "10m").await;
        over.extend([(ended, Outcome::Expired), (lapsed, Outcome::Lapsed)]);

        let denied = self.asked("ann", "groups-admin", "1h").await?;
        self.world.grpc("bob").deny(&denied, "not today").await?;
        let withdrawn = self.asked("ann", "groups-admin", "1h").await?;
        ann.withdraw(&withdrawn).await?;
        let given_back = self.held("ann", "reader", "1h").await?;
        ann.deactivate(&given_back).await?;
        self.world.pass_to(&given_back, State::Closed, "5m").await;
        let revoked = self.held("ann", "reader", "1h").await?;
        eve.revoke(&revoked, "the machine was lost").await?;
        self.world.pass_to(&revoked, State::Closed, "5m").await;
        over.extend([(denied, Outcome::Denied), (withdrawn, Outcome::Withdrawn)]);
        over.extend([(given_back, Outcome::Deactivated), (revoked, Outcome::Revoked)]);

        // Two at once, and one that nobody had said yes to.
        let (of_two, waited) =
            (self.held("dave", "reader", "1h").await?, self.asked("dave", "groups-admin", "1h").await?);
        let selection =
            api::RevocationSelection { role: String::new(), everything: true, ..Default::default() };
        let all =
            api::RevokeActivationsRequest { selection: Some(selection), reason: "incident 7".to_owned() };
        eve.revocation().revoke_activations(eve.call(all)).await?;
        self.world.pass_to(&of_two, State::Closed, "5m").await;
        over.extend([(of_two, Outcome::Revoked), (waited, Outcome::Failed)]);

        let from = self.world.hands.now().checked_add(SignedDuration::from_mins(5))?;
        let failed = self.world.grpc("carol").ask(&wish("reader").lasting("1h").from(from)).await?.id;
        // Somebody assigns the role before it begins.
        let directory = self.world.tenant.directory();
        let foreign = directory.assign_in_portal(CAROL.id, GLOBAL_READER.id, "/")?;
        self.world.pass("6m").await;
        self.world.pass_to(&failed, State::Closed, "5m").await;
        ensure!(directory.remove_in_portal(&foreign), "the foreign assignment is gone");
        let elsewhere = self.held("ann", "reader", "2h").await?;
        let held = directory.assignments();
        ensure!(directory.remove_in_portal(&held[0].id), "what is held can be removed");
        self.world.pass("12m").await;
        self.world.pass_to(&elsewhere, State::Closed, "5m").await;
        let account = self.held("dave", "reader", "2h").await?;
        directory.disable("dave")?;
        self.world.pass_to(&account, State::Closed, "5m").await;
        directory.set_enabled("dave", true)?;
        over.extend([(failed, Outcome::Failed), (elsewhere, Outcome::RemovedElsewhere)]);
        over.push((account, Outcome::AccountClosed));
        for (id, outcome) in over {
            let stood = format!("{outcome:?}");
            self.expect(&id, &stood, &stood).await?;
        }

        // Somebody who was signed out, and somebody who is still to be.
        let done = self.held("ann", "operator", "1h").await?;
        ann.deactivate(&done).await?;
        self.comes_to(&done, "Deactivated+done").await?;
        self.expect(&done, "Deactivated+done", "Deactivated+done").await?;
        Ok(())
    }

    /// Live, in every state, by every way.
    async fn live(&mut self) -> Result<()> {
        let (bob, dave) = (self.world.grpc("bob"), self.world.grpc("dave"));
        let approved = self.asked("ann", "groups-admin", "1h").await?;
        let awaiting = self.asked("dave", "groups-admin", "1h").await?;
        let one_yes = self.asked("dave", "helpdesk-admin", "1h").await?;
        bob.approve(&approved).await?;
        bob.approve(&one_yes).await?;
        self.world.until(&approved, State::Active).await;
        let from = self.world.hands.now().checked_add(SignedDuration::from_hours(3))?;
        let scheduled = dave.ask(&wish("reader").lasting("1h").from(from)).await?.id;

        let mut active = vec![approved];
        for (who, role) in [
            ("ann", "reader"),
            ("bob", "operator"),
            ("bob", "keeper"),
            ("bob", "security-reader"),
            ("bob", "tier0"),
        ] {
            active.push(self.held(who, role, "2h").await?);
        }
        let mut revoking = Vec::new();
        for (who, role) in [
            ("ann", "user-admin"),
            ("dave", "operator"),
            ("dave", "keeper"),
            ("dave", "security-reader"),
            ("dave", "tier0"),
        ] {
            revoking.push((who, role, self.held(who, role, "2h").await?));
        }
        let to_be_signed_out = self.held("carol", "operator", "2h").await?;
        let failing = Kind::FailBefore { status: 503, retry_after: None };
        let faults = self.world.tenant.faults();
        faults.add(Fault::on("/v1.0/users/*/revokeSignInSessions", failing.clone()));
        self.world.grpc("carol").deactivate(&to_be_signed_out).await?;
        self.world.pass_to(&to_be_signed_out, State::Closed, "1m").await;
        for path in WRITES {
            for method in ["POST", "DELETE"] {
                faults.add(Fault::on(path, failing.clone()).method(method));
            }
        }
        let mut activating = Vec::new();
        for (who, role) in [
            ("ann", "exchange-admin"),
            ("ann", "operator"),
            ("carol", "keeper"),
            ("carol", "security-reader"),
            ("carol", "tier0"),
        ] {
            let id = self.asked(who, role, "2h").await?;
            let tried = |shown: &api::Activation| shown.state() == State::Activating && shown.tries > 0;
            self.world.until_that(&id, tried).await;
            activating.push((role, id));
        }
        for (who, _, id) in &revoking {
            self.world.grpc(who).deactivate(id).await?;
            let tried = |shown: &api::Activation| shown.state() == State::Revoking && shown.tries > 0;
            self.world.until_that(id, tried).await;
        }

        let signs_out = |role: &str| if role == "operator" { "+done" } else { "" };
        self.expect(&awaiting, "AwaitingApproval", "Lapsed").await?;
        self.expect(&one_yes, "AwaitingApproval", "Lapsed").await?;
        self.expect(&scheduled, "Scheduled", "Expired").await?;
        self.expect(&to_be_signed_out, "Deactivated+due", "Deactivated+done").await?;
        for (role, id) in activating {
            self.expect(&id, "Activating", &format!("Expired{}", signs_out(role))).await?;
        }
        for (place, id) in active.into_iter().enumerate() {
            let role = if place == 2 { "operator" } else { "" };
            self.expect(&id, "Active", &format!("Expired{}", signs_out(role))).await?;
        }
        for (_, role, id) in revoking {
            self.expect(&id, "Revoking", &format!("Deactivated{}", signs_out(role))).await?;
        }
        Ok(())
    }

    /// Frozen and thawed once, and frozen now.
    async fn frozen(&mut self) -> Result<()> {
        let eve = self.world.grpc("eve");
        let freeze = |reason: &str| eve.call(api::FreezeRequest { reason: reason.to_owned() });
        eve.revocation().freeze(freeze("a rehearsal")).await?;
        eve.revocation().thaw(eve.call(api::ThawRequest { reason: "it was one".to_owned() })).await?;
        eve.revocation().freeze(freeze("incident 8")).await?;
        ensure!(self.world.grpc("dave").ask(&wish("user-admin")).await.is_err(), "it is frozen");
        Ok(())
    }
}
