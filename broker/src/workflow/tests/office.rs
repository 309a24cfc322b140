//! A ticket system that says what it is told to.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use elevate_core::policy::CheckName;
use jiff::Timestamp;

use super::outside::Gate;
use crate::ports::Tickets;
use crate::ports::tickets::{Question, Said};

/// It is called `changes`. What it was not told of it refuses.
#[derive(Debug, Default)]
pub(crate) struct Office {
    says: Mutex<BTreeMap<String, Said>>,
    asked: Mutex<Vec<Asked>>,
    /// Where questions wait, when they are to.
    pub(crate) at_desk: Gate,
    /// Nobody configured it.
    pub(crate) closed: std::sync::atomic::AtomicBool,
}

/// A question, as it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) number: String,
    pub(crate) role: String,
    pub(crate) place: String,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

impl Office {
    pub(crate) fn says(&self, number: &str, said: Said) {
        self.says.lock().unwrap().insert(number.to_owned(), said);
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl Tickets for Office {
    fn knows(&self, check: &CheckName) -> bool {
        check.as_str() == "changes" && !self.closed.load(std::sync::atomic::Ordering::SeqCst)
    }

    async fn ask(&self, question: &Question<'_>) -> Said {
        let Question { check: _, ticket, role, place, requester: _, starts_at, ends_at } = question;
        let number = ticket.number().to_owned();
        let said = self.says.lock().unwrap().get(&number).cloned();
        self.asked.lock().unwrap().push(Asked {
            number,
            role: role.to_string(),
            place: (*place).to_owned(),
            from: *starts_at,
            to: *ends_at,
        });
        self.at_desk.pass().await;
        said.unwrap_or_else(|| Said::Refused("it knows no such ticket".to_owned()))
    }
}
