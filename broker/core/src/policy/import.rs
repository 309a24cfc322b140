//! A first policy out of what a tenant holds today: who has which role for good, who is eligible in PIM, and on which
//! terms.
//!
//! Nothing is taken over in silence: what a policy cannot say stands beside the role as a comment. The same survey
//! gives the same text, word for word, so that two imports can be compared.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::files::{self, File};
use super::text::{PolicyFaults, ROLES_MAX, SUBJECTS_MAX};
use super::tier;
use crate::names::{DirectoryRole, ObjectId, Resource, RoleName, Scope, Subject, is_plain};

mod write;

/// What the file is called that says what an import is, and what became no role.
const PREFACE: &str = "00-import";
/// The most letters of a role's name that come from one of the tenant's.
const SLUG_MAX: usize = 40;
/// The most letters of a line that holds what the tenant calls something.
const LINE_MAX: usize = 400;
/// Who counts as an approver in PIM where a role names none: the active holders of these
/// (<https://learn.microsoft.com/entra/id-governance/privileged-identity-management/pim-how-to-change-default-settings>).
const DEFAULT_APPROVERS: [&str; 2] =
    ["62e90394-69f5-4237-9190-012177145e10", "e8611ab8-c189-46e8-94e1-60213ab1f814"];

/// What a tenant holds of privilege, as far as it could be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// Who holds or may activate what.
    pub holdings: Vec<Holding>,
    /// The terms in PIM; of a role for every scope, under the whole tenant.
    pub settings: BTreeMap<Resource, Settings>,
    /// What roles, groups, administrative units and other objects are called.
    pub names: BTreeMap<Uuid, String>,
    /// Whether the tenant has PIM.
    pub has_pim: bool,
    /// What could not be read, a sentence each.
    pub notes: Vec<String>,
}

/// Somebody has something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// Who.
    pub holder: Holder,
    /// What.
    pub what: Resource,
    /// How.
    pub basis: Basis,
    /// Until when; `None` for good.
    pub until: Option<Timestamp>,
}

/// How somebody has something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// They may activate it in PIM.
    Eligible,
    /// They hold it all the time.
    Standing,
}

/// Who has something, or may say yes to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Their object id.
    pub id: ObjectId,
    /// What they are.
    pub kind: HolderKind,
    /// What they are called.
    pub name: Option<String>,
}

/// What can hold a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HolderKind {
    /// Everybody in it.
    Group,
    /// A person.
    User,
    /// A service principal: it asks for nothing.
    Program,
    /// Something that is not there any more, or of another kind.
    Unknown,
}

/// The terms of one role in PIM, as far as they are understood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The longest activation.
    pub longest: Option<SignedDuration>,
    /// Whether somebody has to say yes.
    pub approval: bool,
    /// By whom, stage by stage. Empty lists are PIM's default.
    pub stages: Vec<Vec<Holder>>,
    /// Whether a ticket must be named.
    pub ticket: bool,
    /// Whether a second factor is asked for.
    pub second_factor: bool,
    /// Whether a reason is asked for.
    pub reason: bool,
    /// The authentication context that is asked for, as it is written there.
    pub context: Option<String>,
    /// What a policy has no word for.
    pub left_out: Vec<String>,
}

/// A policy to begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// One file a role, and before them one that says what became none.
    pub files: Vec<File>,
    /// The roles, in the order of their files.
    pub roles: Vec<ImportedRole>,
    /// What became no role, and what could not be read.
    pub notes: Vec<String>,
}

/// One role of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedRole {
    /// Its name.
    pub name: RoleName,
    /// What the tenant calls it.
    pub title: String,
    /// How many people and groups may ask for it.
    pub eligible: usize,
    /// How many of them hold it all the time today.
    pub standing: usize,
    /// What was not carried over.
    pub left_out: Vec<String>,
}

impl Imported {
    /// All of it as one text, which can be taken apart again.
    ///
    /// # Errors
    /// A file of it has a fault.
    pub fn text(&self) -> Result<String, PolicyFaults> {
        files::join(&self.files)
    }
}

/// One role before it is written.
#[derive(Debug)]
struct Draft<'s> {
    name: RoleName,
    title: String,
    what: Resource,
    /// What it counts for, in words.
    place: String,
    eligible: Vec<Offered<'s>>,
    settings: Option<&'s Settings>,
    stages: Vec<Vec<&'s Holder>>,
    has_pim: bool,
    left_out: Vec<String>,
}

/// Somebody who becomes eligible.
#[derive(Debug)]
struct Offered<'s> {
    subject: Subject,
    holder: &'s Holder,
    /// How they have it today, the ways sorted.
    has: Vec<(Basis, Option<Timestamp>)>,
}

