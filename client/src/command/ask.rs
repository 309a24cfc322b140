//! Asking for a role: prepare, show, prove, request, wait. What every verb that asks has in common.

use std::path::PathBuf;
use std::time::Duration;

use elevate_proto::v1;
use uuid::Uuid;

use crate::binding::{self, Asked};
use crate::cli::SignInArgs;
use crate::command::follow::{follow, twice};
use crate::command::prove::{Bound, prove};
use crate::connect::Broker;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::profile::{self, Profile};
use crate::render::table::pairs;
use crate::render::{Look, clean, clean_line, json, seconds_as_written, time, words};
use crate::settings::read_named;

/// Above what any justification may be; the broker says what is too long.
const REASON_BYTES_MAX: u64 = 16 * 1024;

/// How it is asked for, whatever the verb.
#[derive(Debug, clap::Args)]
pub(crate) struct AskArgs {
    /// As `[profile.NAME]` in config.toml says; flags count before it
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// For how long: `2h`, `1h 30m` [default: the role's usual term]
    #[arg(long = "for", value_name = "TIME", value_parser = crate::cli::term)]
    pub(crate) term: Option<Duration>,
    /// At a narrower scope than the one that is offered: `/administrativeUnits/{id}` or `/{object id}`
    #[arg(long, value_name = "SCOPE")]
    pub(crate) scope: Option<String>,
    /// Why. Your shell keeps this in its history; leave it out to be asked
    #[arg(long, value_name = "TEXT", conflicts_with = "reason_file")]
    reason: Option<String>,
    /// Why, from a file; `-` is the standard input
    #[arg(long, value_name = "FILE")]
    reason_file: Option<PathBuf>,
    /// Under which ticket
    #[arg(long, value_name = "NUMBER")]
    ticket: Option<String>,
    /// The system that the ticket is in
    #[arg(long, value_name = "NAME")]
    ticket_system: Option<String>,
    /// Do not ask whether to go on
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Show what would be asked, and ask for nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) sign_in: SignInArgs,
}

/// What the broker makes of a wish: shown to the person, and found to be what was wished for.
#[derive(Debug)]
pub(crate) struct Prepared {
    ask: v1::PrepareActivationRequest,
    told: v1::PrepareActivationResponse,
    digest: String,
}

impl AskArgs {
    /// The roles that were named: on the command line, or by the profile.
    pub(crate) fn roles(&self, given: Vec<String>, context: &Context) -> Result<Vec<String>> {
        let profile = if given.is_empty() { self.profile(context)? } else { None };
        Ok(profile.map_or(given, |profile| profile.roles.clone()))
    }

    /// The one role that was named: on the command line, or by the profile.
    pub(crate) fn role(&self, given: Option<String>, context: &Context) -> Result<Option<String>> {
        let profile = self.profile(context)?;
        match (given, profile, &self.profile) {
            (Some(given), ..) => Ok(Some(given)),
            (None, Some(profile), Some(name)) => Ok(Some(profile.only_role(name)?.to_owned())),
            _ => Ok(None),
        }
    }

    /// Asks for how long, where nobody said: Enter is the role's usual term.
    pub(crate) async fn ask_for_term(
        &mut self,
        context: &mut Context,
        role: &v1::EligibleRole,
    ) -> Result<()> {
        let usual = seconds_as_written(role.usual_seconds);
        while self.term.is_none() {
            let answer = context.console.ask(&format!("for how long? [{usual}] ")).await?;
            match answer.as_deref() {
                None | Some("") => return Ok(()),
                Some(text) => match crate::cli::term(text) {
                    Ok(term) => self.term = Some(term),
                    Err(why) => context.console.warn(&clean_line(&why)),
                },
            }
        }
        Ok(())
    }

    /// Asks under which ticket, where nobody said.
    pub(crate) async fn ask_for_ticket(&mut self, context: &mut Context) -> Result<()> {
        if self.ticket.is_none() {
            let answer = context.console.ask("under which ticket? ").await?;
            self.ticket = answer.filter(|number| !number.is_empty());
        }
        Ok(())
    }

