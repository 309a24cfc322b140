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
