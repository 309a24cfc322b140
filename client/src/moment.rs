//! A moment as people write it, and what it is in the reader's time zone.

use jiff::civil::{DateTime, Time};
use jiff::{SignedDuration, Timestamp};

use crate::failure::{Failure, Result};
use crate::render::{Look, clean_line};

/// When something is to begin: `18:00` today, `2026-12-01T09:00`, with an offset or `Z` behind it, or `+2h`. In
/// whole seconds, and not in the past.
pub(crate) fn moment(look: &Look, text: &str) -> Result<prost_types::Timestamp> {
    let text = text.trim();
    let at = match text.strip_prefix('+') {
        Some(length) => ahead(look, length)?,
        None => written(look, text)?,
    };
    let second = at.as_second();
    if second <= look.now.as_second() {
        let past = format!("{} is past", look.exact(at));
        let advice = "say the day too, as in `2026-12-01T09:00`, or how long from now, as in `+2h`; leave `--at` out to begin as soon as it is approved";
        return Err(Failure::usage(past).advice(advice));
    }
    Ok(prost_types::Timestamp { seconds: second, nanos: 0 })
}

fn ahead(look: &Look, length: &str) -> Result<Timestamp> {
    let length = crate::cli::span(length).map_err(|why| Failure::usage(clean_line(&why)))?;
    let length = SignedDuration::try_from(length).ok();
    length.and_then(|length| look.now.checked_add(length).ok()).ok_or_else(|| {
        Failure::usage("`--at` is further ahead than any calendar goes").advice("ask for an earlier start")
    })
}

fn written(look: &Look, text: &str) -> Result<Timestamp> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let today = look.now.to_zoned(look.zone.clone()).date();
    // A time alone is of today; with a day, the time must be said too.
    let has_day = text.contains('-');
    let local = match (has_day, text.parse::<Time>(), text.parse::<DateTime>()) {
        (false, Ok(time), _) => today.to_datetime(time),
        (true, _, Ok(local)) if text.contains(':') => local,
        _ => {
            return Err(Failure::usage(format!("`{}` is no moment", clean_line(text)))
                .advice("write `18:00` for today, `2026-12-01T09:00`, or `+2h` from now"));
        }
    };
    // When clocks are changed an hour is missing, and another comes twice.
    look.zone.to_ambiguous_timestamp(local).unambiguous().map_err(|_| {
        Failure::usage(format!("{local} is no moment, or two, where clocks are changed"))
            .advice("say the offset too, as in `2026-10-25T02:30+01:00`")
    })
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    /// As in Berlin, without asking the system for its table.
    const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

    fn look(zone: &str) -> Look {
        Look {
            now: "2026-11-20T16:42:07Z".parse().unwrap(),
            zone: TimeZone::posix(zone).unwrap(),
            colour: false,
            width: None,
        }
    }

    fn read(zone: &str, text: &str) -> std::result::Result<String, String> {
        let at = moment(&look(zone), text).map_err(|failure| failure.message().to_owned())?;
        assert_eq!(at.nanos, 0);
        Ok(Timestamp::from_second(at.seconds).unwrap().to_string())
    }

    #[test]
    fn a_moment_is_read_in_the_readers_time_zone() {
        for (zone, text, expected) in [
            ("UTC0", "18:00", "2026-11-20T18:00:00Z"),
            (BERLIN, "18:00", "2026-11-20T17:00:00Z"),
            (BERLIN, "18:00:30", "2026-11-20T17:00:30Z"),
            (BERLIN, "2026-12-01T09:00", "2026-12-01T08:00:00Z"),
            (BERLIN, "2026-12-01 09:00", "2026-12-01T08:00:00Z"),
            (BERLIN, "2026-12-01T09:00Z", "2026-12-01T09:00:00Z"),
            (BERLIN, "2026-12-01T09:00+05:30", "2026-12-01T03:30:00Z"),
            ("UTC0", "+2h", "2026-11-20T18:42:07Z"),
            ("UTC0", "+1h 30m", "2026-11-20T18:12:07Z"),
        ] {
            assert_eq!(read(zone, text), Ok(expected.to_owned()), "{zone} {text}");
        }
    }

    #[test]
    fn what_is_past_or_no_moment_is_refused() {
        for (zone, text, says) in [
            ("UTC0", "16:42:07", "is past"),
            ("UTC0", "09:00", "is past"),
            ("UTC0", "2025-12-01T09:00", "is past"),
            ("UTC0", "2026-11-20T16:42:07Z", "is past"),
            ("UTC0", "2026-12-01", "is no moment"),
            ("UTC0", "tomorrow", "is no moment"),
            ("UTC0", "", "is no moment"),
            ("UTC0", "+", "write it like"),
            ("UTC0", "+0s", "no time at all"),
            ("UTC0", "+99999999999999s", "further ahead"),
            // Clocks go forward at two, and back at three.
            (BERLIN, "2027-03-28T02:30", "clocks are changed"),
            (BERLIN, "2027-10-31T02:30", "clocks are changed"),
        ] {
            let refused = read(zone, text).unwrap_err();
            assert!(refused.contains(says), "{text}: {refused}");
        }
    }
}
