use super::*;

fn rule() -> TicketRule {
    TicketRule {
        required: true,
        pattern: Some("INC[0-9]{7}|CHG[0-9]+".parse().unwrap()),
        system: Some("ServiceNow".to_owned()),
        check: None,
    }
}

#[test]
fn what_a_ticket_must_be() {
    let role: RoleName = "app-admin".parse().unwrap();
    for (number, system, said) in [
        ("INC0012345", "ServiceNow", "yes"),
        ("CHG7", "ServiceNow", "yes"),
        (
            "INC0012345",
            "Jira",
            "ticket `INC0012345` is not one for `app-admin`: it must be in `ServiceNow`; say so with `--ticket-system`",
        ),
        (
            "INC00123456",
            "ServiceNow",
            "ticket `INC00123456` is not one for `app-admin`: its number must match `INC[0-9]{7}|CHG[0-9]+`",
        ),
        // Either branch as a whole, not a part of the number.
        (
            "xCHG7",
            "ServiceNow",
            "ticket `xCHG7` is not one for `app-admin`: its number must match `INC[0-9]{7}|CHG[0-9]+`",
        ),
    ] {
        let ticket = Ticket::new(number, system).unwrap();
        let answer =
            rule().admits(&role, Some(&ticket)).map_or_else(|no| no.to_string(), |()| "yes".to_owned());
        assert_eq!(answer, said);
    }
    assert_eq!(
        rule().admits(&role, None).unwrap_err().to_string(),
        "`app-admin` needs a ticket; name it with `--ticket NUMBER`"
    );
    assert!(TicketRule::default().admits(&role, None).is_ok());
}

#[test]
fn a_pattern_is_whole_by_itself() {
    for wrong in ["a)(b", "(", "[", "a{2"] {
        assert!(wrong.parse::<TicketPattern>().is_err(), "{wrong}");
    }
}
