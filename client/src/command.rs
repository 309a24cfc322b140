//! One file a verb, and what several of them share: `ask` (from a wish to a role that is held), `prove` (a fresh sign-in for one request) and `follow`
//! (waiting for an activation).

pub(crate) mod activate;
pub(crate) mod approve;
mod ask;
pub(crate) mod audit;
mod board;
pub(crate) mod break_glass;
mod bundle;
pub(crate) mod completions;
pub(crate) mod deactivate;
pub(crate) mod deny;
pub(crate) mod doctor;
mod dry;
pub(crate) mod exec;
pub(crate) mod explain;
pub(crate) mod extend;
mod follow;
pub(crate) mod freeze;
pub(crate) mod history;
pub(crate) mod list;
pub(crate) mod login;
mod logout;
pub(crate) mod man;
mod pending;
mod pick;
pub(crate) mod policy;
mod profiles;
mod prove;
pub(crate) mod review;
pub(crate) mod revoke;
mod roles;
pub(crate) mod show;
mod sweep;
pub(crate) mod watch;
mod whoami;
pub(crate) mod withdraw;

use crate::cli::Verb;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Result;

/// Does what the verb says.
pub(crate) async fn run(verb: Verb, context: &mut Context) -> Result<Exit> {
    match verb {
        Verb::Login(args) => login::run(args, context).await,
        Verb::Logout => logout::run(context).await,
        Verb::Whoami => whoami::run(context).await,
        Verb::Roles => roles::run(context).await,
        Verb::Activate(args) => activate::run(args, context).await,
        Verb::Exec(args) => exec::run(args, context).await,
        Verb::BreakGlass(args) => break_glass::run(args, context).await,
        Verb::Extend(args) => extend::run(args, context).await,
        Verb::Explain(args) => explain::run(args, context).await,
        Verb::List(args) => list::run(args, context).await,
        Verb::History(args) => history::run(args, context).await,
        Verb::Show(args) => show::run(args, context).await,
        Verb::Watch(args) => watch::run(args, context).await,
        Verb::Pending => pending::run(context).await,
        Verb::Approve(args) => approve::run(args, context).await,
        Verb::Deny(args) => deny::run(args, context).await,
        Verb::Review(verb) => review::run(verb, context).await,
        Verb::Deactivate(args) => deactivate::run(args, context).await,
        Verb::Withdraw(args) => withdraw::run(args, context).await,
        Verb::Revoke(args) => revoke::run(args, context).await,
        Verb::Freeze(args) => freeze::freeze(args, context).await,
        Verb::Thaw(args) => freeze::thaw(args, context).await,
        Verb::Sweep => sweep::run(context).await,
        Verb::Policy(verb) => policy::run(verb, context).await,
        Verb::Audit(verb) => audit::run(verb, context).await,
        Verb::Profiles => profiles::run(context),
        Verb::Doctor => doctor::run(context).await,
        Verb::Completions(args) => completions::run(&args, context),
        Verb::Man(args) => man::run(&args, context),
    }
}
