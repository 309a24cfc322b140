//! How answers look. No decisions are made here.

pub(crate) mod json;
pub(crate) mod table;
pub(crate) mod words;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::console::paint;

/// Who reads, when and where.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    pub(crate) now: Timestamp,
    pub(crate) zone: TimeZone,
    pub(crate) colour: bool,
    /// Of the terminal, if the answer goes to one.
    pub(crate) width: Option<u16>,
}

impl Look {
    /// `16:42 (in 1h 58m)`; on another day `2026-11-21 09:00 (in 16h 18m)`.
    pub(crate) fn time(&self, at: Timestamp) -> String {
        format!("{} ({})", self.clock(at), self.relative(at))
    }

    /// `16:42`, or with the date when it is another day's.
    pub(crate) fn clock(&self, at: Timestamp) -> String {
        let zoned = at.to_zoned(self.zone.clone());
        if zoned.date() == self.now.to_zoned(self.zone.clone()).date() {
            zoned.strftime("%H:%M").to_string()
        } else {
            zoned.strftime("%Y-%m-%d %H:%M").to_string()
        }
    }

    /// `16:42 +01:00 (in 2h)`: for what people write down.
    pub(crate) fn exact(&self, at: Timestamp) -> String {
        let offset = at.to_zoned(self.zone.clone()).strftime("%:z").to_string();
        format!("{} {offset} ({})", self.clock(at), self.relative(at))
    }

    /// `2026-11-20 16:42:07`: for the record.
    pub(crate) fn stamp(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// `in 1h 58m`, `3m ago`, `now`.
    pub(crate) fn relative(&self, at: Timestamp) -> String {
        let distance = at.duration_since(self.now);
        match coarse(distance.abs()) {
            _ if distance.abs() < SignedDuration::from_secs(1) => "now".to_owned(),
            length if distance.is_negative() => format!("{length} ago"),
            length => format!("in {length}"),
        }
    }

    /// A word in colour, where colours are.
    pub(crate) fn paint(&self, code: &str, text: &str) -> String {
        paint(self.colour, code, text)
    }
}

/// A length in its two largest units: `1h 58m`, `45s`, `2days 3h`; from two weeks on in days.
pub(crate) fn coarse(length: SignedDuration) -> String {
    let seconds = length.as_secs().unsigned_abs();
    let unit = match seconds {
        0..3600 => 1,
        3600..86_400 => 60,
        _ => 3600,
    };
    if seconds >= 14 * 86_400 {
        return format!("{} days", (seconds + 43_200) / 86_400);
    }
    // To the nearest: something two hours away is not `1h 59m` because a moment passed.
    let rounded = (seconds + unit / 2) / unit * unit;
    seconds_as_written(i64::try_from(rounded).unwrap_or(i64::MAX))
}

/// A length as people write it: `2h`, `1h 30m`.
pub(crate) fn seconds_as_written(seconds: i64) -> String {
    let seconds = u64::try_from(seconds).unwrap_or_default();
    humantime::format_duration(std::time::Duration::from_secs(seconds)).to_string()
}

/// The broker's time as ours; `None` when it is absent or beyond all calendars.
pub(crate) fn time(at: Option<&prost_types::Timestamp>) -> Option<Timestamp> {
    let at = at?;
    Timestamp::new(at.seconds, at.nanos).ok()
}

/// Text from elsewhere, without what would steer the terminal or turn the order of letters about. Line
/// breaks stay.
pub(crate) fn clean(text: &str) -> String {
    text.chars().filter(|c| *c == '\n' || !steers(*c)).collect()
}

/// The same on one line.
pub(crate) fn clean_line(text: &str) -> String {
    let line: String = text.chars().map(|c| if c == '\n' || c == '\t' { ' ' } else { c }).collect();
    clean(&line).trim().to_owned()
}

fn steers(c: char) -> bool {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let breaks = matches!(c, '\u{2028}' | '\u{2029}');
    c.is_control() || turns || breaks
}
