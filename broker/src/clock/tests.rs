use jiff::SignedDuration;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A machine whose wall clock stands, and which is otherwise this one.
#[derive(Debug)]
struct Stopped(Timestamp);

#[async_trait]
impl Machine for Stopped {
    fn wall(&self) -> Timestamp {
        self.0
    }

    fn since_boot(&self) -> Duration {
        Kernel.since_boot()
    }

    async fn nap(&self, length: Duration) {
        Kernel.nap(length).await;
    }
}

#[test]
fn it_begins_at_the_later_of_the_wall_and_the_record() {
    for (wall, known, begins) in
        [(100, None, 100), (100, Some(50), 100), (100, Some(100), 100), (100, Some(150), 150)]
    {
        let clock = SystemClock::on(Arc::new(Stopped(at(wall))), known.map(at));
        let ran = clock.now().earliest().duration_since(at(begins));
        assert!(
            SignedDuration::ZERO <= ran && ran < SignedDuration::from_secs(60),
            "{wall} {known:?}: {ran}"
        );
    }
}

#[test]
fn it_never_goes_back_and_is_sure() {
    let clock = SystemClock::start(None);
    let mut last = clock.now();
    for _ in 0..10_000 {
        let now = clock.now();
        assert!(now.earliest() >= last.latest() && now.earliest() == now.latest());
        last = now;
    }
}

#[test]
fn past_the_calendar_it_stands_still_and_all_is_over() {
    let clock = SystemClock::on(Arc::new(Stopped(Timestamp::MAX)), None);
    assert_eq!(clock.now().latest(), Timestamp::MAX);
}

#[tokio::test(start_paused = true)]
async fn it_sleeps_in_short_naps_and_not_for_what_is_past() {
    let clock = SystemClock::start(None);
    let now = clock.now().latest();
    for (seconds, least, most) in [(-5, 0, 0), (0, 0, 0), (3, 2, 3), (3600, 5, 5)] {
        let before = tokio::time::Instant::now();
        clock.sleep_until(now + SignedDuration::from_secs(seconds)).await;
        let slept = before.elapsed().as_secs_f64();
        assert!(f64::from(least) <= slept && slept <= f64::from(most) + 0.01, "{seconds} s: {slept}");
    }
}