/// The policy that says what the survey shows.
pub fn import(survey: &Survey) -> Imported {
    let mut found: BTreeMap<(String, Resource), Vec<&Holding>> = BTreeMap::new();
    for holding in &survey.holdings {
        let title = survey.title(&holding.what);
        found.entry((title.to_lowercase(), holding.what)).or_default().push(holding);
    }
    let mut notes: Vec<_> = survey.notes.iter().map(|note| plain(note)).collect();
    if !survey.has_pim {
        notes.push(
            "no PIM was found: only what is held for good is here, and every role is granted by the way `assignment`"
                .to_owned(),
        );
    }
    let mut names = BTreeSet::from([PREFACE.to_owned()]);
    let (mut roles, mut written) = (Vec::new(), Vec::new());
    for ((_, what), holdings) in found {
        match survey.draft(what, &holdings, &mut names) {
            Ok(_) if roles.len() == ROLES_MAX => {
                notes.push(format!("there are more than {ROLES_MAX} roles: {what} is left out"));
            }
            Ok(draft) => {
                written.push(File { name: format!("{}.toml", draft.name), text: write::role(&draft) });
                roles.push(draft.done());
            }
            Err(why) => notes.push(why),
        }
    }
    let mut files = vec![File { name: format!("{PREFACE}.toml"), text: write::preface(&notes, roles.len()) }];
    files.append(&mut written);
    Imported { files, roles, notes }
}

impl Survey {
    fn title(&self, what: &Resource) -> String {
        let known = self.names.get(&what.id()).map(|name| plain(name)).filter(|name| !name.is_empty());
        let known = known.or_else(|| match what {
            Resource::Role(role) => tier::power(role.definition).map(|power| power.title.to_owned()),
            Resource::Group(_) => None,
        });
        known.unwrap_or_else(|| what.id().to_string())
    }

    fn name_of(&self, object: ObjectId) -> Option<String> {
        self.names.get(&object.uuid()).map(|name| plain(name)).filter(|name| !name.is_empty())
    }

    /// One role, or why it becomes none.
    fn draft<'s>(
        &'s self,
        what: Resource,
        holdings: &[&'s Holding],
        names: &mut BTreeSet<String>,
    ) -> Result<Draft<'s>, String> {
        let title = self.title(&what);
        let (place, suffix) = self.place(&what);
        let mut left_out = Vec::new();
        let mut eligible: Vec<Offered<'_>> = Vec::new();
        for holding in holdings {
            let subject = match holding.holder.kind {
                HolderKind::User => Subject::User(holding.holder.id),
                HolderKind::Group => Subject::Group(holding.holder.id),
                HolderKind::Program | HolderKind::Unknown => {
                    left_out.push(stays(&holding.holder, holding.basis));
                    continue;
                }
            };
            let has = (holding.basis, holding.until);
            match eligible.iter_mut().find(|offered| offered.subject == subject) {
                Some(offered) => offered.has.push(has),
                None => eligible.push(Offered { subject, holder: &holding.holder, has: vec![has] }),
            }
        }
        for offered in &mut eligible {
            offered.has.sort();
            offered.has.dedup();
        }
        eligible.sort_by_key(|offered| (offered.holder.kind, called(offered.holder), offered.subject));
        for offered in eligible.iter().skip(SUBJECTS_MAX) {
            let who = called(offered.holder);
            left_out
                .push(format!("{who} ({}): a list has {SUBJECTS_MAX} at most; use a group", offered.subject));
        }
        eligible.truncate(SUBJECTS_MAX);
        left_out.sort();
        left_out.dedup();
        let whole = format!("{title}, {place}");
        if eligible.is_empty() {
            return Err(format!("no role of {whole}: nobody would be eligible; {}", left_out.join("; ")));
        }
        let settings = self.settings.get(&whole_tenant(what));
        let stages = match settings.filter(|settings| settings.approval) {
            Some(settings) => self.stages(settings, &mut left_out).ok_or_else(|| {
                format!("no role of {whole}: PIM asks for approval, and nobody is found who could give it")
            })?,
            None => Vec::new(),
        };
        left_out.extend(settings.iter().flat_map(|settings| &settings.left_out).map(|each| plain(each)));
        let name = unique(&format!("{}{suffix}", slug(&title)), names);
        Ok(Draft { name, title, what, place, eligible, settings, stages, has_pim: self.has_pim, left_out })
    }

    /// Who must say yes; `None` when that cannot be said. Never less than PIM asks for.
    fn stages<'s>(
        &'s self,
        settings: &'s Settings,
        left_out: &mut Vec<String>,
    ) -> Option<Vec<Vec<&'s Holder>>> {
        const UNNAMED: &[Vec<Holder>] = &[Vec::new()];
        let stages = if settings.stages.is_empty() { UNNAMED } else { settings.stages.as_slice() };
        let mut found = Vec::new();
        for stage in stages {
            let named: Vec<_> = if stage.is_empty() {
                left_out.push(
                    "PIM names no approvers, which means whoever is Global or Privileged Role Administrator: \
                     those who are it for good are named here"
                        .to_owned(),
                );
                self.default_approvers()
            } else {
                stage.iter().collect()
            };
            let mut able: Vec<&Holder> = Vec::new();
            for holder in named {
                let is_able = matches!(holder.kind, HolderKind::User | HolderKind::Group);
                if is_able && !able.iter().any(|other| other.id == holder.id) {
                    able.push(holder);
                } else if !is_able {
                    left_out.push(format!(
                        "{} approves in PIM, and is neither a person nor a group",
                        called(holder)
                    ));
                }
            }
            able.sort_by_key(|holder| (holder.kind, called(holder), holder.id));
            able.truncate(SUBJECTS_MAX);
            if able.is_empty() {
                return None;
            }
            found.push(able);
        }
        Some(found)
    }

    fn default_approvers(&self) -> Vec<&Holder> {
        let is_one = |what: &Resource| match what {
            Resource::Role(DirectoryRole { definition, scope: Scope::Tenant }) => {
                DEFAULT_APPROVERS.contains(&definition.to_string().as_str())
            }
            Resource::Role(_) | Resource::Group(_) => false,
        };
        let standing = |holding: &&Holding| holding.basis == Basis::Standing && is_one(&holding.what);
        let able = |holder: &&Holder| matches!(holder.kind, HolderKind::User | HolderKind::Group);
        self.holdings.iter().filter(standing).map(|holding| &holding.holder).filter(able).collect()
    }

    /// Where it counts, in words and as the end of a name.
    fn place(&self, what: &Resource) -> (String, String) {
        let within = |id: ObjectId, kind: &str| match self.name_of(id) {
            Some(name) => (format!("{kind} {name} ({id})"), slug(&name)),
            None => (format!("{kind} {id}"), slug(kind)),
        };
        match what {
            Resource::Role(DirectoryRole { scope: Scope::Tenant, .. }) => {
                ("for the whole tenant".to_owned(), String::new())
            }
            Resource::Role(DirectoryRole { scope: Scope::AdministrativeUnit(id), .. }) => {
                let (words, end) = within(*id, "unit");
                (format!("in the {words}"), format!("-in-{end}"))
            }
            Resource::Role(DirectoryRole { scope: Scope::Object(id), .. }) => {
                let (words, end) = within(*id, "object");
                (format!("over the {words}"), format!("-over-{end}"))
            }
            Resource::Group(membership) => {
                let relation = membership.relation;
                (format!("as {relation} of the group"), format!("-{relation}"))
            }
        }
    }
}

