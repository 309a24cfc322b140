//! Tickets that their own system is asked about: confirmed, refused, out of time, and when nobody answers.

use std::path::Path;

use anyhow::{Result, ensure};
use elevate_client::Exit;
use elevate_sandbox::people::{ANN, GROUPS_ADMINISTRATOR, USER_ADMINISTRATOR};
use elevate_sandbox::tickets::{Change, IMPLEMENT};
use jiff::SignedDuration;

use crate::command::tour::guide::Guide;
use crate::command::tour::stage::{Stage, field, shown, until_over};

const POLICY: &str = r#"
[[role]]
name = "groups-admin"
title = "Groups Administrator"
way = "assignment"
role_definition = "{groups-administrator}"
eligible = ["group:{staff}"]
longest = "8h"
ticket_required = true
ticket_pattern = "CHG[0-9]{4}"
ticket_check = "calendar"          # [tickets.calendar] of the broker's configuration

[[role]]
name = "user-admin"
title = "User Administrator"
way = "assignment"
role_definition = "{user-administrator}"
eligible = ["group:{staff}"]
longest = "2h"
ticket_required = true
ticket_check = "changes"           # reads the change, and looks at its state
ticket_unanswered = "allow"        # an outage there must not keep anybody from this one
"#;

pub(super) async fn tell(guide: &mut Guide, folder: &Path) -> Result<()> {
    guide.step("Two roles under tickets, and a ticket system beside the tenant")?;
    let mut stage = Stage::set(guide, folder, "").await?;
    stage.policy(POLICY).await?;
    let [ann] = stage.people(["ann"]).await?;
    stage.tenant.tickets().put("CHG0001", Change::in_state("Draft"));
    stage.guide.says("Tickets: CHG0001 is in the state Draft")?;
    stage.seen("the policy is in force")?;

    stage.step("A number that is none, a change that nobody knows, and one that is not approved yet")?;
    let ask = |number: &str| {
        format!("activate groups-admin --for 1h --ticket {number} --reason 'Move groups' --yes")
    };
    stage.refused(&ann, &ask("4711"), Exit::Usage, "its number must match").await?;
    stage.refused(&ann, &ask("CHG0009"), Exit::Refused, "there is no change CHG0009").await?;
    stage.refused(&ann, &ask("CHG0001"), Exit::Refused, "CHG0001 is in the state Draft").await?;
    stage.holds_nothing(&ANN).await?;
    stage.seen("refused before anybody signed in, the last two in the words of the ticket system")?;

    stage.step("The change is approved, for the next two hours")?;
    let until = stage.tenant.clock().now().checked_add(SignedDuration::from_hours(2))?;
    stage.tenant.tickets().put("CHG0001", Change { until: Some(until), ..Change::in_state(IMPLEMENT) });
    stage.guide.says("Tickets: CHG0001 is in the state Implement, for two hours")?;
    let too_long = "activate groups-admin --for 8h --ticket CHG0001 --reason 'Move groups' --yes";
    stage.refused(&ann, too_long, Exit::Refused, "not to be carried out at that time").await?;
    let id = stage.activates(&ann, "groups-admin --for 1h --ticket CHG0001", "Move groups").await?;
    stage.holds(&ANN, &GROUPS_ADMINISTRATOR).await?;
    stage.done(&ann, &format!("show {id}")).await?;
    let held = shown(&ann, &id).await?;
    ensure!(field(&held, "ticket_verdict") == "confirmed", "not confirmed: {held}");
    stage.done(&ann, &format!("deactivate {id}")).await?;
    stage.loses(&ANN, &GROUPS_ADMINISTRATOR).await?;
    until_over(&ann, &id, "deactivated").await?;
    stage.seen(
        "eight hours were too long for the change, one was not; the record says that it was confirmed",
    )?;

    stage.step("The ticket system is gone: one role waits for it, the other does not")?;
    let outage = stage.tenant.faults().tickets_outage();
    stage.guide.says("Tickets: every connection closes without an answer")?;
    stage.refused(&ann, &ask("CHG0001"), Exit::Unreachable, "could not be confirmed").await?;
    let id = stage.activates(&ann, "user-admin --for 30m --ticket CHG0001", "Reset a password").await?;
    stage.holds(&ANN, &USER_ADMINISTRATOR).await?;
    let held = shown(&ann, &id).await?;
    ensure!(field(&held, "ticket_verdict") == "unanswered", "not marked: {held}");
    stage.tenant.faults().clear(outage);
    stage.seen("what silence means is the role's choice, and the record says that nobody answered")
}
