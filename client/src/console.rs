//! Talking with the person: data to stdout, everything else to stderr, and questions only to a terminal.

use std::io::{BufRead, Read as _, Write};
use std::sync::{Arc, Mutex, PoisonError};

use clap::builder::StyledStr;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::cli::{Form, Global};
use crate::context::Outside;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::picture::Picture;
use crate::render::{Look, clean_line};
use crate::world::{Terminals, World};

/// The longest line taken from a person; a redirected address is the longest they paste.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// Both directions of the terminal, or of what stands in its place.
pub(crate) struct Console {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    input: Arc<Mutex<dyn BufRead + Send>>,
    pub(crate) terminals: Terminals,
    time_zone: TimeZone,
    form: Form,
    quiet: bool,
    colour_out: bool,
    colour_err: bool,
    /// What to say when the person interrupts now.
    pub(crate) parting: Option<String>,
    spinning: bool,
    answered: Picture,
    aside: Picture,
}

impl Console {
    /// Takes the talking parts of the world, and leaves the others.
    pub(crate) fn new(world: World, global: &Global, form: Form) -> (Self, Outside) {
        let refused = global.no_color
            || world.var("NO_COLOR").is_some()
            || world.var("CLICOLOR") == Some("0")
            || world.var("TERM") == Some("dumb");
        let forced = world.var("CLICOLOR_FORCE").is_some_and(|value| value != "0");
        let colour = |terminal: bool| !refused && (terminal || forced);
        let World {
            out,
            err,
            input,
            terminals,
            env: _,
            browser,
            clock,
            time_zone,
            keyring,
            keys,
            commands,
            interrupt,
        } = world;
        let outside = Outside { browser, clock, keyring, keys, commands, interrupt };
        let console = Self {
            out,
            err,
            input,
            terminals,
            time_zone,
            form,
            quiet: global.quiet,
            colour_out: colour(terminals.out),
            colour_err: colour(terminals.err),
            parting: None,
            spinning: false,
            answered: Picture::default(),
            aside: Picture::default(),
        };
        (console, outside)
    }

    /// How answers look at this moment.
    pub(crate) fn look(&self, now: jiff::Timestamp) -> Look {
        let width = self.terminals.out.then_some(self.terminals.width).flatten();
        Look { now, zone: self.time_zone.clone(), colour: self.colour_out, width }
    }

    /// How what is said beside the answer looks at this moment.
    pub(crate) fn look_aside(&self, now: jiff::Timestamp) -> Look {
        Look { colour: self.colour_err, width: None, ..self.look(now) }
    }

    /// Whether a program reads the answers.
    pub(crate) fn is_json(&self) -> bool {
        self.form == Form::Json
    }

    /// The answer, in the form asked for.
    pub(crate) fn answer(&mut self, json: &impl Serialize, text: impl FnOnce() -> String) -> Result<()> {
        match self.form {
            Form::Table => self.data(&text()),
            Form::Json => {
                let text = serde_json::to_string_pretty(json).map_err(|error| unwritable(&error))?;
                self.data(&text)
            }
        }
    }

    /// One of many answers, each on a line of its own.
    pub(crate) fn answer_line(&mut self, json: &impl Serialize, text: impl FnOnce() -> String) -> Result<()> {
        match self.form {
            Form::Table => self.data(&text()),
            Form::Json => {
                let text = serde_json::to_string(json).map_err(|error| unwritable(&error))?;
                self.data(&text)
            }
        }
    }

    /// Data, ended by a line break.
    pub(crate) fn data(&mut self, text: &str) -> Result<()> {
        self.still();
        writeln!(self.out, "{}", text.trim_end_matches('\n'))?;
        self.out.flush()?;
        Ok(())
    }

    /// Something that helps a person, and that `--quiet` leaves out.
    pub(crate) fn say(&mut self, text: &str) {
        if !self.quiet {
            self.warn(text);
        }
    }

    /// Something that must be said.
    pub(crate) fn warn(&mut self, text: &str) {
        self.still();
        // When nobody hears us, there is nobody to tell that either.
        let _ = writeln!(self.err, "{text}");
        let _ = self.err.flush();
    }

    /// A hint beside the matter.
    pub(crate) fn hint(&mut self, text: &str) {
        let label = paint(self.colour_err, "36", "hint:");
        self.say(&format!("{label} {text}"));
    }

    /// The failure that ends the command.
    pub(crate) fn end(mut self, failure: &Failure) -> Exit {
        if failure.is_silent() {
            return failure.exit();
        }
        match self.form {
            Form::Json => self.warn(&failure.json().to_string()),
            Form::Table => {
                let label = paint(self.colour_err, "1;31", "error:");
                let text = failure.text(label);
                self.warn(text.trim_end());
            }
        }
        failure.exit()
    }

