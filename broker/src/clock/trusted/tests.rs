use proptest::prelude::*;

use super::*;

const BOOT: &str = "5f0c1a52-0000-4000-8000-000000000001";
const OTHER_BOOT: &str = "5f0c1a52-0000-4000-8000-000000000002";

/// In seconds behind the moment where every test begins.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + seconds).unwrap()
}

const fn mark(seconds: u64) -> Mark {
    Mark(Duration::from_secs(seconds))
}

/// A broker that was up once before, until 0, in whichever boot.
fn kept(boot_id: &str) -> TimeMark {
    TimeMark {
        witnessed: Some((at(-1), at(1))),
        mark: mark(1000),
        boot_id: boot_id.to_owned(),
        high_water: at(1),
    }
}

/// In a fresh boot, 10 s after it, with a record that ends at 0.
fn after_a_boot() -> Trusted {
    Trusted::begin(Some(&kept(OTHER_BOOT)), BOOT, Some(at(0)), at(999_999), mark(10))
}

fn bounds(trusted: &mut Trusted, now: u64) -> (i64, i64) {
    let now = trusted.now(mark(now));
    let seconds =
        |moment: Timestamp| moment.duration_since(at(0)).round(jiff::Unit::Second).unwrap().as_secs();
    (seconds(now.earliest()), seconds(now.latest()))
}

const WITNESSED: Assurance = Assurance::Witnessed { corroborated: false };
const TWICE: Assurance = Assurance::Witnessed { corroborated: true };

#[test]
fn after_another_boot_nothing_is_vouched_for_and_time_goes_on_from_the_record() {
    let mut trusted = after_a_boot();
    assert_eq!(trusted.assurance(), Assurance::Unwitnessed);
    assert_eq!(bounds(&mut trusted, 10), (1, 1));
    assert_eq!(bounds(&mut trusted, 70), (61, 61));
    trusted.heard(at(62), mark(70), mark(70));
    assert_eq!(trusted.assurance(), WITNESSED);
    assert_eq!(bounds(&mut trusted, 70), (61, 64));
}

#[test]
fn in_the_same_boot_what_was_witnessed_goes_on() {
    let mut trusted = Trusted::begin(Some(&kept(BOOT)), BOOT, Some(at(0)), at(-999_999), mark(1100));
    assert_eq!(trusted.assurance(), WITNESSED);
    assert_eq!(bounds(&mut trusted, 1100), (99, 101), "100 s later, wider by 20 ms on each side");
}

#[test]
fn a_boot_clock_that_reads_less_than_what_was_kept_is_not_the_same_boot() {
    let mut trusted = Trusted::begin(Some(&kept(BOOT)), BOOT, None, at(-999_999), mark(999));
    assert_eq!(trusted.assurance(), Assurance::Unwitnessed);
    assert_eq!(bounds(&mut trusted, 999), (1, 1));
}

#[test]
fn the_wall_clock_decides_nothing_where_there_is_a_record() {
    for wall in [-999_999, 0, 999_999] {
        let mut trusted = Trusted::begin(None, BOOT, Some(at(0)), at(wall), mark(10));
        assert_eq!(bounds(&mut trusted, 10), (0, 0));
        trusted.heard(at(5), mark(10), mark(10));
        assert_eq!(bounds(&mut trusted, 10), (4, 7));
    }
}

#[test]
fn a_wall_clock_that_was_ahead_does_not_outlive_the_first_witness_of_a_broker_without_a_record() {
    let mut trusted = Trusted::begin(None, BOOT, None, at(999_999), mark(10));
    assert_eq!(bounds(&mut trusted, 10), (999_999, 999_999));
    assert_eq!(trusted.to_keep(BOOT, mark(10)), None, "a guess is not kept");
    trusted.heard(at(0), mark(10), mark(10));
    assert_eq!(bounds(&mut trusted, 10), (-1, 2));
}

#[test]
fn a_first_witness_far_ahead_is_believed_when_a_second_says_the_same() {
    let mut trusted = after_a_boot();
    trusted.heard(at(7200), mark(10), mark(10));
    assert_eq!(trusted.assurance(), Assurance::Unwitnessed);
    trusted.heard(at(7204), mark(14), mark(14));
    assert_eq!(trusted.assurance(), Assurance::Unwitnessed, "too soon");
    assert_eq!(bounds(&mut trusted, 14), (5, 5), "carried on meanwhile");
    trusted.heard(at(7205), mark(15), mark(15));
    assert_eq!(trusted.assurance(), TWICE);
    assert_eq!(bounds(&mut trusted, 15), (7204, 7207));
}

