//! Good tokens, spoilt a hundred thousand times, each judged by us and by a verifier that shares nothing with us.
//!
//! `MUTANTS=2000000` makes more, `MUTANTS_SEED=7` others; `MUTANTS_ONLY=n` makes one again, as a failure says.

mod make;
mod pools;
mod second;

use std::env;
use std::fmt::Write as _;
use std::thread;
use std::time::Instant;

use elevate_core::policy::AuthContext;

use super::*;
use crate::ports::verifier::{CallerKind, Challenge};
use make::{Base, Dice, Door, PINNED, Signer, edited, forged, resigned, restructured};
use pools::Pools;
use second::{Second, Sought, Who};

const BOB: &str = "171cc716-8147-4397-a5ba-b2105951cc1b";
const SEED: u64 = 2026;
const MUTANTS: u64 = 100_000;

/// How a token was spoilt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Edited,
    Restructured,
    Forged,
    Resigned,
}

/// What came of it.
#[derive(Debug, Default)]
struct Tally {
    made: BTreeMap<Way, u64>,
    accepted: BTreeMap<Way, u64>,
    /// Where the second verifier would have accepted: why we did not, and how often.
    stricter: BTreeMap<String, u64>,
    faults: Vec<String>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        let Self { made, accepted, stricter, faults } = other;
        for (way, count) in made {
            *self.made.entry(way).or_default() += count;
        }
        for (way, count) in accepted {
            *self.accepted.entry(way).or_default() += count;
        }
        for (why, count) in stricter {
            *self.stricter.entry(why).or_default() += count;
        }
        self.faults.extend(faults);
    }
}

/// Why we refuse what a lenient reader of the same rules takes: headers that bring keys or change the rules, names that
/// stand twice, null, and values beyond a bound or of another type where the other reader does not look. Whatever else
/// we refuse, it refuses too.
const STRICTER: [&str; 12] = [
    "in its header, which is never accepted",
    "`typ`",
    "is of another type, by its header",
    // A name twice in the header.
    "is not three parts of base64url",
    "holds no JSON object, or two claims of one name",
    "null for `nbf`",
    "`exp` that is not a whole number",
    "`uti` that is not a token id",
    "`azp` that is not a text of 1 to 2048 bytes",
    "`idtyp`",
    "`roles`",
    "`amr` that is not a list of",
];

struct Bench {
    house: House,
    second: Second,
    rule: ProofRule,
    to_activate: (Challenge, Sought),
    to_approve: (Challenge, Sought),
    good: Vec<Base>,
    pools: Pools,
}

impl Bench {
    async fn new() -> Self {
        let house = House::new();
        let pinned = changed(rsa_key("pinned", &PINNED), &json!({"alg": "RS256"}));
        let keys = vec![rsa_key("rsa", &RSA), pinned, ec_key("ec")];
        house.publish(&keys);
        house.identity.warm().await.unwrap();
        let now = u64::try_from(START).unwrap();
        let second = Second { keys, issuer: issuer(), tenant: TENANT, broker: BROKER, client: CLIENT, now };
        let to_do = |person: &'static str, action| {
            let caller = Principal { object: person.parse().unwrap(), ..ann() };
            let challenge = house.identity.challenge(caller, digest(), action);
            let sought = Sought { person, nonce: challenge.nonce.clone(), made: now };
            (challenge, sought)
        };
        let to_activate = to_do(ANN, Action::Activate);
        let to_approve = to_do(BOB, Action::Approve);
        let bobs = json!({"oid": BOB, "uti": "uti-4"});
        let (anns_nonce, bobs_nonce) = (&to_activate.0.nonce, &to_approve.0.nonce);
        let good = vec![
            Base::new(Door::Access, Signer::Ec, &access()),
            Base::new(Door::Access, Signer::Rsa, &changed(access(), &bobs)),
            Base::new(Door::Access, Signer::RsaPss, &app_only()),
            Base::new(Door::Activate, Signer::Pinned, &id_token(anns_nonce)),
            Base::new(Door::Activate, Signer::Ec, &changed(id_token(anns_nonce), &json!({"azp": CLIENT}))),
            Base::new(Door::Approve, Signer::Ec, &changed(id_token(bobs_nonce), &bobs)),
        ];
        let pools = Pools::new(&[anns_nonce.clone(), bobs_nonce.clone()]);
        let rule = ProofRule { context: AuthContext::new("c1"), ..rule() };
        Self { house, second, rule, to_activate, to_approve, good, pools }
    }

    /// What we say of a token at a door, and what the second verifier says, in the same words.
    async fn judge(&self, door: Door, token: &str) -> (Result<String, TokenRefusal>, Option<String>) {
        let (challenge, sought, caller, action) = match door {
            Door::Access => {
                let ours = self.house.identity.caller(token).await.map(|caller| {
                    let roles = caller.roles.iter().map(|role| role.word().to_owned());
                    let mut roles: Vec<_> = roles.collect();
                    roles.sort();
                    let is_program = caller.kind == CallerKind::Workload;
                    Who { object: caller.principal.object.to_string(), is_program, roles }
                });
                let word = |who: Who| format!("{who:?}");
                return (ours.map(word), self.second.caller(token).map(word));
            }
            Door::Activate => (&self.to_activate.0, &self.to_activate.1, ANN, Action::Activate),
            Door::Approve => (&self.to_approve.0, &self.to_approve.1, BOB, Action::Approve),
        };
        let caller = Principal { object: caller.parse().unwrap(), ..ann() };
        let wanted =
            Wanted { caller, action, digest: digest(), challenge: &challenge.text, rule: &self.rule };
        let ours = self.house.identity.proof(token, &wanted).await;
        (ours.map(|proof| proof.into_shown().token), self.second.proof(token, sought))
    }

    /// The mutant of this number.
    fn mutant(&self, seed: u64, number: u64) -> (Way, Door, String) {
        let mut dice = Dice::new(seed.wrapping_add(number.wrapping_mul(0xA076_1D64_78BD_642F)));
        loop {
            let base = dice.pick(&self.good).clone();
            let (way, token) = match dice.below(20) {
                0..8 => (Way::Edited, edited(&base, &mut dice)),
                8..13 => (Way::Restructured, restructured(&base, &self.good, &self.pools, &mut dice)),
                13..15 => (Way::Forged, forged(&base, &self.pools, &mut dice)),
                _ => (Way::Resigned, resigned(&base, &self.pools, &mut dice)),
            };
            // One in eight goes to a door that it is not for.
            let door = match dice.below(24) {
                0 => Door::Access,
                1 => Door::Activate,
                2 => Door::Approve,
                _ => base.door,
            };
            // A good token is no mutant, whichever it came from.
            if self.good.iter().all(|good| good.text != token) {
                return (way, door, token);
            }
        }
    }

    async fn try_one(&self, seed: u64, number: u64, tally: &mut Tally) {
        let (way, door, token) = self.mutant(seed, number);
        let (ours, second) = self.judge(door, &token).await;
        *tally.made.entry(way).or_default() += 1;
        let fault = match (&ours, &second) {
            (Ok(_), _) if way != Way::Resigned => Some("accepted, and the tenant did not sign it"),
            (_, Some(_)) if way != Way::Resigned => Some("the second verifier accepts what nobody signed"),
            (Ok(_), None) => Some("accepted, and the second verifier refuses it"),
            (Ok(ours), Some(second)) if ours != second => Some("two verifiers, two meanings"),
            _ => None,
        };
        if ours.is_ok() {
            *tally.accepted.entry(way).or_default() += 1;
        }
        if let (Err(refusal), Some(_)) = (&ours, &second) {
            *tally.stricter.entry(refusal.to_string()).or_default() += 1;
        }
        if let Some(fault) = fault {
            tally.faults.push(format!(
                "{fault}: {way:?} at {door:?}, {ours:?}, {second:?}\n{token}\n\
                 MUTANTS_SEED={seed} MUTANTS_ONLY={number} cargo test -p elevate-broker --lib mutants"
            ));
        }
    }
}

