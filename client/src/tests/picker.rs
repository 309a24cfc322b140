//! `activate` without a role: chosen by a person at a terminal, and a fault for everybody else.

use elevate_proto::v1;
use expect_test::expect;
use v1::ActivationState as State;

use super::bench::{Bench, activation, prepared, requirement};
use crate::exit::Exit;
use crate::world::Key;

fn role(name: &str, title: &str) -> v1::EligibleRole {
    v1::EligibleRole {
        name: name.to_owned(),
        title: title.to_owned(),
        longest_seconds: 28_800,
        usual_seconds: 3600,
        ..v1::EligibleRole::default()
    }
}

async fn at_the_keys(keys: &[Key]) -> Bench {
    let bench = Bench::signed_in().await.at_a_terminal();
    let groups = v1::EligibleRole {
        requirements: vec![requirement()],
        ticket_required: true,
        ..role("groups-admin", "Groups Administrator")
    };
    let reader =
        v1::EligibleRole { activation: Some(activation(State::Active)), ..role("reader", "Global Reader") };
    let roles = vec![role("app-admin", "Application Administrator"), groups, reader];
    bench.broker.says(
        "list_eligible_roles",
        &v1::ListEligibleRolesResponse { roles, next_page_token: String::new(), frozen: None },
    );
    bench.broker.says("prepare_activation", &prepared());
    bench.keys.next.lock().unwrap().extend(keys);
    bench
}

fn letters(text: &str) -> Vec<Key> {
    text.chars().map(Key::Char).collect()
}

/// Each picture, without what steers the terminal.
fn pictures(err: &str) -> Vec<String> {
    let shown = err.split("\r\u{1b}[J").filter(|picture| picture.contains("Which role?"));
    shown
        .map(|picture| {
            let from = picture.find("Which role?").unwrap();
            picture[from..].replace("\u{1b}[K", "").replace('\r', "")
        })
        .collect()
}

fn asked(bench: &Bench) -> v1::PrepareActivationRequest {
    bench.broker.asked("prepare_activation").pop().unwrap()
}

#[tokio::test]
async fn arrows_choose_and_what_the_role_needs_is_asked() {
    let bench = at_the_keys(&[Key::Up, Key::Down, Key::Enter]).await;
    let typed = "two hours\n2h\nINC0012345\nreset a group\n";
    let ran = bench.typing(&["activate", "--dry-run", "--ticket-system", "ServiceNow"], typed).await;
    assert_eq!(ran.exit, Exit::Ok, "{ran:?}");
    let seen = pictures(&ran.err);
    expect![[r#"
        Which role? 
        > app-admin     Application Administrator, 1h (at most 8h)
          groups-admin  Groups Administrator, 1h (at most 8h), 1 approval
          reader        Global Reader, 1h (at most 8h), active, until 18:00 (in 2h)
          3 of 3; arrows choose, letters narrow, Enter takes, Esc leaves
    "#]]
    .assert_eq(&seen[0]);
    expect![[r#"
        Which role? 
          app-admin     Application Administrator, 1h (at most 8h)
        > groups-admin  Groups Administrator, 1h (at most 8h), 1 approval
          reader        Global Reader, 1h (at most 8h), active, until 18:00 (in 2h)
          3 of 3; arrows choose, letters narrow, Enter takes, Esc leaves
    "#]]
    .assert_eq(&seen[2]);
    let after = ran.err.rsplit("\u{1b}[?25h").next().unwrap();
    assert!(after.starts_with("for how long? [1h] "), "{after}");
    assert!(after.contains("write it like `2h`") && after.contains("under which ticket? "), "{after}");
    let ask = asked(&bench);
    assert_eq!(
        (ask.role.as_str(), ask.term_seconds, ask.justification.as_str()),
        ("groups-admin", 7200, "reset a group")
    );
    assert_eq!(ask.ticket.unwrap().number, "INC0012345");
    assert_eq!(*bench.keys.taken.lock().unwrap(), (1, 1), "the terminal is as it was");
}

#[tokio::test]
async fn letters_narrow_and_flags_are_not_asked_for_again() {
    let mut keys = letters("glob");
    keys.extend([Key::Backspace, Key::Down, Key::Char('b'), Key::Enter]);
    let bench = at_the_keys(&keys).await;
    let ran = bench.typing(&["activate", "--for", "1h", "--reason", "x", "--dry-run"], "").await;
    assert_eq!(asked(&bench).role, "reader", "{ran:?}");
    assert!(!ran.err.contains("for how long?"), "{ran:?}");
    expect![[r#"
        Which role? glob
        > reader        Global Reader, 1h (at most 8h), active, until 18:00 (in 2h)
          1 of 3; arrows choose, letters narrow, Enter takes, Esc leaves
    "#]]
    .assert_eq(pictures(&ran.err).last().unwrap());
}

#[tokio::test]
async fn what_fits_nothing_cannot_be_taken() {
    let mut keys = letters("zz");
    keys.extend([Key::Enter, Key::Backspace, Key::Backspace, Key::Other, Key::Enter]);
    let bench = at_the_keys(&keys).await;
    let ran = bench.typing(&["activate", "--dry-run", "--reason", "x"], "\n").await;
    assert_eq!((asked(&bench).role.as_str(), asked(&bench).term_seconds), ("app-admin", 0), "{ran:?}");
    assert!(pictures(&ran.err)[2].contains("none of them"), "{ran:?}");
}

#[tokio::test]
async fn leaving_asks_for_nothing_and_gives_the_terminal_back() {
    for (key, told) in [(Key::Escape, "nothing was chosen; nothing changed"), (Key::Interrupt, "interrupted")]
    {
        let bench = at_the_keys(&[Key::Down, key]).await;
        let ran = bench.typing(&["activate"], "").await;
        assert_eq!(ran.exit, Exit::Interrupted);
        assert!(ran.err.ends_with(&format!("\u{1b}[?25herror: {told}\n")), "{ran:?}");
        assert!(!bench.broker.was_called("prepare_activation"));
        assert_eq!(*bench.keys.taken.lock().unwrap(), (1, 1));
    }
}

#[tokio::test]
async fn without_a_person_at_a_terminal_a_role_must_be_named() {
    let mut bench = at_the_keys(&[Key::Enter]).await;
    let json = bench.elevate(&["activate", "--output", "json"]).await;
    bench.terminals.input = false;
    let piped = bench.elevate(&["activate"]).await;
    expect![[r#"
        err: error: no role is named
        err:   name one: `elevate activate ROLE`; `elevate roles` shows what you may activate
        exit: 2
    "#]]
    .assert_eq(&piped.all());
    assert_eq!((json.exit, piped.exit), (Exit::Usage, Exit::Usage));
    assert!(json.err.contains("`elevate roles` shows what you may activate"), "{json:?}");
    assert_eq!(*bench.keys.taken.lock().unwrap(), (0, 0));
}
