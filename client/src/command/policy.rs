//! `elevate policy`: the eligible roles as data, under review like code.

use std::path::{Path, PathBuf};

use elevate_proto::v1;

use crate::command::dry;
use crate::connect::Broker;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::render::{clean, json, time, words};

mod check;
mod export;
mod import;
mod place;
mod planned;
mod second;
mod source;

use planned::planned;
use source::Source;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Read a policy, run its tests, and warn of what looks like a mistake. Needs no broker, and so cannot know whether
    /// the broker is configured for a `ticket_check`: `plan` can
    Lint {
        /// A TOML file, or a folder of them
        #[arg(value_name = "PATH")]
        path: PathBuf,
        /// Let a warning count as a failure
        #[arg(long)]
        strict: bool,
    },
    /// Run the tests of a policy. Needs no broker
    Test {
        /// A TOML file, or a folder of them
        #[arg(value_name = "PATH")]
        path: PathBuf,
    },
    /// What a policy would change, and for whom. Changes nothing
    Plan {
        /// A TOML file, or a folder of them
        #[arg(value_name = "PATH")]
        path: PathBuf,
    },
    /// Put a policy into force
    Apply {
        /// A TOML file, or a folder of them
        #[arg(value_name = "PATH")]
        path: PathBuf,
        /// Do not ask whether to go on
        #[arg(long, short)]
        yes: bool,
        /// Show what would change, and whether you may, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Put into force what another policy admin has proposed
    Confirm {
        /// Do not ask whether to go on
        #[arg(long, short)]
        yes: bool,
    },
    /// The policy in force, word for word
    Show {
        /// What is proposed and waits to be confirmed, instead
        #[arg(long)]
        proposed: bool,
    },
    /// Make a first policy out of what the tenant holds today: who holds a role for good, or is eligible in PIM
    Import {
        /// A file that is not there yet, or a folder without TOML files; standard output when it is left out
        #[arg(value_name = "PATH")]
        path: Option<PathBuf>,
        /// Write over files that are there
        #[arg(long)]
        force: bool,
    },
    /// Write the policy in force into a file, or into a folder as the files it was applied from
    Export {
        /// A file that is not there yet, or a folder without TOML files; standard output when it is left out
        #[arg(value_name = "PATH")]
        path: Option<PathBuf>,
        /// An earlier version, from the record
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
        version: Option<i64>,
        /// Write over files that are there
        #[arg(long)]
        force: bool,
    },
}

pub(crate) async fn run(verb: Verb, context: &mut Context) -> Result<Exit> {
    match verb {
        Verb::Lint { path, strict } => check::lint(&path, strict, context),
        Verb::Test { path } => check::test(&path, context),
        Verb::Plan { path } => show_plan(&path, context).await,
        Verb::Apply { path, yes: _, dry_run: true } => {
            dry::needs(&context.broker().await?, "policy-admin").await?;
            show_plan(&path, context).await
        }
        Verb::Apply { path, yes, dry_run: false } => apply(&path, yes, context).await,
        Verb::Confirm { yes } => second::confirm(yes, context).await,
        Verb::Show { proposed: true } => second::show(context).await,
        Verb::Show { proposed: false } => show(context).await,
        Verb::Import { path, force } => import::run(path.as_deref(), force, context).await,
        Verb::Export { path, version, force } => export::run(path.as_deref(), version, force, context).await,
    }
}

async fn show_plan(path: &Path, context: &mut Context) -> Result<Exit> {
    let source = Source::read(path)?;
    let broker = context.broker().await?;
    let plan = plan(&broker, &source).await?;
    let text = planned(&context.look(), &plan);
    context.console.answer(&json::Plan::from(plan), || text)?;
    Ok(Exit::Ok)
}

async fn plan(broker: &Broker, source: &Source) -> Result<v1::PlanPolicyResponse> {
    let request = v1::PlanPolicyRequest { text: source.text.clone() };
    match broker.policy().plan_policy(broker.call(request)).await {
        Ok(plan) => Ok(plan.into_inner()),
        Err(status) => Err(source.placed(status.into())),
    }
}

async fn apply(path: &Path, yes: bool, context: &mut Context) -> Result<Exit> {
    let source = Source::read(path)?;
    let broker = context.broker().await?;
    let plan = plan(&broker, &source).await?;
    let told = planned(&context.look_aside(), &plan);
    context.console.warn(&told);
    agreed(yes, "Apply it?", "applied", context).await?;
    let request = v1::ApplyPolicyRequest { text: source.text.clone(), current_version: plan.current_version };
    let applied = match broker.policy().apply_policy(broker.call(request)).await {
        Ok(policy) => policy.into_inner(),
        Err(status) => {
            let failure = source.placed(status.into());
            return if failure.reason() == "SECOND_PERSON_NEEDED" {
                second::propose(source.text, plan.current_version, &failure, &broker, context).await
            } else {
                Err(failure)
            };
        }
    };
    in_force(applied, context)
}

/// Whether the person has looked at the plan and goes on.
async fn agreed(yes: bool, question: &str, done: &str, context: &mut Context) -> Result<()> {
    if yes {
        return Ok(());
    }
    if !context.console.can_ask() {
        return Err(Failure::usage("nobody is there to look at the plan")
            .advice(format!("with `--yes` it is {done} all the same")));
    }
    if context.console.confirm(question).await? {
        Ok(())
    } else {
        Err(Failure::new(Exit::Interrupted, "NOT_CONFIRMED", format!("nothing was {done}")))
    }
}

fn in_force(applied: v1::Policy, context: &mut Context) -> Result<Exit> {
    let text = format!("Version {} of the policy is in force", applied.version);
    context.console.answer(&json::Policy::from(applied), || text)?;
    Ok(Exit::Ok)
}

async fn show(context: &mut Context) -> Result<Exit> {
    let broker = context.broker().await?;
    let policy =
        broker.policy().get_policy(broker.call(v1::GetPolicyRequest { version: 0 })).await?.into_inner();
    let at = time(policy.applied_at.as_ref()).map(|at| context.look().time(at)).unwrap_or_default();
    // Beside the text, not in it: what goes to stdout can be applied again.
    let by = words::person(policy.applied_by.as_ref());
    if !context.console.is_json() {
        context.console.say(&format!("version {}, applied by {by} at {at}", policy.version));
    }
    let text = shown(&policy.text);
    context.console.answer(&json::Policy::from(policy), || text)?;
    Ok(Exit::Ok)
}

/// Line by line, so that tabs survive and nothing else of that kind does.
fn shown(text: &str) -> String {
    text.lines()
        .map(|line| line.split('\t').map(clean).collect::<Vec<_>>().join("\t"))
        .collect::<Vec<_>>()
        .join("\n")
}