fn given(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

#[test]
fn of_a_hundred_thousand_spoilt_tokens_none_counts_that_a_second_verifier_refuses() {
    let seed = given("MUTANTS_SEED").unwrap_or(SEED);
    let only = given("MUTANTS_ONLY");
    let count = given("MUTANTS").unwrap_or(MUTANTS);
    let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
    let bench = runtime().block_on(Bench::new());
    runtime().block_on(async {
        for good in &bench.good {
            let (ours, second) = bench.judge(good.door, &good.text).await;
            assert!(ours.is_ok() && ours.ok() == second, "a good token does not count: {good:?}");
        }
    });

    let started = Instant::now();
    let cores = u64::try_from(thread::available_parallelism().map_or(1, usize::from)).unwrap();
    let mut tally = Tally::default();
    thread::scope(|scope| {
        let bench = &bench;
        let threads: Vec<_> = (0..cores)
            .map(|core| {
                scope.spawn(move || {
                    let mut tally = Tally::default();
                    let numbers = (core..count).step_by(usize::try_from(cores).unwrap());
                    runtime().block_on(async {
                        for number in numbers.filter(|number| only.is_none_or(|only| only == *number)) {
                            bench.try_one(seed, number, &mut tally).await;
                        }
                    });
                    tally
                })
            })
            .collect();
        for thread in threads {
            tally.add(thread.join().unwrap());
        }
    });

    let mut told = format!("seed {seed}, {cores} threads, {:.1} s\n", started.elapsed().as_secs_f64());
    for (way, made) in &tally.made {
        let accepted = tally.accepted.get(way).copied().unwrap_or_default();
        writeln!(told, "{way:?}: {made} made, {accepted} accepted").unwrap();
    }
    for (why, count) in &tally.stricter {
        writeln!(told, "stricter {count} times: {why}").unwrap();
    }
    println!("{told}");
    assert!(
        tally.faults.is_empty(),
        "{} faults, the first:\n{}\n{told}",
        tally.faults.len(),
        tally.faults[0]
    );
    let unknown: Vec<_> =
        tally.stricter.keys().filter(|why| !STRICTER.iter().any(|known| why.contains(known))).collect();
    assert!(unknown.is_empty(), "refused, and nobody knows why we are stricter there: {unknown:#?}\n{told}");
    if only.is_none() && (seed, count) == (SEED, MUTANTS) {
        let unused: Vec<_> =
            STRICTER.iter().filter(|known| !tally.stricter.keys().any(|why| why.contains(**known))).collect();
        assert!(unused.is_empty(), "said to be stricter, and never was: {unused:?}\n{told}");
        // Of what the tenant signed some must count, or the comparison would have nothing to compare.
        assert!(tally.accepted.get(&Way::Resigned).is_some_and(|accepted| *accepted > count / 100), "{told}");
    }
    assert_eq!(bench.house.reads(), 2, "keys nobody knows made us ask more than once");
}
