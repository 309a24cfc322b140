use super::*;

#[test]
fn every_fault_is_reported_at_once_and_with_its_line() {
    let text = "a = 1\nb = \"x\"\n\n[t]\nc = \"yes\"\nstranger = 2\n[[list]]\nd = 99\n";
    let mut root = Table::parse(text).unwrap();
    let mut faults = Faults::default();
    root.text::<String>("a", &mut faults);
    root.text::<u8>("b", &mut faults);
    root.required::<String>("gone", &mut faults);
    let mut t = root.table("t", &mut faults);
    t.truth("c", &mut faults);
    t.finish(&mut faults);
    for mut item in root.tables("list", &mut faults) {
        item.whole("d", 1..=9, &mut faults);
        item.finish(&mut faults);
    }
    root.finish(&mut faults);
    expect_test::expect![[r#"
        line 1: `a` must be a text in quotes, not a number
        line 1: `gone` is missing
        line 2: `b` is wrong: invalid digit found in string
        line 5: `t.c` must be `true` or `false`
        line 6: `t.stranger` is not known here; is it misspelt?
        line 8: `list[0].d` must be a whole number from 1 to 9"#]]
    .assert_eq(&faults.or::<()>(None).unwrap_err().to_string());
}

#[test]
fn faults_of_syntax_come_all_together_too() {
    let said = Table::parse("a = \nb = 1\n[c\nd = 2").unwrap_err().to_string();
    assert!(said.contains("line 1: ") && said.contains("line 3: "), "{said}");
}

#[test]
fn what_overrides_a_value_is_named_as_its_place() {
    let mut root = Table::parse("[log]\nlevel = \"info\"\n").unwrap();
    root.set(&["log", "limit"], "many", "ELEVATE_LOG__LIMIT");
    root.set(&["log", "level"], "debug", "ELEVATE_LOG__LEVEL");
    root.set(&["names"], "a, b", "ELEVATE_NAMES");
    let mut faults = Faults::default();
    let mut log = root.table("log", &mut faults);
    assert_eq!(log.text::<String>("level", &mut faults).as_deref(), Some("debug"));
    assert_eq!(root.texts::<String>("names", &mut faults).unwrap(), ["a", "b"]);
    log.whole("limit", 0..=9, &mut faults);
    assert_eq!(
        faults.or::<()>(None).unwrap_err().to_string(),
        "ELEVATE_LOG__LIMIT: `log.limit` must be a whole number from 0 to 9"
    );
}

#[test]
fn the_place_is_found_at_once_however_long_the_text_is() {
    // A policy's largest text, all of it items: it was read again from its beginning for each of them.
    let text = format!("a = [\n{}\n]\nb = 2\n", "1,".repeat(500_000));
    let mut root = Table::parse(&text).unwrap();
    let mut faults = Faults::default();
    root.text::<String>("b", &mut faults);
    assert_eq!(faults.to_string(), "line 4: `b` must be a text in quotes, not a number");
}
