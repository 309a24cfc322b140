use super::*;

#[test]
fn a_term_reads_as_people_write_it() {
    for (text, expected) in [
        ("2h", "2h"),
        ("1h 30m", "1h 30m"),
        ("90m", "1h 30m"),
        ("5s", "5s"),
        ("24h", "1day"),
        ("0s", "`0s` means 0s, and a grant lasts from 5s to 1day"),
        ("4s", "`4s` means 4s, and a grant lasts from 5s to 1day"),
        // The trap of the notation: a capital M is a month. The error says what was understood.
        ("1M", "`1M` means 1month, and a grant lasts from 5s to 1day"),
        ("24h 1ms", "`24h 1ms` means 1day 1ms, and a grant lasts from 5s to 1day"),
        ("10500ms", "`10500ms` means 10s 500ms, and a grant lasts from 5s to 1day"),
        ("", "`` is not a length of time; write it like `2h`, `45m` or `1h 30m`"),
        ("-1h", "`-1h` is not a length of time; write it like `2h`, `45m` or `1h 30m`"),
        ("soon", "`soon` is not a length of time; write it like `2h`, `45m` or `1h 30m`"),
    ] {
        let said = match text.parse::<Term>() {
            Ok(term) => term.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(said, expected, "{text:?}");
    }
}

#[test]
fn an_end_beyond_the_calendar_is_over_at_once() {
    assert_eq!(Term::LONGEST.end_from(Timestamp::MAX), Timestamp::MAX);
    assert_eq!(Term::LONGEST.end_from(Timestamp::UNIX_EPOCH).as_second(), 86_400);
}

#[test]
fn seconds_from_the_wire_are_bounded() {
    for (seconds, fits) in
        [(5, true), (86_400, true), (4, false), (0, false), (-1, false), (86_401, false), (i64::MAX, false)]
    {
        assert_eq!(Term::from_seconds(seconds).is_ok(), fits, "{seconds}");
    }
}
