//! The chapters there are, in the order in which `--all` tells them: one file each.

mod account_closed;
mod approval;
mod break_glass;
mod bundle;
mod command_line;
mod credentials;
mod device_code;
mod ending_early;
mod exec;
mod explain;
mod extend;
mod freeze;
mod groups;
mod main;
mod narrower_approval;
mod narrower_scope;
mod notices;
mod outage;
mod policy_as_code;
mod policy_import;
mod revoking;
mod sign_out;
mod starting_later;
mod tickets;

use std::path::Path;
use std::pin::Pin;

use anyhow::Result;

use super::guide::Guide;

/// A chapter being told. It fails where something is not as it says.
pub(super) type Telling<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// A chapter of the tour.
#[derive(Clone, Copy)]
pub(super) struct Chapter {
    /// What `--chapter` takes.
    pub(super) name: &'static str,
    /// What it is about, in a line.
    pub(super) about: &'static str,
    /// Tells it, in a folder of its own.
    pub(super) tell: for<'a> fn(&'a mut Guide, &'a Path) -> Telling<'a>,
}

pub(super) const CHAPTERS: &[Chapter] = &[
    Chapter {
        name: "main",
        about: "ask, approve, hold, end; and a broker that is killed",
        tell: |guide, folder| Box::pin(main::tell(guide, folder)),
    },
    Chapter {
        name: "approval",
        about: "two requirements, a denial, an approver who is none any more, a window that closes",
        tell: |guide, folder| Box::pin(approval::tell(guide, folder)),
    },
    Chapter {
        name: "narrower-approval",
        about: "a yes to less time and to one unit, a yes to more, and a yes to one's own",
        tell: |guide, folder| Box::pin(narrower_approval::tell(guide, folder)),
    },
    Chapter {
        name: "starting-later",
        about: "approved today, held tomorrow, over a kill of the broker",
        tell: |guide, folder| Box::pin(starting_later::tell(guide, folder)),
    },
    Chapter {
        name: "narrower-scope",
        about: "one unit of the tenant, one application, and never more than is offered",
        tell: |guide, folder| Box::pin(narrower_scope::tell(guide, folder)),
    },
    Chapter {
        name: "groups",
        about: "places in groups, members and owners, by hand and by PIM for Groups",
        tell: |guide, folder| Box::pin(groups::tell(guide, folder)),
    },
    Chapter {
        name: "bundle",
        about: "three roles by one sign-in, one yes for two of them, each with an end of its own, and a no to all",
        tell: |guide, folder| Box::pin(bundle::tell(guide, folder)),
    },
    Chapter {
        name: "ending-early",
        about: "withdraw, deactivate, revoke; and the first five minutes of PIM",
        tell: |guide, folder| Box::pin(ending_early::tell(guide, folder)),
    },
    Chapter {
        name: "exec",
        about: "a role for one command, which is given back when the tool is killed too",
        tell: |guide, folder| Box::pin(exec::tell(guide, folder)),
    },
    Chapter {
        name: "break-glass",
        about: "an emergency: nobody is asked, everybody is told, somebody looks at it after",
        tell: |guide, folder| Box::pin(break_glass::tell(guide, folder)),
    },
    Chapter {
        name: "extend",
        about: "another activation takes over what is held, without a cut; or comes too late",
        tell: |guide, folder| Box::pin(extend::tell(guide, folder)),
    },
    Chapter {
        name: "outage",
        about: "lost answers, a kill in the middle of a grant, a Graph that is down at the end",
        tell: |guide, folder| Box::pin(outage::tell(guide, folder)),
    },
    Chapter {
        name: "notices",
        about: "who hears of what, also when the broker is killed in between",
        tell: |guide, folder| Box::pin(notices::tell(guide, folder)),
    },
    Chapter {
        name: "tickets",
        about: "a ticket that its own system confirms, denies, or says nothing of",
        tell: |guide, folder| Box::pin(tickets::tell(guide, folder)),
    },
    Chapter {
        name: "explain",
        about: "why a role may be asked for or not, who could say yes, what it can do",
        tell: |guide, folder| Box::pin(explain::tell(guide, folder)),
    },
    Chapter {
        name: "policy-as-code",
        about: "lint, test, plan, apply, export; and a rule that takes two people",
        tell: |guide, folder| Box::pin(policy_as_code::tell(guide, folder)),
    },
    Chapter {
        name: "policy-import",
        about: "a first policy out of what the tenant holds, on PIM's terms, and what no policy can say",
        tell: |guide, folder| Box::pin(policy_import::tell(guide, folder)),
    },
    Chapter {
        name: "revoking",
        about: "much at once, shown first; one that cannot be removed stops no other",
        tell: |guide, folder| Box::pin(revoking::tell(guide, folder)),
    },
    Chapter {
        name: "freeze",
        about: "nothing new for anybody, over a kill of the broker too",
        tell: |guide, folder| Box::pin(freeze::tell(guide, folder)),
    },
    Chapter {
        name: "sign-out",
        about: "sign-in sessions that end after the role, and what that does not reach",
        tell: |guide, folder| Box::pin(sign_out::tell(guide, folder)),
    },
    Chapter {
        name: "account-closed",
        about: "an account that is disabled or deleted, and a Graph that does not answer",
        tell: |guide, folder| Box::pin(account_closed::tell(guide, folder)),
    },
    Chapter {
        name: "command-line",
        about: "profiles, dry runs, history, answers for programs, the manual",
        tell: |guide, folder| Box::pin(command_line::tell(guide, folder)),
    },
    Chapter {
        name: "device-code",
        about: "off as it comes; a session by it, and never a proof",
        tell: |guide, folder| Box::pin(device_code::tell(guide, folder)),
    },
    Chapter {
        name: "credentials",
        about: "who the broker is to Graph, without a key of its own",
        tell: |guide, folder| Box::pin(credentials::tell(guide, folder)),
    },
];
