use expect_test::expect;
use proptest::prelude::*;

use super::*;

fn file(name: &str, text: &str) -> File {
    File { name: name.to_owned(), text: text.to_owned() }
}

#[test]
fn a_line_of_the_whole_is_a_line_of_a_file() {
    let text = join(&[file("a.toml", "# one\n# two"), file("b.toml", "# three\n")]).unwrap();
    assert_eq!(text, "# --- file: a.toml\n# one\n# two\n# --- file: b.toml\n# three\n");
    for (line, told) in [(2, "a.toml line 1"), (3, "a.toml line 2"), (5, "b.toml line 1")] {
        assert_eq!(place(&text, &format!("line {line}")).as_deref(), Some(told));
    }
    assert_eq!(place("# one\n", "line 1"), None);
    assert_eq!(place(&text, "somewhere"), None);
}

#[test]
fn a_file_that_would_change_the_one_before_it_is_refused() {
    let role = "[[role]]\nname = \"a\"\n";
    expect![[r#"
        b.toml line 1: `longest` is not known here; is it misspelt?
        c.toml line 1: `role` must be written as `[[role]]`
        d.toml line 2: unclosed array table, expected `]]`
        e f.toml line 1: is no name for a file of a policy: letters, digits, `-`, `_`, and `.toml` at its end
        g.toml line 1: `# --- file:` is how the files of a folder are told apart; take the line out"#]]
    .assert_eq(
        &join(&[
            file("a.toml", role),
            file("b.toml", "longest = \"24h\"\n"),
            file("c.toml", "[[role.approval]]\ncount = 1\n"),
            file("d.toml", "\n[[role\n"),
            file("e f.toml", ""),
            file("g.toml", "# --- file: x.toml\n"),
        ])
        .unwrap_err()
        .to_string(),
    );
}

#[test]
fn a_name_leads_nowhere_else() {
    for bad in
        ["../a.toml", "a/b.toml", ".a.toml", "a.tom", ".toml", "a b.toml", "-a.toml", "a\\b.toml", "C:a.toml"]
    {
        assert!(!File::may_be_called(bad), "{bad}");
        // What names such a file is a comment like any other.
        assert_eq!(split(&format!("# --- file: {bad}\n")), None, "{bad}");
    }
    assert!(File::may_be_called("10-groups_of.staff.toml"));
    assert_eq!(split("# --- file: a.toml\n# --- file: a.toml\n"), None, "one would overwrite the other");
}

proptest! {
    #[test]
    fn what_was_joined_is_taken_apart_again(lines in prop::collection::vec("(# [ -~]{0,9}\n){0,4}", 1..5)) {
        let files: Vec<_> =
            lines.iter().enumerate().map(|(nth, text)| file(&format!("{nth}.toml"), text)).collect();
        if let Ok(text) = join(&files) {
            prop_assert_eq!(split(&text).unwrap(), files);
        }
    }
}
