use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn times_sort_as_their_keys_do(
        (one, other) in (-377_705_023_201_i64..=253_402_207_200, -377_705_023_201_i64..=253_402_207_200),
        (nano, more) in (0..1_000_000_000_i32, 0..1_000_000_000_i32),
    ) {
        let time = |second, nano| Timestamp::new(second, nano).unwrap_or(Timestamp::MIN);
        let (one, other) = (time(one, nano), time(other, more));
        prop_assert_eq!(one.cmp(&other), time_key(one).cmp(&time_key(other)));
        prop_assert_eq!(time_in(&time_key(one)), Some(one));
    }
}

#[test]
fn a_value_under_another_key_is_not_believed() {
    let value = sealed(b"one", b"value");
    assert_eq!(unsealed(b"one", &value).unwrap(), b"value");
    assert!(unsealed(b"two", &value).is_err());
    assert!(unsealed(b"one", b"abc").is_err());
}

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