    /// The person has had enough.
    pub(crate) fn interrupted(mut self) -> Exit {
        let text = self.parting.take().unwrap_or_else(|| "interrupted".to_owned());
        match self.form {
            Form::Json => {
                self.warn(&Failure::new(Exit::Interrupted, "INTERRUPTED", text).json().to_string());
            }
            Form::Table => self.warn(&format!("\n{text}")),
        }
        Exit::Interrupted
    }

    /// A line that is written over itself, while something is waited for.
    pub(crate) fn spin(&mut self, text: &str) {
        if self.quiet || !self.terminals.err {
            return;
        }
        self.spinning = true;
        let width = usize::from(self.terminals.width.unwrap_or(80)).saturating_sub(1);
        let text: String = text.chars().take(width).collect();
        let _ = write!(self.err, "\r\x1b[K{text}");
        let _ = self.err.flush();
    }

    /// Whether the answer is drawn for somebody who looks, and not written line by line.
    pub(crate) fn draws(&self) -> bool {
        self.form == Form::Table && self.terminals.out
    }

    /// A picture, over the one before, in place of the answer.
    pub(crate) fn redraw(&mut self, picture: &str) -> Result<()> {
        Ok(self.answered.draw(&mut self.out, self.terminals, picture)?)
    }

    /// A picture beside the answer, over the one before.
    pub(crate) fn draw_aside(&mut self, picture: &str) {
        let _ = self.aside.draw(&mut self.err, self.terminals, picture);
    }

    /// Takes that picture away.
    pub(crate) fn erase_aside(&mut self) {
        self.aside.erase(&mut self.err);
    }

    /// Clears that line, and leaves pictures as they stand.
    fn still(&mut self) {
        self.answered.leave(&mut self.out);
        self.aside.leave(&mut self.err);
        if std::mem::take(&mut self.spinning) {
            let _ = write!(self.err, "\r\x1b[K");
        }
    }

    /// Whether somebody can be asked.
    pub(crate) fn can_ask(&self) -> bool {
        self.terminals.input && self.terminals.err
    }

    /// Yes or no; a plain Enter is yes.
    pub(crate) async fn confirm(&mut self, question: &str) -> Result<bool> {
        let answer = self.ask(&format!("{question} [Y/n] ")).await?;
        Ok(answer.is_some_and(|answer| matches!(answer.to_lowercase().as_str(), "" | "y" | "yes")))
    }

    /// A line from the person; `None` when the input ends.
    pub(crate) async fn ask(&mut self, question: &str) -> Result<Option<String>> {
        self.still();
        let _ = write!(self.err, "{question}");
        let _ = self.err.flush();
        // On a thread of its own: a person who thinks must still be able to interrupt.
        let line = self.reading(|input| {
            let mut line = String::new();
            let mut bounded = input.take(LINE_BYTES_MAX);
            let read = bounded.read_line(&mut line)?;
            Ok((read > 0).then_some(line))
        });
        Ok(line.await?.map(|line| line.trim().to_owned()))
    }

    /// Everything that comes in, up to a bound.
    pub(crate) async fn read_all(&mut self, bytes_max: u64) -> Result<String> {
        self.reading(move |input| {
            let mut text = String::new();
            input.take(bytes_max).read_to_string(&mut text)?;
            Ok(text)
        })
        .await
    }

    async fn reading<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut (dyn BufRead + Send)) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let input = Arc::clone(&self.input);
        let done = tokio::task::spawn_blocking(move || {
            let mut input = input.lock().unwrap_or_else(PoisonError::into_inner);
            read(&mut *input)
        });
        done.await
            .map_err(std::io::Error::other)
            .and_then(|result| result)
            .map_err(|error| Failure::usage(format!("cannot read the input: {error}")))
    }

    /// Help, as stdout can show it.
    pub(crate) fn styled(&self, text: &StyledStr) -> String {
        if self.colour_out { text.ansi().to_string() } else { text.to_string() }
    }

    /// The same for stderr.
    pub(crate) fn styled_err(&self, text: &StyledStr) -> String {
        if self.colour_err { text.ansi().to_string() } else { text.to_string() }
    }
}

/// Colours a word, or does not.
pub(crate) fn paint(colour: bool, code: &str, text: &str) -> String {
    if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

fn unwritable(error: &serde_json::Error) -> Failure {
    Failure::new(
        Exit::Unexpected,
        "OUTPUT",
        format!("cannot write the answer: {}", clean_line(&error.to_string())),
    )
}
