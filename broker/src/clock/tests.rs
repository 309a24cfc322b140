use jiff::SignedDuration;

use super::*;

#[test]
fn its_late_bound_never_goes_back_whatever_is_said() {
    let clock = SystemClock::start(None, None);
    let mut last = clock.now().latest();
    for n in 0_i64..2_000 {
        let off = SignedDuration::from_secs((n * 7919) % 600 - 300);
        clock.heard(SystemClock::wall() + off, clock.mark());
        let now = clock.now();
        // The first witness may take back the guess of a broker without a record; none after it takes back anything.
        assert!(n == 0 || now.latest() >= last, "{n}");
        assert!(now.earliest() <= now.latest());
        last = now.latest();
    }
}

#[test]
fn nobody_is_taken_at_their_word_for_the_wall_clock() {
    let clock = SystemClock::start(None, None);
    assert_eq!(clock.assurance(), Assurance::Unwitnessed);
    clock.heard(SystemClock::wall(), clock.mark());
    assert_eq!(clock.assurance(), Assurance::Witnessed { corroborated: false });
    let quality = clock.quality();
    assert!(quality.width < Duration::from_secs(4) && quality.unheard_for.is_some(), "{quality:?}");
}

#[test]
fn a_boot_of_the_machine_has_one_name() {
    assert_eq!((Kernel.boot_id().len(), Kernel.boot_id()), (36, Kernel.boot_id()));
}

#[tokio::test(start_paused = true)]
async fn it_sleeps_in_short_naps_and_not_for_what_is_past() {
    let clock = SystemClock::start(None, None);
    let now = clock.now().latest();
    for (seconds, least, most) in [(-5, 0, 0), (0, 0, 0), (3, 2, 3), (3600, 5, 5)] {
        let before = tokio::time::Instant::now();
        clock.sleep_until(now + SignedDuration::from_secs(seconds)).await;
        let slept = before.elapsed().as_secs_f64();
        assert!(f64::from(least) <= slept && slept <= f64::from(most) + 0.01, "{seconds} s: {slept}");
    }
}
