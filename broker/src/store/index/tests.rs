use super::*;

#[test]
fn an_index_of_another_form_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::open(folder.path()).unwrap();
    let mut form = stored::Applied::decode(index.value(b"m").unwrap().unwrap().as_slice()).unwrap();
    form.schema -= 1;
    index.raw().insert(b"m", sealed(b"m", &form.encode_to_vec())).unwrap();
    let error = index.applied().unwrap_err().to_string();
    let expected =
        format!("the index is damaged: it has form {}, and this broker keeps form {SCHEMA}", SCHEMA - 1);
    assert_eq!(error, expected);
}
