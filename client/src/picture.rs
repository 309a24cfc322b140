//! A picture on a terminal that is drawn over the one before.

use std::io::{self, Write};

use crate::world::Terminals;

const HIDE_CURSOR: &str = "\x1b[?25l";
const SHOW_CURSOR: &str = "\x1b[?25h";
/// A terminal that does not say how large it is.
const USUAL: (u16, u16) = (80, 24);

/// How many of its lines stand above the cursor; the cursor is hidden as long as there are any.
#[derive(Debug, Default)]
pub(crate) struct Picture {
    drawn: usize,
}

impl Picture {
    /// Draws it over the one before. It is written in one piece, and no line is cleared before it is written
    /// anew, so nothing flickers. What does not fit the screen is left out, because the cursor cannot go back
    /// to what has scrolled away.
    pub(crate) fn draw(&mut self, to: &mut dyn Write, terminals: Terminals, picture: &str) -> io::Result<()> {
        let rows = usize::from(terminals.height.unwrap_or(USUAL.1)).saturating_sub(1).max(1);
        let columns = usize::from(terminals.width.unwrap_or(USUAL.0));
        let mut text = match self.drawn {
            0 => HIDE_CURSOR.to_owned(),
            lines => format!("\x1b[{lines}A"),
        };
        self.drawn = 0;
        for line in picture.lines().take(rows) {
            let line: String = line.chars().take(columns).collect();
            text.push_str(&format!("\r{line}\x1b[K\n"));
            self.drawn += 1;
        }
        // Back to the first column: a terminal that gives its keys one by one does not do that by itself.
        text.push_str("\r\x1b[J");
        to.write_all(text.as_bytes())?;
        to.flush()
    }

    /// Leaves it as it stands.
    pub(crate) fn leave(&mut self, to: &mut dyn Write) {
        if std::mem::take(&mut self.drawn) > 0 {
            // A terminal that has gone needs no cursor.
            let _ = to.write_all(SHOW_CURSOR.as_bytes());
            let _ = to.flush();
        }
    }

    /// Takes it away.
    pub(crate) fn erase(&mut self, to: &mut dyn Write) {
        if self.drawn > 0 {
            let _ = write!(to, "\x1b[{}A\r\x1b[J", self.drawn);
            self.leave(to);
        }
    }
}