    /// The profile that was named.
    fn profile<'c>(&self, context: &'c Context) -> Result<Option<&'c Profile>> {
        self.profile.as_deref().map(|name| profile::named(&context.settings.file.profile, name)).transpose()
    }
}

/// What somebody wants: from the command line, else from the profile, else from the person.
pub(crate) async fn wish(
    args: &AskArgs,
    role: String,
    context: &mut Context,
) -> Result<v1::PrepareActivationRequest> {
    let profile = args.profile(context)?.cloned();
    let term = args.term.or_else(|| profile.as_ref()?.term);
    let ticket = ticket(args, profile.as_ref())?;
    let justification = justification(args, profile.as_ref(), &role, context).await?;
    Ok(v1::PrepareActivationRequest {
        role,
        term_seconds: term.map(|term| i64::try_from(term.as_secs()).unwrap_or(i64::MAX)).unwrap_or_default(),
        justification,
        ticket,
        scope: args.scope.clone().unwrap_or_default(),
        ..v1::PrepareActivationRequest::default()
    })
}

fn ticket(args: &AskArgs, profile: Option<&Profile>) -> Result<Option<v1::Ticket>> {
    let number = args.ticket.as_ref().or_else(|| profile?.ticket.as_ref());
    let system = args.ticket_system.as_ref().or_else(|| profile?.ticket_system.as_ref());
    match (number, system) {
        (Some(number), system) => Ok(Some(v1::Ticket {
            number: number.trim().to_owned(),
            system: system.map(|system| system.trim().to_owned()).unwrap_or_default(),
        })),
        // A profile may name the system alone, for the tickets that the command line names.
        (None, _) if args.ticket_system.is_none() => Ok(None),
        (None, _) => {
            Err(Failure::usage("a system without a ticket in it").advice("name it with `--ticket NUMBER`"))
        }
    }
}

/// Has the broker say what the wish means, and shows it. Changes nothing.
pub(crate) async fn prepare(
    ask: v1::PrepareActivationRequest,
    context: &mut Context,
    broker: &Broker,
) -> Result<Prepared> {
    let told = broker.activations().prepare_activation(broker.call(ask.clone())).await?.into_inner();
    show(context, &ask, &told);
    let digest = digest(&ask, &told)?;
    let challenge = told.challenge.clone().unwrap_or_default();
    binding::check(&challenge, &digest, action(&ask))?;
    Ok(Prepared { ask, told, digest })
}

/// What the sign-in is for, as the contract names it.
fn action(ask: &v1::PrepareActivationRequest) -> &'static str {
    match ask.kind() {
        v1::ActivationKind::Unspecified => "activate",
        v1::ActivationKind::BreakGlass => "break-glass",
    }
}

impl Prepared {
    /// What people call the role.
    pub(crate) fn title(&self) -> String {
        title(&self.told, &self.ask.role)
    }

    /// Ends a dry run: it has come as far as it can without a sign-in.
    pub(crate) fn would_be_asked(self, context: &mut Context) -> Result<Exit> {
        let text = format!(
            "Nothing was asked for. {} would be, as far as can be known before you sign in",
            self.title()
        );
        context.console.answer(&json::DryRun::asked(self.ask, self.told, self.digest), || text)?;
        Ok(Exit::Ok)
    }

    /// Has the person sign in for it, and asks.
    pub(crate) async fn request(
        &self,
        args: &AskArgs,
        context: &mut Context,
        broker: &Broker,
    ) -> Result<v1::Activation> {
        let request = self.signed(args, context, broker).await?;
        sent(broker, request).await
    }

