//! A record as a released version leaves it, with an activation in every state and by every way, and what must become
//! of each under every later version. `--bin crash -- golden` writes one with the version at hand.
//!
//! ```text
//! tests/golden/0.1.0/
//!   record/log/… record/anchor.*     as the broker left them when it was told to end; no index: it is made again
//!   directory                        what the tenant held then, a line each: see [`Line`]
//!   then                             what time it was
//!   expected                         activation, how it stood then, how it must end
//! ```
//!
//! The record ends frozen.

mod writing;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use elevate_proto::v1 as api;
use elevate_sandbox::directory::{Directory, Privilege, Relation, ScheduleRequest};
use elevate_sandbox::people::BROKER;
use jiff::Timestamp;

use super::copy;
use crate::{State, World};

pub use writing::write;

/// One activation of a golden record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Which.
    pub id: String,
    /// How it stood when the record was written: see [`stands`].
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

/// How an activation stands: its state, once it is over its outcome, and how far the sign-out after it has come.
pub fn stands(shown: &api::Activation) -> String {
    let stands = match shown.state() {
        State::Closed => format!("{:?}", shown.outcome()),
        state => format!("{state:?}"),
    };
    match &shown.signed_out {
        Some(sign_out) => format!("{stands}+{}", sign_out.word),
        None => stands,
    }
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
            let [id, was, ends] = words[..] else { bail!("`{line}` is not three words") };
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
            Line::parse(line)?.put_back(world.tenant.directory())?;
        }
        copy(&self.folder.join("record"), &world.store())?;
        Ok(world)
    }
}

/// Something that the tenant held:
///
/// ```text
/// role PRINCIPAL ROLE SCOPE
/// place PRINCIPAL GROUP member|owner
/// pim PRINCIPAL role|group ROLE|GROUP SCOPE|member|owner REQUEST START END JUSTIFICATION…
/// ```
#[derive(Debug)]
enum Line {
    Role { principal: String, role: String, scope: String },
    Place { principal: String, group: String, relation: Relation },
    Pim(Box<ScheduleRequest>),
}

impl Line {
    /// Everything that is held and was not there from the start.
    fn all(directory: &Directory, since: Timestamp) -> Vec<Self> {
        let roles = directory.assignments().into_iter().filter(|held| held.schedule.is_none());
        let roles =
            roles.map(|held| Self::Role { principal: held.principal, role: held.role, scope: held.scope });
        let places = directory
            .every_membership()
            .into_iter()
            .filter(|held| held.schedule.is_none() && held.life.lasts() && held.life.born >= since);
        let places = places.map(|held| Self::Place {
            principal: held.object,
            group: held.group,
            relation: held.relation,
        });
        let schedules = directory.schedules();
        let requests = directory.requests().into_iter();
        let requests = requests.filter(|request| schedules.iter().any(|made| made.request == request.id));
        roles.chain(places).chain(requests.map(|request| Self::Pim(Box::new(request)))).collect()
    }

    fn text(&self) -> String {
        match self {
            Self::Role { principal, role, scope } => format!("role {principal} {role} {scope}"),
            Self::Place { principal, group, relation } => {
                format!("place {principal} {group} {}", relation.word())
            }
            Self::Pim(request) => {
                let what = match &request.what {
                    Privilege::Role { role, scope } => format!("role {role} {scope}"),
                    Privilege::Group { group, relation } => format!("group {group} {}", relation.word()),
                };
                let time = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
                let (start, end) = (time(request.start), time(request.end));
                let why = request.justification.as_deref().unwrap_or_default();
                format!("pim {} {what} {} {start} {end} {why}", request.principal, request.id)
            }
        }
    }

    fn parse(line: &str) -> Result<Self> {
        let words: Vec<&str> = line.splitn(9, ' ').collect();
        let own = |word: &str| word.to_owned();
        match words[..] {
            ["role", principal, role, scope] => {
                Ok(Self::Role { principal: own(principal), role: own(role), scope: own(scope) })
            }
            ["place", principal, group, place] => {
                Ok(Self::Place { principal: own(principal), group: own(group), relation: relation(place)? })
            }
            ["pim", principal, kind, what, at, id, start, end, why] => {
                let what = match kind {
                    "role" => Privilege::Role { role: own(what), scope: own(at) },
                    _ => Privilege::Group { group: own(what), relation: relation(at)? },
                };
                let start: Timestamp = start.parse()?;
                Ok(Self::Pim(Box::new(ScheduleRequest {
                    id: own(id),
                    action: "adminAssign",
                    status: "Provisioned",
                    principal: own(principal),
                    schedule: Some(match &what {
                        Privilege::Role { .. } => own(id),
                        Privilege::Group { group, relation } => format!("{group}_{}_{id}", relation.word()),
                    }),
                    what,
                    justification: Some(own(why)),
                    ticket: (None, None),
                    created_by: own(BROKER.object_id),
                    created: start,
                    completed: Some(start),
                    start: Some(start),
                    end: Some(end.parse()?),
                    expiration: "afterDateTime",
                    duration: None,
                })))
            }
            _ => bail!("`{line}` is nothing that a tenant holds"),
        }
    }

    fn put_back(self, directory: &Directory) -> Result<()> {
        match self {
            Self::Role { principal, role, scope } => {
                directory.assign_in_portal(&principal, &role, &scope)?;
            }
            Self::Place { principal, group, relation: Relation::Member } => {
                directory.add_member(&group, &principal)?;
            }
            Self::Place { principal, group, relation: Relation::Owner } => {
                directory.add_owner(&group, &principal)?;
            }
            Self::Pim(request) => directory.put_back(*request),
        }
        Ok(())
    }
}

fn relation(word: &str) -> Result<Relation> {
    match word {
        "member" => Ok(Relation::Member),
        "owner" => Ok(Relation::Owner),
        _ => bail!("`{word}` is no place in a group"),
    }
}
