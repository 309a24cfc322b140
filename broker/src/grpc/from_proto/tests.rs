use super::*;

const WHY: &str = "disk full";
const ID: &str = "01a1fadf-9c63-74a1-af37-8f83880c0db0";

fn refused<T>(read: Result<T, Refusal>) -> Result<(), (&'static str, &'static str)> {
    read.map(drop).map_err(|refusal| match refusal {
        Refusal::Field { field, .. } => ("FIELD_INVALID", field),
        other => (other.reason(), ""),
    })
}

fn message(
    role: &str,
    seconds: i64,
    why: &str,
    ticket: Option<api::Ticket>,
) -> api::PrepareActivationRequest {
    api::PrepareActivationRequest {
        role: role.to_owned(),
        term_seconds: seconds,
        justification: why.to_owned(),
        ticket,
        ..api::PrepareActivationRequest::default()
    }
}

#[test]
fn a_wish_is_read_within_its_bounds() {
    let of = |number: &str, system: &str| Some(api::Ticket { number: number.into(), system: system.into() });
    let (long, longest) = ("x".repeat(1001), "x".repeat(1000));
    let wrong = |field| Err(("FIELD_INVALID", field));
    for (role, seconds, why, ticket, expected) in [
        ("reader", 0, WHY, None, Ok(())),
        ("reader", 5, WHY, None, Ok(())),
        ("reader", 86_400, WHY, None, Ok(())),
        ("reader", 86_401, WHY, None, Err(("FIELD_INVALID", "term_seconds"))),
        ("reader", i64::MAX, WHY, None, Err(("FIELD_INVALID", "term_seconds"))),
        ("reader", 4, WHY, None, wrong("term_seconds")),
        ("reader", -1, WHY, None, wrong("term_seconds")),
        ("reader", i64::MIN, WHY, None, wrong("term_seconds")),
        ("", 0, WHY, None, wrong("role")),
        ("Reader", 0, WHY, None, wrong("role")),
        ("reader\n", 0, WHY, None, wrong("role")),
        ("reader", 0, "", None, Err(("JUSTIFICATION_MISSING", ""))),
        ("reader", 0, " \n\t", None, Err(("JUSTIFICATION_MISSING", ""))),
        ("reader", 0, "a\u{1b}[2J", None, wrong("justification")),
        ("reader", 0, longest.as_str(), None, Ok(())),
        ("reader", 0, long.as_str(), None, wrong("justification")),
        ("reader", 0, WHY, of("", ""), Ok(())),
        ("reader", 0, WHY, of("INC1", ""), Ok(())),
        ("reader", 0, WHY, of("", "jira"), wrong("ticket")),
        ("reader", 0, WHY, of("INC1\n", ""), wrong("ticket")),
        ("reader", 0, WHY, of(&"1".repeat(101), ""), wrong("ticket")),
    ] {
        let read = refused(wish(message(role, seconds, why, ticket.clone())));
        assert_eq!(read, expected, "{role:?} {seconds} {:.20?} {ticket:?}", why);
    }
    assert_eq!(wish(message("reader", 0, WHY, None)).unwrap().term, None);
    let continues = "yesterday's".to_owned();
    let continuing = api::PrepareActivationRequest { continues, ..message("reader", 0, WHY, None) };
    assert_eq!(refused(wish(continuing)), wrong("continues"));
}

#[test]
fn a_start_is_in_whole_seconds_and_a_scope_has_one_spelling() {
    let at = |seconds, nanos| Some(prost_types::Timestamp { seconds, nanos });
    let wrong = |field| Err(("FIELD_INVALID", field));
    for (starts_at, scope, expected) in [
        (None, "", Ok(())),
        (at(1_790_000_000, 0), "/", Ok(())),
        (at(1_790_000_000, 1), "/", wrong("starts_at")),
        (at(i64::MAX, 0), "/", wrong("starts_at")),
        (None, "/administrativeUnits/01a1fadf-9c63-74a1-af37-8f83880c0db0", Ok(())),
        (None, "/01a1fadf-9c63-74a1-af37-8f83880c0db0", Ok(())),
        (None, "/applications/01a1fadf-9c63-74a1-af37-8f83880c0db0", wrong("scope")),
        (None, "sales", wrong("scope")),
    ] {
        let message = api::PrepareActivationRequest {
            starts_at,
            scope: scope.to_owned(),
            ..message("reader", 0, WHY, None)
        };
        assert_eq!(refused(wish(message)), expected, "{starts_at:?} {scope}");
    }
}

#[test]
fn ids_digests_and_numbers_have_one_spelling() {
    for (text, is_good) in [
        (ID, true),
        ("", false),
        ("00000000-0000-0000-0000-000000000000", false),
        ("01a1fadf9c6374a1af378f83880c0db0", false),
        ("{01a1fadf-9c63-74a1-af37-8f83880c0db0}", false),
        (" 01a1fadf-9c63-74a1-af37-8f83880c0db0", false),
    ] {
        assert_eq!(activation_id(text).is_ok(), is_good, "{text}");
        assert_eq!(request_id(text).is_ok(), is_good, "{text}");
    }
    let good = "0123456789abcdef".repeat(4);
    for (text, is_good) in [
        (good.as_str(), true),
        (&good.to_uppercase(), false),
        (&good[1..], false),
        (&format!("{good}0"), false),
        (&good.replace('0', "+"), false),
        (&"é".repeat(32), false),
        ("", false),
    ] {
        let read = digest(text);
        assert_eq!(read.is_ok(), is_good, "{text}");
        if let Ok(digest) = read {
            assert_eq!(digest.to_string(), text);
        }
    }
    assert_eq!(policy_version(3, "version").unwrap(), PolicyVersion(3));
    assert_eq!(refused(policy_version(-1, "version")), Err(("FIELD_INVALID", "version")));
}

#[test]
fn pages_are_bounded() {
    for (asked, limit) in
        [(0, Some(50)), (1, Some(1)), (100, Some(100)), (101, None), (-1, None), (i32::MIN, None)]
    {
        assert_eq!(page(asked, "", 50, 100).ok().map(|page| page.limit), limit, "{asked}");
    }
    assert_eq!(page(1, ID, 50, 100).unwrap().after, Some(activation_id(ID).unwrap()));
    assert_eq!(refused(page(1, "behind", 50, 100)), Err(("FIELD_INVALID", "page_token")));
}

#[test]
fn free_text_is_short_and_plain() {
    for (text, optional, read) in [
        ("because", false, Some("because")),
        ("  two\nlines ", false, Some("two\nlines")),
        ("", true, Some("")),
        ("", false, None),
        ("  ", false, None),
        ("1234567890", false, None),
        ("öööööööööö", false, None),
        ("ööööööööö", false, Some("ööööööööö")),
        ("a\tb", true, None),
        ("a\u{7}b", true, None),
    ] {
        let told = words("reason", text, 9, optional).ok();
        assert_eq!(told.as_deref(), read, "{text:?}");
    }
}

#[test]
fn a_proof_is_needed() {
    assert_eq!(refused(proof(None)), Err(("FIELD_INVALID", "proof")));
    assert!(proof(Some(api::Proof::default())).is_ok(), "an empty one is the verifier's to refuse");
}