    /// Has the person sign in for it. Nothing is asked for yet.
    pub(crate) async fn signed(
        &self,
        args: &AskArgs,
        context: &mut Context,
        broker: &Broker,
    ) -> Result<v1::RequestActivationRequest> {
        let challenge = self.told.challenge.clone().unwrap_or_default();
        let bound = Bound { challenge: &challenge, digest: &self.digest, action: action(&self.ask) };
        let proof = prove(context, broker, &bound, args.yes, &args.sign_in).await?;
        let ask = self.ask.clone();
        Ok(v1::RequestActivationRequest {
            request_id: Uuid::new_v4().to_string(),
            role: ask.role,
            term_seconds: self.told.term_seconds,
            justification: ask.justification,
            ticket: ask.ticket,
            policy_version: self.told.policy_version,
            proof: Some(proof),
            kind: ask.kind,
            starts_at: ask.starts_at,
            scope: ask.scope,
            continues: ask.continues,
        })
    }
}

/// Asks. From the moment that it is sent on it may be on record, also where nobody waits for the answer.
pub(crate) async fn sent(broker: &Broker, request: v1::RequestActivationRequest) -> Result<v1::Activation> {
    twice(|| {
        let (mut client, call) = (broker.activations(), broker.call(request.clone()));
        async move { client.request_activation(call).await }
    })
    .await
}

/// Waits until it is held or over, and tells each step on the way.
pub(crate) async fn wait(
    context: &mut Context,
    broker: Broker,
    asked: &v1::Activation,
) -> Result<v1::Activation> {
    let id = clean_line(&asked.id);
    context.console.say(&format!("Asked: {id}"));
    context.console.parting = Some(format!(
        "stopped waiting; the request stands. `elevate watch {id}` follows it again, `elevate withdraw {id}` takes it back"
    ));
    let ended = until_held(context, broker, &asked.id, "").await?;
    context.console.parting = None;
    Ok(ended)
}

/// Follows it until it is held or over, and tells each step, behind this.
pub(crate) async fn until_held(
    context: &mut Context,
    broker: Broker,
    id: &str,
    before: &str,
) -> Result<v1::Activation> {
    follow(context, broker, id, |context, activation| {
        let held = activation.state() == v1::ActivationState::Active;
        // What is to begin later is not waited for.
        if starts_later(context, activation) {
            return Ok(true);
        }
        if !held && activation.state() != v1::ActivationState::Closed {
            let state = words::state(&context.look(), activation);
            let detail = clean_line(&activation.detail);
            let state = format!("{before}{state}");
            context.console.say(&if detail.is_empty() { state } else { format!("{state}: {detail}") });
        }
        Ok(held)
    })
    .await
}

/// Whether it may begin, and not yet, because that was asked.
pub(crate) fn starts_later(context: &Context, activation: &v1::Activation) -> bool {
    let ahead = |at: Option<&prost_types::Timestamp>| time(at).is_some_and(|at| at > context.now());
    activation.state() == v1::ActivationState::Scheduled
        && ahead(activation.asked_start.as_ref())
        && ahead(activation.starts_at.as_ref())
}

/// An activation that is over without having been held, in a line.
pub(crate) fn not_held(context: &Context, activation: &v1::Activation, title: &str) -> String {
    let mut text = format!("{title}: {}", words::state(&context.look(), activation));
    let detail = clean_line(&activation.detail);
    if !detail.is_empty() {
        text.push_str(&format!(": {detail}"));
    }
    text
}

/// Why: from the command line, a file, the profile, or the person.
async fn justification(
    args: &AskArgs,
    profile: Option<&Profile>,
    role: &str,
    context: &mut Context,
) -> Result<String> {
    let text = match (&args.reason, &args.reason_file) {
        (Some(reason), _) => {
            context.console.hint(
                "--reason stays in your shell's history; leave it out to be asked, or use --reason-file",
            );
            reason.clone()
        }
        (None, Some(path)) if path.as_os_str() == "-" => context.console.read_all(REASON_BYTES_MAX).await?,
        (None, Some(path)) => String::from_utf8(read_named(path, "the reason in")?)
            .map_err(|_| Failure::usage(format!("`{}` holds no text", path.display())))?,
        (None, None) if profile.is_some_and(|profile| profile.reason.is_some()) => {
            profile.and_then(|profile| profile.reason.clone()).unwrap_or_default()
        }
        (None, None) if context.console.can_ask() => {
            let question = format!("why do you need {}? ", clean_line(role));
            context.console.ask(&question).await?.unwrap_or_default()
        }
        (None, None) => String::new(),
    };
    match text.trim() {
        "" => Err(Failure::new(Exit::Usage, "JUSTIFICATION_MISSING", "nobody said why the role is needed")
            .advice(
                "say it when asked in a terminal, or with `--reason-file FILE` (`-` is the standard input)",
            )),
        reason => Ok(reason.to_owned()),
    }
}

