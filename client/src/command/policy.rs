//! `elevate policy`: the eligible roles as data, under review like code.

use std::fs;
use std::path::{Path, PathBuf};

use elevate_proto::v1;

use crate::command::dry;
use crate::connect::Broker;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::render::{Look, clean, clean_line, json, time, words};
use crate::settings::read_named;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// What a policy would change. Changes nothing
    Plan {
        /// A TOML file, or a folder of them
        #[arg(value_name = "FILE")]
        path: PathBuf,
    },
    /// Put a policy into force
    Apply {
        /// A TOML file, or a folder of them
        #[arg(value_name = "FILE")]
        path: PathBuf,
        /// Do not ask whether to go on
        #[arg(long, short)]
        yes: bool,
        /// Show what would change, and whether you may, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// The policy in force, word for word
    Show,
}

pub(crate) async fn run(verb: Verb, context: &mut Context) -> Result<Exit> {
    match verb {
        Verb::Plan { path } => show_plan(&path, context).await,
        Verb::Apply { path, yes: _, dry_run: true } => {
            dry::needs(&context.broker().await?, "policy-admin").await?;
            show_plan(&path, context).await
        }
        Verb::Apply { path, yes, dry_run: false } => apply(&path, yes, context).await,
        Verb::Show => show(context).await,
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
    if !yes {
        if !context.console.can_ask() {
            return Err(Failure::usage("nobody is there to look at the plan")
                .advice("`--yes` applies it all the same"));
        }
        if !context.console.confirm("Apply it?").await? {
            return Err(Failure::new(Exit::Interrupted, "NOT_CONFIRMED", "nothing was applied"));
        }
    }
    let request = v1::ApplyPolicyRequest { text: source.text.clone(), current_version: plan.current_version };
    let applied = match broker.policy().apply_policy(broker.call(request)).await {
        Ok(policy) => policy.into_inner(),
        Err(status) => return Err(source.placed(status.into())),
    };
    let text = format!("Version {} of the policy is in force", applied.version);
    context.console.answer(&json::Policy::from(applied), || text)?;
    Ok(Exit::Ok)
}

async fn show(context: &mut Context) -> Result<Exit> {
    let broker = context.broker().await?;
    let policy = broker.policy().get_policy(broker.call(v1::GetPolicyRequest {})).await?.into_inner();
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

fn planned(look: &Look, plan: &v1::PlanPolicyResponse) -> String {
    let from = match plan.current_version {
        0 => "no policy is in force yet".to_owned(),
        version => format!("version {version} is in force"),
    };
    if plan.changes.is_empty() {
        return format!("No role changes; {from}");
    }
    let mut text = format!("{from}; this would change:");
    for change in &plan.changes {
        let (sign, colour) = match change.kind.as_str() {
            "added" => ("+", "32"),
            "removed" => ("-", "31"),
            _ => ("~", "33"),
        };
        let role = format!("{sign} {} ({})", clean_line(&change.role), clean_line(&change.kind));
        text.push_str(&format!("\n{}", look.paint(colour, &role)));
        for difference in &change.differences {
            text.push_str(&format!("\n    {}", clean_line(difference)));
        }
        for id in &change.live_activation_ids {
            text.push_str(&format!("\n    live, keeps its terms: {}", clean_line(id)));
        }
    }
    text
}

/// A policy's text, and which line of it came from where.
#[derive(Debug)]
struct Source {
    text: String,
    /// Name, and the first line in the text; empty for one file, whose lines are its own.
    files: Vec<(String, usize)>,
}

impl Source {
    /// One file, or all the `.toml` files of a folder, in the order of their names.
    fn read(path: &Path) -> Result<Self> {
        if !path.is_dir() {
            return Ok(Self { text: read_text(path)?, files: Vec::new() });
        }
        let unreadable = |error: std::io::Error| {
            Failure::usage(format!("cannot read the folder `{}`: {error}", path.display()))
        };
        let mut paths = Vec::new();
        for entry in fs::read_dir(path).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_some_and(|extension| extension == "toml") && path.is_file() {
                paths.push(path);
            }
        }
        paths.sort();
        if paths.is_empty() {
            return Err(Failure::usage(format!("the folder `{}` holds no .toml file", path.display())));
        }
        let mut whole = Self { text: String::new(), files: Vec::new() };
        for path in paths {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            whole.files.push((name, whole.text.lines().count() + 1));
            whole.text.push_str(read_text(&path)?.trim_end());
            whole.text.push('\n');
        }
        Ok(whole)
    }

    /// A failure whose places name the file that the person wrote.
    fn placed(&self, mut failure: Failure) -> Failure {
        for field in failure.fields_mut() {
            if let Some(placed) = self.place(field) {
                *field = placed;
            }
        }
        failure
    }

    /// `line 12: role[1].longest` as `people.toml line 3: role[1].longest`.
    fn place(&self, field: &str) -> Option<String> {
        let rest = field.strip_prefix("line ")?;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (line, rest) = rest.split_at_checked(digits)?;
        let line: usize = line.parse().ok()?;
        let (name, first) = self.files.iter().rev().find(|(_, first)| *first <= line)?;
        Some(format!("{name} line {}{rest}", line - first + 1))
    }
}

fn read_text(path: &Path) -> Result<String> {
    String::from_utf8(read_named(path, "the policy")?)
        .map_err(|_| Failure::usage(format!("`{}` holds no text", path.display())))
}
