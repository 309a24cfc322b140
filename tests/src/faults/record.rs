//! A record read back without a broker: opened as the broker opens it, and everything in it looked at.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, OnceLock};

use elevate_broker::ports::Journal as _;
use elevate_broker::ports::journal::{Entry, Filter, Note, Page, Position, Said};
use elevate_broker::store::{OpenError, Settings, Store};
use elevate_core::activation::Change;
use tokio::runtime::Runtime;

use super::load::{Acknowledged, Subject};

/// All that a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Every entry, in order.
    pub entries: Vec<Entry>,
    /// Every activation as the index has it, written out: by id.
    pub activations: BTreeMap<String, String>,
    /// How many are live, by state.
    pub live: Vec<(&'static str, u64)>,
}

/// How a record answered to being opened.
#[derive(Debug)]
pub enum Opened {
    /// It was, and says this.
    Read(Box<Record>),
    /// It was refused, in these words.
    Refused(String),
    /// It was opened and then failed: neither right nor refused.
    Broke(String),
}

/// Opens the record in this folder as a starting broker does, reads all of it and closes it.
pub fn open(folder: &Path) -> Opened {
    quietly();
    let settings = Settings { folder: folder.to_owned() };
    let store = match std::panic::catch_unwind(|| Store::open(&settings)) {
        Ok(Ok(store)) => store,
        Ok(Err(error)) => return Opened::Refused(words(&error)),
        Err(_) => return Opened::Broke("opening it panicked".to_owned()),
    };
    match runtime().block_on(all(&store)) {
        Ok(record) => Opened::Read(Box::new(record)),
        Err(fault) => Opened::Broke(fault.to_string()),
    }
}

/// Likewise, from where others wait too.
pub async fn open_apart(folder: &Path) -> Opened {
    let folder = folder.to_owned();
    let opened = tokio::task::spawn_blocking(move || open(&folder)).await;
    opened.unwrap_or_else(|broken| Opened::Broke(broken.to_string()))
}

async fn all(store: &Store) -> Result<Record, elevate_broker::ports::journal::StoreFault> {
    let mut entries = Vec::new();
    let size = *store.size().borrow();
    while (entries.len() as u64) < size.0 {
        let more = store.read(Position(entries.len() as u64), 1000).await?;
        if more.is_empty() {
            break;
        }
        entries.extend(more);
    }
    let mut activations = BTreeMap::new();
    let mut page = Page { limit: 1000, after: None };
    loop {
        let found = store.find(&Filter::default(), &page).await?;
        for each in found.activations {
            activations.insert(each.id.to_string(), format!("{:?}", *each));
        }
        match found.next {
            Some(next) => page.after = Some(next),
            None => break,
        }
    }
    let live = store.census().await?;
    Ok(Record { entries, activations, live })
}

impl Record {
    /// How many entries each activation has.
    pub fn versions(&self) -> BTreeMap<String, i64> {
        let mut versions = BTreeMap::new();
        for entry in &self.entries {
            if let Said::Activation { id, .. } = &entry.said {
                *versions.entry(id.to_string()).or_insert(0) += 1;
            }
        }
        versions
    }

    /// Where that stands on record which was acknowledged.
    pub fn position_of(&self, answer: &Acknowledged) -> Option<u64> {
        let is_it = |entry: &&Entry| match (&answer.of, &entry.said) {
            (
                Subject::Activation { id, version: Some(version) },
                Said::Activation { id: of, version: at, .. },
            ) => of.to_string() == *id && i64::try_from(*at) == Ok(*version),
            // Only taking away at once is answered without a version.
            (Subject::Activation { id, version: None }, Said::Activation { id: of, event, .. }) => {
                of.to_string() == *id && matches!(event.change, Change::RevocationBegun(_))
            }
            (Subject::Broker { reason }, Said::Note(Note::Frozen(said))) => {
                answer.event == "frozen" && said.reason == *reason
            }
            (Subject::Broker { reason }, Said::Note(Note::Thawed(said))) => {
                answer.event == "thawed" && said.reason == *reason
            }
            _ => false,
        };
        self.entries.iter().find(is_it).map(|entry| entry.position.0)
    }

    /// Whether this is the beginning of `whole`, and its index the sum of it.
    ///
    /// # Errors
    /// It is not, and where.
    pub fn begins(&self, whole: &Self) -> Result<(), String> {
        for (at, entry) in self.entries.iter().enumerate() {
            if whole.entries.get(at) != Some(entry) {
                return Err(format!("entry {at} is another: {entry:?}"));
            }
        }
        let of_log: Vec<_> = self.versions().into_keys().collect();
        let of_index: Vec<_> = self.activations.keys().cloned().collect();
        if of_log != of_index {
            return Err(format!("the index has {} activations and the log {}", of_index.len(), of_log.len()));
        }
        if self.entries.len() == whole.entries.len()
            && (self.activations != whole.activations || self.live != whole.live)
        {
            return Err("the index says something else of the same entries".to_owned());
        }
        Ok(())
    }
}

fn words(error: &OpenError) -> String {
    error.to_string()
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let built = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        built.expect("a runtime")
    })
}

/// sled panics over damage, which the store catches; nobody need read it a thousand times.
fn quietly() {
    static ONCE: Mutex<bool> = Mutex::new(false);
    let mut done = ONCE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !*done {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |about| {
            let from_sled = about.location().is_some_and(|place| place.file().contains("sled"));
            if !from_sled {
                before(about);
            }
        }));
        *done = true;
    }
}