/// What exactly will be asked, before anybody signs in for it.
fn show(context: &mut Context, ask: &v1::PrepareActivationRequest, prepared: &v1::PrepareActivationResponse) {
    let body = body(&context.look_aside(), ask, prepared);
    let heading = match ask.kind() {
        v1::ActivationKind::Unspecified if !ask.continues.is_empty() => {
            "You are about to ask to go on longer. What you hold stays as it is, with its own end, until this takes \
             over; if it has not by that end, both are over. The time counts from when it takes over."
        }
        v1::ActivationKind::Unspecified => "You are about to ask for:",
        v1::ActivationKind::BreakGlass => {
            "You are about to break the glass. Nobody is asked, and everybody concerned is told. You cannot do it \
             again before somebody else has looked at it."
        }
    };
    context.console.warn(&format!("{heading}\n{body}"));
}

/// Every field of it, line by line.
pub(crate) fn body(
    look: &Look,
    ask: &v1::PrepareActivationRequest,
    prepared: &v1::PrepareActivationResponse,
) -> String {
    let target = prepared.directory_role.clone().unwrap_or_default();
    let requirement = prepared.challenge.as_ref().and_then(|challenge| challenge.requirement.as_ref());
    let approval = match prepared.requirements.as_slice() {
        [] => words::requirements(&[]),
        some => format!(
            "{}, within {}",
            words::requirements(some),
            seconds_as_written(prepared.approval_window_seconds)
        ),
    };
    let from = time(ask.starts_at.as_ref())
        .map(|at| format!("{}; from now on you cannot ask for it again", look.exact(at)))
        .unwrap_or_default();
    pairs(&[
        ("role", format!("{} ({})", title(prepared, &ask.role), clean_line(&ask.role))),
        ("what", words::directory_role(&target)),
        ("scope", words::place(&target)),
        ("from", from),
        ("for", seconds_as_written(prepared.term_seconds)),
        ("who", words::person(prepared.principal.as_ref())),
        ("why", clean(&ask.justification)),
        ("ticket", words::vouched(ask.ticket.as_ref(), prepared.ticket_verdict())),
        ("continues", clean_line(&ask.continues)),
        ("approval", approval),
        ("could approve", words::approvers(prepared.approvers.as_ref())),
        ("power", words::power(prepared.power.as_ref())),
        ("sign-in", requirement.map(words::proof).unwrap_or_default()),
    ])
}

/// The digest of what was shown. What the broker filled in must be what was asked, where something was.
pub(crate) fn digest(
    ask: &v1::PrepareActivationRequest,
    prepared: &v1::PrepareActivationResponse,
) -> Result<String> {
    let (Some(principal), Some(directory_role)) = (&prepared.principal, &prepared.directory_role) else {
        return Err(binding::foreign());
    };
    let place = binding::place(directory_role);
    if ask.term_seconds != 0 && ask.term_seconds != prepared.term_seconds
        || !ask.scope.is_empty() && ask.scope != place
    {
        return Err(binding::foreign());
    }
    let asked = Asked {
        principal,
        role: &ask.role,
        directory_role,
        place,
        term_seconds: prepared.term_seconds,
        starts_at: ask.starts_at.as_ref().map(|at| at.seconds),
        justification: &ask.justification,
        ticket: ask.ticket.as_ref(),
        policy_version: prepared.policy_version,
        continues: &ask.continues,
    };
    Ok(asked.digest())
}

pub(crate) fn title(prepared: &v1::PrepareActivationResponse, role: &str) -> String {
    match clean_line(&prepared.title) {
        title if title.is_empty() => clean_line(role),
        title => title,
    }
}