impl Draft<'_> {
    fn done(self) -> ImportedRole {
        let Self { name, title, eligible, left_out, .. } = self;
        let is_standing =
            |offered: &&Offered<'_>| offered.has.iter().any(|(basis, _)| *basis == Basis::Standing);
        let standing = eligible.iter().filter(is_standing).count();
        ImportedRole { name, title, eligible: eligible.len(), standing, left_out }
    }
}

/// PIM's terms are the same at every scope of a role.
const fn whole_tenant(what: Resource) -> Resource {
    match what {
        Resource::Role(DirectoryRole { definition, scope: _ }) => {
            Resource::Role(DirectoryRole { definition, scope: Scope::Tenant })
        }
        Resource::Group(membership) => Resource::Group(membership),
    }
}

fn stays(holder: &Holder, basis: Basis) -> String {
    let what = match holder.kind {
        HolderKind::Program => "a service principal asks for nothing",
        HolderKind::Group | HolderKind::User | HolderKind::Unknown => "it is neither a person nor a group",
    };
    let has = match basis {
        Basis::Standing => "holds it for good",
        Basis::Eligible => "is eligible in PIM",
    };
    format!("{} ({}) {has} and is left alone: {what}", called(holder), holder.id)
}

fn called(holder: &Holder) -> String {
    let name = holder.name.as_deref().map(plain).filter(|name| !name.is_empty());
    name.unwrap_or_else(|| "somebody without a name".to_owned())
}

/// What the tenant calls something, on one line and without letters that hide.
fn plain(text: &str) -> String {
    let kept: String = text.chars().filter(|letter| is_plain(*letter)).take(LINE_MAX).collect();
    kept.trim().to_owned()
}

/// Letters and digits of a name, with hyphens between.
fn slug(text: &str) -> String {
    let mut slug = String::new();
    for letter in text.chars().map(|letter| letter.to_ascii_lowercase()) {
        if letter.is_ascii_alphanumeric() {
            slug.push(letter);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() == SLUG_MAX {
            break;
        }
    }
    let slug = slug.trim_matches('-');
    if slug.is_empty() { "role".to_owned() } else { slug.to_owned() }
}

/// The name, or the name with a number behind it.
fn unique(wanted: &str, taken: &mut BTreeSet<String>) -> RoleName {
    let mut number = 1u32;
    loop {
        let end = if number == 1 { String::new() } else { format!("-{number}") };
        let room = RoleName::MAX.saturating_sub(end.len());
        let stem: String = wanted.chars().take(room).collect();
        let name = format!("{}{end}", stem.trim_matches('-'));
        number = number.saturating_add(1);
        if let Ok(name) = name.parse::<RoleName>()
            && taken.insert(name.to_string())
        {
            return name;
        }
    }
}

#[cfg(test)]
mod tests;