#[test]
fn two_that_do_not_agree_do_not_confirm_each_other() {
    let mut trusted = after_a_boot();
    trusted.heard(at(7200), mark(10), mark(10));
    trusted.heard(at(9999), mark(20), mark(20));
    assert_eq!(trusted.assurance(), Assurance::Unwitnessed);
    trusted.heard(at(10_005), mark(26), mark(26));
    assert_eq!(trusted.assurance(), TWICE);
}

#[test]
fn a_witness_that_contradicts_stops_grants_until_somebody_agrees_with_one_side() {
    let fresh = || {
        let mut trusted = after_a_boot();
        trusted.heard(at(1), mark(10), mark(10));
        trusted.heard(at(61), mark(70), mark(70));
        assert_eq!(trusted.assurance(), TWICE);
        trusted.heard(at(3600), mark(80), mark(80));
        assert_eq!(trusted.assurance(), Assurance::Doubted);
        assert_eq!(bounds(&mut trusted, 80), (70, 73), "roles end by the time that was carried on");
        assert_eq!(trusted.doubts(), 1);
        trusted
    };
    let mut for_the_old = fresh();
    for_the_old.heard(at(81), mark(90), mark(90));
    assert_eq!(for_the_old.assurance(), TWICE);
    assert_eq!(bounds(&mut for_the_old, 90), (80, 83));

    let mut for_the_new = fresh();
    for_the_new.heard(at(3610), mark(90), mark(90));
    assert_eq!(for_the_new.assurance(), TWICE);
    assert_eq!(bounds(&mut for_the_new, 90), (3609, 3612));
}

#[test]
fn time_that_turns_out_to_have_been_ahead_ends_roles_no_later_and_grants_them_no_longer() {
    let mut trusted = after_a_boot();
    trusted.heard(at(7200), mark(10), mark(10));
    trusted.heard(at(7210), mark(20), mark(20));
    assert_eq!(bounds(&mut trusted, 20), (7209, 7212));
    // Two liars; now two who tell the truth.
    trusted.heard(at(20), mark(30), mark(30));
    trusted.heard(at(30), mark(40), mark(40));
    assert_eq!(trusted.assurance(), TWICE);
    assert_eq!(bounds(&mut trusted, 40), (29, 7212), "the late bound stands still, the early one is true");
    assert_eq!(bounds(&mut trusted, 8000), (7987, 7994), "until the truth has caught up");
}

#[test]
fn the_distance_of_two_witnesses_at_its_edge() {
    for (seconds, assurance) in [(4, WITNESSED), (5, TWICE), (6, TWICE)] {
        let mut trusted = after_a_boot();
        trusted.heard(at(1), mark(10), mark(10));
        trusted.heard(at(1 + i64::try_from(seconds).unwrap()), mark(10 + seconds), mark(10 + seconds));
        assert_eq!(trusted.assurance(), assurance, "{seconds} s");
    }
}

#[test]
fn how_far_ahead_a_first_witness_is_believed_at_its_edge() {
    // It says one second less than it may be.
    for (said, assurance) in [(121, WITNESSED), (122, WITNESSED), (123, Assurance::Unwitnessed)] {
        let mut trusted = after_a_boot();
        trusted.heard(at(said), mark(10), mark(10));
        assert_eq!(trusted.assurance(), assurance, "{said}");
    }
}

#[test]
fn an_answer_that_took_long_says_little_and_one_that_took_very_long_nothing() {
    let mut trusted = after_a_boot();
    trusted.heard(at(1), mark(10), mark(40));
    assert_eq!(bounds(&mut trusted, 40), (0, 33));
    let mut trusted = after_a_boot();
    trusted.heard(at(1), mark(10), mark(41));
    assert_eq!(trusted.assurance(), Assurance::Unwitnessed);
    assert_eq!(trusted.unheard_for(mark(50)), None);
}

#[test]
fn at_the_calendars_ends_it_stands_still() {
    let mut trusted = Trusted::begin(None, BOOT, Some(Timestamp::MAX), at(0), mark(10));
    assert_eq!(trusted.now(mark(20)).latest(), Timestamp::MAX);
    trusted.heard(Timestamp::MAX, mark(20), mark(20));
    assert_eq!(trusted.now(mark(1_000_000)).latest(), Timestamp::MAX);
}

