//! A first policy, written where the person says and over nothing.

use elevate_proto::v1;
use expect_test::expect;
use tonic::Code;

use super::bench::{Bench, refusal};
use super::verbs::check;
use crate::exit::Exit;

const TEXT: &str =
    "# --- file: 00-import.toml\n# A first policy\n# --- file: reader.toml\n[[role]]\nname = \"reader\"\n";

async fn bench() -> Bench {
    let bench = Bench::signed_in().await;
    let role = v1::ImportedRole {
        name: "reader".to_owned(),
        title: "Directory Readers\u{1b}[2J".to_owned(),
        eligible: 3,
        standing: 1,
        left_out: vec!["Nightly job holds it".to_owned()],
    };
    let notes = vec!["no PIM was found".to_owned()];
    let answer = v1::ImportPolicyResponse { text: TEXT.to_owned(), roles: vec![role], notes };
    bench.broker.says("import_policy", &answer);
    bench
}

#[tokio::test]
async fn policy_import_prints_the_policy_and_says_beside_it_what_it_is() {
    check(&bench().await, &["policy", "import"], expect![[r#"
        out: # --- file: 00-import.toml
        out: # A first policy
        out: # --- file: reader.toml
        out: [[role]]
        out: name = "reader"
        err: ROLE    IN ENTRA              ELIGIBLE  HELD FOR GOOD  NOT CARRIED OVER
        err: reader  Directory Readers[2J  3         1              1
        err: note: no PIM was found
        exit: 0
    "#]], expect![[r##"
        out: {
        out:   "files": null,
        out:   "text": "# --- file: 00-import.toml\n# A first policy\n# --- file: reader.toml\n[[role]]\nname = \"reader\"\n",
        out:   "roles": [
        out:     {
        out:       "name": "reader",
        out:       "title": "Directory Readers\u001b[2J",
        out:       "eligible": 3,
        out:       "standing": 1,
        out:       "left_out": [
        out:         "Nightly job holds it"
        out:       ]
        out:     }
        out:   ],
        out:   "notes": [
        out:     "no PIM was found"
        out:   ]
        out: }
        err: ROLE    IN ENTRA              ELIGIBLE  HELD FOR GOOD  NOT CARRIED OVER
        err: reader  Directory Readers[2J  3         1              1
        err: note: no PIM was found
        exit: 0
    "##]]).await;
}

#[tokio::test]
async fn policy_import_writes_one_file_a_role_and_over_nothing() {
    let bench = bench().await;
    let folder = bench.folder.path().join("policy");
    let path = folder.to_str().unwrap();
    let ran = bench.elevate(&["policy", "import", path]).await;
    assert_eq!(ran.exit, Exit::Ok, "{ran:?}");
    expect![[r#"
        out: ROLE    IN ENTRA              ELIGIBLE  HELD FOR GOOD  NOT CARRIED OVER
        out: reader  Directory Readers[2J  3         1              1
        out: note: no PIM was found
        out:
        out: It is in FOLDER/policy, and not in force. Read it; then `elevate policy lint FOLDER/policy` and `elevate policy plan FOLDER/policy`
        exit: 0
    "#]].assert_eq(&ran.all().replace(path, "PATH"));
    assert_eq!(std::fs::read_to_string(folder.join("00-import.toml")).unwrap(), "# A first policy\n");
    assert_eq!(std::fs::read_to_string(folder.join("reader.toml")).unwrap(), "[[role]]\nname = \"reader\"\n");

    std::fs::write(folder.join("reader.toml"), "mine").unwrap();
    let again = bench.elevate(&["policy", "import", path]).await;
    assert_eq!((again.exit, again.err.contains("is there already")), (Exit::Usage, true), "{again:?}");
    assert_eq!(std::fs::read_to_string(folder.join("reader.toml")).unwrap(), "mine");
    let forced = bench.elevate(&["policy", "import", path, "--force", "--output", "json"]).await;
    assert_eq!(forced.exit, Exit::Ok, "{forced:?}");
    expect![[r#"
        out: {
        out:   "files": [
        out:     "FOLDER/policy/00-import.toml",
        out:     "FOLDER/policy/reader.toml"
        out:   ],
        out:   "text": null,
        out:   "roles": [
        out:     {
        out:       "name": "reader",
        out:       "title": "Directory Readers\u001b[2J",
        out:       "eligible": 3,
        out:       "standing": 1,
        out:       "left_out": [
        out:         "Nightly job holds it"
        out:       ]
        out:     }
        out:   ],
        out:   "notes": [
        out:     "no PIM was found"
        out:   ]
        out: }
        exit: 0
    "#]]
    .assert_eq(&forced.all().replace(path, "PATH"));
    // What is no part of it would be applied with it.
    std::fs::write(folder.join("other.toml"), "mine").unwrap();
    let strange = bench.elevate(&["policy", "import", path, "--force"]).await;
    assert_eq!(
        (strange.exit, strange.err.contains("no part of this policy")),
        (Exit::Usage, true),
        "{strange:?}"
    );
}

#[tokio::test]
async fn policy_import_is_refused_to_others_and_then_nothing_is_written() {
    let bench = Bench::signed_in().await;
    let why = "this needs the app role policy-admin";
    bench.broker.fails("import_policy", refusal(Code::PermissionDenied, "NOT_ALLOWED", why));
    let folder = bench.folder.path().join("policy");
    let ran = bench.elevate(&["policy", "import", folder.to_str().unwrap()]).await;
    assert_eq!(ran.exit, Exit::Refused, "{ran:?}");
    assert!(!folder.exists());
}
