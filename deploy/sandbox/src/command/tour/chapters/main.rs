//! The main story: a role asked for, approved, held, ended and on record; and a broker that is killed.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use elevate_client::Exit;
use elevate_sandbox::Strength;
use elevate_sandbox::people::{ANN, BOB, GROUPS_ADMINISTRATOR, USER_ADMINISTRATOR};

use crate::command::tour::guide::Guide;
use crate::command::tour::stage::{Stage, until_newest, until_over};
use crate::command::up::POLICY;

pub(super) async fn tell(guide: &mut Guide, folder: &Path) -> Result<()> {
    guide.step("A tenant and a broker, over TLS, in a folder of their own")?;
    let mut stage = Stage::set(guide, folder, "").await?;
    stage.seen("the broker says it is ready")?;
    let reason = folder.join("reason.txt");
    std::fs::write(&reason, "Move the sales team's groups (CHG0042)")?;
    let reason = format!("--reason-file {}", reason.display());
    asked_and_held(&mut stage, &reason).await?;
    refusals(&mut stage, &reason).await?;
    killed(&mut stage, &reason).await
}

async fn asked_and_held(stage: &mut Stage<'_>, reason: &str) -> Result<()> {
    let [ann, bob, eve] = ["ann", "bob", "eve"].map(|name| stage.person(name));

    stage.step("Eve, policy admin, says who may have what")?;
    stage.done(&eve, "login").await?;
    let policy = stage.folder.join("policy.toml");
    std::fs::write(&policy, POLICY)?;
    stage.done(&eve, &format!("policy apply --yes {}", policy.display())).await?;
    stage.seen("a policy is in force")?;

    stage.step("Ann is eligible, and holds nothing")?;
    stage.done(&ann, "login").await?;
    stage.done(&ann, "roles").await?;
    stage.holds_nothing(&ANN).await?;
    stage.seen("Graph shows no role of Ann's")?;

    stage.step("Ann asks, with a fresh sign-in and a reason; nothing is granted yet")?;
    let ask = format!("activate groups-admin --for 15s {reason} --yes");
    let asking = tokio::spawn({
        let (ann, ask) = (ann.clone(), ask.clone());
        async move { ann.types(&ask.split(' ').collect::<Vec<_>>()).await }
    });
    let id = until_newest(&ann, "awaiting_approval").await?;
    stage.holds_nothing(&ANN).await?;
    stage.seen("the request waits for a second person, and Graph shows nothing")?;

    stage.step("Bob, an approver, sees it and says yes, with a fresh sign-in of his own")?;
    stage.done(&bob, "login").await?;
    stage.done(&bob, "pending").await?;
    stage.done(&bob, &format!("approve {id} --yes")).await?;
    stage.seen("the yes is recorded")?;

    stage.step("Ann holds the role")?;
    let told = asking.await?;
    stage.show(&ann, &ask, "", &told)?;
    ensure!(told.exit == Exit::Ok, "Ann's request ended with {:?}", told.exit);
    stage.holds(&ANN, &GROUPS_ADMINISTRATOR).await?;
    stage.seen("Graph shows the assignment")?;

    stage.step("Time runs out")?;
    tokio::time::sleep(Duration::from_secs(12)).await;
    let waited = stage.loses(&ANN, &GROUPS_ADMINISTRATOR).await?;
    until_over(&ann, &id, "expired").await?;
    stage.done(&ann, &format!("show {id}")).await?;
    stage.seen(&format!(
        "after {} s more Graph shows nothing, and the record says how it ended",
        waited.as_secs() + 12
    ))?;

    stage.step("The record of it, as Eve, auditor, reads it")?;
    stage.done(&eve, &format!("audit list --activation {id}")).await?;
    let record = eve.types(&["audit", "list", "--activation", &id, "--output", "json"]).await.out;
    for event in ["requested", "approved", "activation-begun", "activated", "revocation-begun", "removed"] {
        ensure!(record.contains(event), "the record lacks `{event}`");
    }
    stage.seen("asked, approved, begun, held, ended, gone: each has its entry")
}

async fn refusals(stage: &mut Stage<'_>, reason: &str) -> Result<()> {
    let [ann, bob] = ["ann", "bob"].map(|name| stage.person(name));

    stage.step("Bob asks for himself, and may not approve it himself")?;
    stage.done(&bob, &format!("activate groups-admin --for 1m {reason} --yes --no-wait")).await?;
    let own = until_newest(&bob, "awaiting_approval").await?;
    let approve = format!("approve {own} --yes");
    stage.refused(&bob, &approve, Exit::Refused, "nobody approves their own").await?;
    stage.holds_nothing(&BOB).await?;
    stage.seen("refused, with the reason; Graph shows nothing")?;

    stage.step("A sign-in that is too weak buys nothing")?;
    let weak = ann.signing_in_with(Strength::Mfa);
    let ask = format!("activate user-admin --for 10s {reason} --yes");
    stage.refused(&weak, &ask, Exit::Refused, "not strong enough").await?;
    stage.holds_nothing(&ANN).await?;
    stage.seen("the role asks for a passkey, and a telephone is none")
}

async fn killed(stage: &mut Stage<'_>, reason: &str) -> Result<()> {
    let ann = stage.person("ann");

    stage.step("Ann activates a role that needs no approval, and the broker is killed with -9")?;
    stage.done(&ann, &format!("activate user-admin --for 10s {reason} --yes")).await?;
    let id = until_newest(&ann, "active").await?;
    stage.holds(&ANN, &USER_ADMINISTRATOR).await?;
    stage.kill_broker().await?;
    stage.seen("the role is live and nobody watches over it")?;

    stage.step("Its end passes while the broker is dead")?;
    tokio::time::sleep(Duration::from_secs(12)).await;
    stage.holds(&ANN, &USER_ADMINISTRATOR).await?;
    stage.seen("Graph still shows the role: only the broker takes it away, and it is down")?;

    stage.step("The broker starts again")?;
    stage.start_broker().await?;
    let waited = stage.loses(&ANN, &USER_ADMINISTRATOR).await?;
    stage.seen(&format!("the role was gone {:.1} s after it was ready", waited.as_secs_f32()))?;

    stage.step("And the record knows it")?;
    until_over(&ann, &id, "expired").await?;
    stage.done(&ann, &format!("show {id}")).await?;
    stage.stop_broker().await?;
    stage.seen("closed as expired, and the broker ends in order when told to")
}
