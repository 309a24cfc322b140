//! `[tickets.NAME]`: ticket systems that can say yes or no. They are written in the file only: no variable of the
//! environment names one.

use std::time::Duration;

use elevate_core::document::{Faults, Table};
use elevate_core::policy::CheckName;

use super::Reader;
use crate::tickets::{Address, Form, Secret, ShownAs, System};

/// The most systems, and the most values that count as a yes.
const SYSTEMS_MAX: usize = 50;
const ACCEPTED_MAX: usize = 50;

/// How long a system may take, and how long it has when nothing is said.
const DEADLINE_MIN: Duration = Duration::from_millis(100);
const DEADLINE_MAX: Duration = Duration::from_secs(20);
const DEADLINE: Duration = Duration::from_secs(5);

impl Reader<'_> {
    pub(super) fn tickets(&self, section: &mut Table, faults: &mut Faults) -> Option<Vec<System>> {
        let tables = section.named_tables(faults);
        if tables.len() > SYSTEMS_MAX {
            section.fault(faults, "", format!("names {}; {SYSTEMS_MAX} is the most", tables.len()));
        }
        tables
            .into_iter()
            .map(|(name, table)| match name.parse() {
                Ok(name) => self.system(name, table, faults),
                Err(error) => {
                    table.fault(faults, "", format!("is wrong: {error}"));
                    None
                }
            })
            .collect()
    }

    fn system(&self, name: CheckName, mut table: Table, faults: &mut Faults) -> Option<System> {
        let form = form(&mut table, faults);
        let deadline = if table.has("deadline") {
            let deadline = table.text::<humantime::Duration>("deadline", faults).map(Duration::from);
            let fits = deadline.is_none_or(|time| (DEADLINE_MIN..=DEADLINE_MAX).contains(&time));
            if !fits {
                table.fault(faults, "deadline", "must be from 100ms to 20s: somebody waits for it");
            }
            deadline
        } else {
            Some(DEADLINE)
        };
        let ca = self.file(&mut table, "ca", false, faults);
        let file = self.file(&mut table, "secret_file", false, faults);
        let says_how = table.has("secret_as");
        let shown = if says_how { table.text("secret_as", faults) } else { Some(ShownAs::Bearer) };
        if says_how && file.is_none() {
            table.fault(faults, "secret_as", "says how a secret is shown, and `secret_file` names none");
        }
        table.finish(faults);
        let secret = match file {
            Some(file) => Some(Secret { file, shown: shown? }),
            None => None,
        };
        Some(System { name, form: form?, deadline: deadline?, secret, ca })
    }
}

fn form(table: &mut Table, faults: &mut Faults) -> Option<Form> {
    let url: Option<Address> = table.required("url", faults);
    let is_lookup = ["number_pointer", "state_pointer", "accepted"].iter().any(|key| table.has(key));
    if let Some(url) = &url
        && url.names_a_number() != is_lookup
    {
        let problem = if is_lookup {
            "must have `{number}` in it where `number_pointer`, `state_pointer` and `accepted` say what is read there"
        } else {
            "has `{number}` in it: say with `number_pointer`, `state_pointer` and `accepted` what is read there"
        };
        table.fault(faults, "url", problem);
    }
    if !is_lookup {
        return url.map(Form::Question);
    }
    let number = pointer(table, "number_pointer", "`/result/0/number`", faults);
    let state = pointer(table, "state_pointer", "`/result/0/state`", faults);
    let accepted: Option<Vec<String>> = table.texts("accepted", faults);
    if accepted
        .as_ref()
        .is_none_or(|all| all.is_empty() || all.len() > ACCEPTED_MAX || all.iter().any(String::is_empty))
    {
        table.fault(faults, "accepted", format!("must name 1 to {ACCEPTED_MAX} states that are a yes"));
    }
    Some(Form::Lookup { url: url?, number: number?, state: state?, accepted: accepted? })
}

fn pointer(table: &mut Table, key: &str, such_as: &str, faults: &mut Faults) -> Option<String> {
    let pointer: Option<String> = table.required(key, faults);
    if pointer.as_ref().is_some_and(|pointer| !pointer.starts_with('/')) {
        table.fault(faults, key, format!("must be a JSON pointer such as {such_as}"));
    }
    pointer
}
