use std::time::Duration;

use governor::clock::FakeRelativeClock;

use super::*;
use crate::workflow::tests::world::principal;

#[test]
fn each_has_a_share_and_all_together_have_one() {
    let clock = FakeRelativeClock::default();
    let throttle = Throttle::by(clock.clone());
    let admitted = |who, tries: u32| (0..tries).filter(|_| throttle.admits(who)).count();
    assert_eq!(admitted(Some(principal(1)), 25), 20);
    assert_eq!(throttle.left_out(), 5);
    // Somebody else's share is whole; and so is that of those nobody knows.
    assert_eq!((admitted(Some(principal(2)), 20), admitted(None, 21)), (20, 20));
    clock.advance(Duration::from_secs(60));
    assert_eq!(admitted(Some(principal(1)), 20), 20);
    let many: usize = (100..200).map(|n| admitted(Some(principal(n)), 10)).sum();
    assert_eq!(many, 580, "600 a minute, and 20 of them were used");
}

#[test]
fn a_share_that_is_whole_again_takes_no_room() {
    let clock = FakeRelativeClock::default();
    let throttle = Throttle::by(clock.clone());
    for n in 0..500 {
        throttle.admits(Some(principal(n)));
    }
    assert_eq!(throttle.each.len(), 500);
    clock.advance(Duration::from_secs(60));
    throttle.admits(Some(principal(1)));
    throttle.forget_idle();
    assert_eq!(throttle.each.len(), 1);
}
