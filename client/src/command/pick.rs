//! Choosing one of many at a terminal: arrows and letters, Enter or Esc.

use std::sync::Arc;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::render::clean_line;
use crate::world::{Key, Keys};

/// So many are shown at one moment.
const SHOWN: usize = 10;

/// What can be chosen.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    pub(crate) name: String,
    /// What else there is to read, and to find it by.
    pub(crate) about: String,
}

/// The place of the one that the person chose.
pub(crate) async fn pick(context: &mut Context, question: &str, choices: Vec<Choice>) -> Result<usize> {
    let keys = Pressed::open(Arc::clone(&context.outside.keys))?;
    let mut menu = Menu::of(choices);
    loop {
        context.console.draw_aside(&menu.picture(question));
        let chosen = match keys.next().await? {
            Key::Up => menu.up(),
            Key::Down => menu.down(),
            Key::Backspace => menu.narrow(|filter| {
                let _ = filter.pop();
            }),
            Key::Char(letter) => menu.narrow(|filter| filter.push(letter)),
            Key::Enter => menu.chosen(),
            Key::Other => None,
            Key::Escape => {
                context.console.erase_aside();
                return Err(Failure::new(
                    Exit::Interrupted,
                    "NOT_CONFIRMED",
                    "nothing was chosen; nothing changed",
                ));
            }
            Key::Interrupt => {
                context.console.erase_aside();
                return Err(Failure::new(Exit::Interrupted, "INTERRUPTED", "interrupted"));
            }
        };
        if let Some(chosen) = chosen {
            context.console.erase_aside();
            return Ok(chosen);
        }
    }
}

/// The keyboard, giving its keys one by one until this goes.
struct Pressed(Arc<dyn Keys>);

impl Pressed {
    fn open(keys: Arc<dyn Keys>) -> Result<Self> {
        keys.open().map_err(unreadable)?;
        Ok(Self(keys))
    }

    /// On a thread of its own: a person who thinks must still be able to interrupt.
    async fn next(&self) -> Result<Key> {
        let keys = Arc::clone(&self.0);
        let pressed = tokio::task::spawn_blocking(move || keys.next());
        pressed.await.map_err(std::io::Error::other).and_then(|pressed| pressed).map_err(unreadable)
    }
}

impl Drop for Pressed {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn unreadable(error: std::io::Error) -> Failure {
    Failure::usage(format!("cannot read the keyboard: {error}"))
        .advice("name the role: `elevate activate ROLE`; `elevate roles` shows what you may activate")
}

/// What is shown: the choices that the typed letters leave, and the one that Enter takes.
#[derive(Debug)]
struct Menu {
    choices: Vec<Choice>,
    filter: String,
    /// Among those that are left.
    at: usize,
}

impl Menu {
    const fn of(choices: Vec<Choice>) -> Self {
        Self { choices, filter: String::new(), at: 0 }
    }

    /// The places of those in which every typed word is found.
    fn left(&self) -> Vec<usize> {
        let words: Vec<String> = self.filter.split_whitespace().map(str::to_lowercase).collect();
        let fits = |choice: &Choice| {
            let text = format!("{} {}", choice.name, choice.about).to_lowercase();
            words.iter().all(|word| text.contains(word))
        };
        self.choices.iter().enumerate().filter(|(_, choice)| fits(choice)).map(|(place, _)| place).collect()
    }

    fn up(&mut self) -> Option<usize> {
        self.at = self.at.saturating_sub(1);
        None
    }

    fn down(&mut self) -> Option<usize> {
        self.at = (self.at + 1).min(self.left().len().saturating_sub(1));
        None
    }

    fn narrow(&mut self, change: impl FnOnce(&mut String)) -> Option<usize> {
        change(&mut self.filter);
        self.at = 0;
        None
    }

    fn chosen(&self) -> Option<usize> {
        self.left().get(self.at).copied()
    }

    fn picture(&self, question: &str) -> String {
        let left = self.left();
        let width = self.choices.iter().map(|choice| choice.name.chars().count()).max().unwrap_or_default();
        let mut text = format!("{question} {}", self.filter);
        let first = self.at.saturating_sub(SHOWN - 1);
        for (nth, place) in left.iter().enumerate().skip(first).take(SHOWN) {
            let Some(Choice { name, about }) = self.choices.get(*place) else { continue };
            let mark = if nth == self.at { '>' } else { ' ' };
            text.push_str(&format!("\n{mark} {:width$}  {}", clean_line(name), clean_line(about)));
        }
        if left.is_empty() {
            text.push_str("\n  none of them");
        }
        text.push_str(&format!(
            "\n  {} of {}; arrows choose, letters narrow, Enter takes, Esc leaves",
            left.len(),
            self.choices.len()
        ));
        text
    }
}
