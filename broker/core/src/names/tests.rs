use super::*;

const ID: &str = "071cc716-8147-4397-a5ba-b2105951cc0b";

#[test]
fn an_id_has_one_spelling() {
    for (given, fits) in [
        (ID.to_owned(), true),
        (ID.to_uppercase(), true),
        (ID.replace('-', ""), false),
        (format!("{{{ID}}}"), false),
        (format!("urn:uuid:{ID}"), false),
        (format!(" {ID}"), false),
        ("00000000-0000-0000-0000-000000000000".to_owned(), false),
        (String::new(), false),
    ] {
        assert_eq!(given.parse::<ObjectId>().is_ok(), fits, "{given}");
    }
    assert_eq!(ID.to_uppercase().parse::<ObjectId>().unwrap().to_string(), ID);
}

#[test]
fn a_role_name_is_a_plain_word() {
    let longest = "a".repeat(64);
    for (given, fits) in [
        ("groups-admin", true),
        ("a", true),
        (longest.as_str(), true),
        (&"a".repeat(65), false),
        ("", false),
        ("Groups", false),
        ("-a", false),
        ("a-", false),
        ("a b", false),
        ("a\u{1b}[31m", false),
    ] {
        assert_eq!(given.parse::<RoleName>().is_ok(), fits, "{given:?}");
    }
}

#[test]
fn a_scope_reads_as_graph_writes_it() {
    for text in ["/".to_owned(), format!("/administrativeUnits/{ID}"), format!("/{ID}")] {
        assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
    }
    for text in ["", "//", "/applications/x", ID, "/administrativeUnits/", "/x"] {
        assert!(text.parse::<Scope>().is_err(), "{text:?}");
    }
}

#[test]
fn a_justification_is_words_and_its_error_does_not_repeat_them() {
    assert_eq!("  restore a mailbox \n".parse::<Justification>().unwrap().as_str(), "restore a mailbox");
    for text in [
        "",
        "   ",
        "bell\u{7}",
        "bell\u{202e}llec",
        "bell\u{200b}",
        "be\u{ad}ll",
        "bell\u{e0041}",
        "\u{3164}",
        &"x".repeat(1001),
    ] {
        let error = text.parse::<Justification>().unwrap_err().to_string();
        assert!(!error.contains("bell") && !error.contains("xxx"), "{error}");
    }
    let shown = format!("{:?}", "secret plan".parse::<Justification>().unwrap());
    assert_eq!(shown, "Justification(11 characters)");
}

#[test]
fn an_assignment_id_can_be_put_in_a_path() {
    assert!("YUb1sHQtUEyvox7IA_Eu_mm3jqnUe4lEhvatluHVi2I-1".parse::<AssignmentId>().is_ok());
    for text in ["", "a/b", "a?b", "a b", "a#b", "é", &"a".repeat(513)] {
        assert!(text.parse::<AssignmentId>().is_err(), "{text:?}");
    }
}