/// What can happen to a machine and its clock.
#[derive(Debug, Clone)]
enum Happening {
    /// Time passes, counted by an oscillator that is this many millionths off.
    Passes { seconds: u32, millionths: i32 },
    /// The tenant is asked, and answers after so many milliseconds; its own clock is this far off.
    Asked { way: u16, off: i16 },
    /// The process ends and begins again, having kept the time just before.
    Restarted,
    /// The machine too, after so long.
    Rebooted { seconds: u32 },
    /// Somebody sets the wall clock.
    Set(i32),
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let one = prop_oneof![
        4 => (0_u32..100_000, -190_i32..=190).prop_map(|(seconds, millionths)| Happening::Passes { seconds, millionths }),
        4 => (0_u16..20_000, -900_i16..=900).prop_map(|(way, off)| Happening::Asked { way, off }),
        2 => Just(Happening::Restarted),
        1 => (0_u32..1_000_000).prop_map(|seconds| Happening::Rebooted { seconds }),
        1 => any::<i32>().prop_map(Happening::Set),
    ];
    prop::collection::vec(one, 1..60)
}

/// The machine, and the truth that it does not know.
struct Machine {
    truth: Timestamp,
    booted_for: Duration,
    boots: u32,
    wall_off: i64,
    trusted: Trusted,
    kept: TimeMark,
}

impl Machine {
    fn new() -> Self {
        let (truth, booted_for) = (at(0), Duration::from_secs(10));
        let mut trusted = Trusted::begin(None, "boot 0", None, truth, Mark(booted_for));
        trusted.heard(truth, Mark(booted_for), Mark(booted_for));
        let kept = trusted.to_keep("boot 0", Mark(booted_for)).unwrap();
        Self { truth, booted_for, boots: 0, wall_off: 0, trusted, kept }
    }

    fn mark(&self) -> Mark {
        Mark(self.booted_for)
    }

    fn boot_id(&self) -> String {
        format!("boot {}", self.boots)
    }

    fn passes(&mut self, nanos: i128, millionths: i32) {
        self.truth += SignedDuration::from_nanos_i128(nanos);
        let counted = nanos + nanos * i128::from(millionths) / 1_000_000;
        self.booted_for += Duration::from_nanos(u64::try_from(counted).unwrap());
    }

    fn begins(&mut self) {
        let wall = self.truth.saturating_add(SignedDuration::from_secs(self.wall_off)).unwrap();
        let known = Some(self.kept.high_water);
        self.trusted = Trusted::begin(Some(&self.kept), &self.boot_id(), known, wall, self.mark());
    }

    fn happens(&mut self, happening: &Happening) {
        match *happening {
            Happening::Passes { seconds, millionths } => {
                self.passes(i128::from(seconds) * 1_000_000_000, millionths)
            }
            Happening::Asked { way, off } => {
                let asked = self.mark();
                self.passes(i128::from(way) * 500_000, 0);
                let said = self.truth.as_millisecond() + i64::from(off);
                self.passes(i128::from(way) * 500_000, 0);
                self.trusted.heard(
                    Timestamp::from_second(said.div_euclid(1000)).unwrap(),
                    asked,
                    self.mark(),
                );
            }
            Happening::Restarted => self.begins(),
            Happening::Rebooted { seconds } => {
                self.truth += SignedDuration::from_secs(i64::from(seconds));
                self.booted_for = Duration::from_secs(3);
                self.boots += 1;
                self.begins();
            }
            Happening::Set(to) => self.wall_off = i64::from(to),
        }
        self.kept = self.trusted.to_keep(&self.boot_id(), self.mark()).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// With tenants that are at most 900 ms off, and oscillators within what hardware promises.
    #[test]
    fn the_truth_lies_between_the_bounds_whenever_they_are_vouched_for(all in happenings()) {
        let mut machine = Machine::new();
        let mut latest = Timestamp::MIN;
        for happening in &all {
            machine.happens(happening);
            let mark = machine.mark();
            let now = machine.trusted.now(mark);
            prop_assert!(now.latest() >= latest, "{happening:?}: {} went back to {}", latest, now.latest());
            latest = now.latest();
            if machine.trusted.assurance().is_good_for_grants() {
                prop_assert!(now.earliest() <= machine.truth && machine.truth <= now.latest(),
                    "{happening:?}: {} is not within {} and {}", machine.truth, now.earliest(), now.latest());
            } else {
                prop_assert!(now.latest() <= machine.truth + SignedDuration::from_secs(60),
                    "{happening:?}: roles would end early: {} at {}", now.latest(), machine.truth);
            }
            prop_assert_eq!(machine.trusted.doubts(), 0, "nobody lied");
        }
    }
}
