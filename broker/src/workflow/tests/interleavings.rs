//! Whatever people do, in whatever order, while time passes and the directory answers as it likes: what may
//! never be, is not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use elevate_core::activation::{Activation, Outcome, State};
use elevate_core::names::{ActivationId, AssignmentId, Slot};
use proptest::prelude::*;

use super::outside::Answer;
use super::world::*;
use crate::ports::journal::{Filter, Page};
use crate::ports::verifier::AppRole;
use crate::ports::{Clock as _, Journal as _};

#[derive(Debug, Clone)]
enum Move {
    Ask(u64, usize),
    Yes(u64, usize),
    No(u64, usize),
    Withdraw(usize),
    GiveBack(usize),
    Revoke(usize),
    Settle(usize),
    SettleAll,
    Reconcile,
    Restart,
    Forward(i64),
    Extend(usize, i64),
    Grants(Answer),
    Extends(Answer),
    Revokes(Answer),
    Down(bool),
    Unsure(i64),
    Sure,
    AssignByHand(u64, u32),
    ClearByHand(u64, u32),
    Leave(u64),
    Join(u64),
}

const ROLES: [&str; 3] = ["reader", "writer", "admin"];

fn moves() -> impl Strategy<Value = Move> {
    use Move::*;
    let answer = || {
        prop_oneof![
            4 => Just(Answer::Does),
            3 => Just(Answer::DoesUnheard),
            3 => Just(Answer::Fails),
            1 => Just(Answer::Refuses),
            1 => Just(Answer::Busy(Duration::from_secs(90))),
        ]
    };
    let (who, lead, nth) = (|| 1..3_u64, || 20..23_u64, || 0..6_usize);
    prop_oneof![
        6 => (who(), 0..ROLES.len()).prop_map(|(who, role)| Ask(who, role)),
        5 => (lead(), nth()).prop_map(|(who, nth)| Yes(who, nth)),
        1 => (lead(), nth()).prop_map(|(who, nth)| No(who, nth)),
        1 => nth().prop_map(Withdraw),
        2 => nth().prop_map(GiveBack),
        1 => nth().prop_map(Revoke),
        3 => nth().prop_map(Settle),
        6 => Just(SettleAll),
        2 => Just(Reconcile),
        1 => Just(Restart),
        5 => prop::sample::select(vec![1, 2, 31, 61, 600, 3600, 7200]).prop_map(Forward),
        4 => (nth(), prop::sample::select(vec![600, 3600, 7200])).prop_map(|(nth, term)| Extend(nth, term)),
        3 => answer().prop_map(Grants),
        2 => answer().prop_map(Extends),
        3 => answer().prop_map(Revokes),
        1 => any::<bool>().prop_map(Down),
        1 => (1..20_i64).prop_map(Unsure),
        1 => Just(Sure),
        2 => (who(), 1..4_u32).prop_map(|(who, role)| AssignByHand(who, role)),
        2 => (who(), 1..4_u32).prop_map(|(who, role)| ClearByHand(who, role)),
        1 => who().prop_map(Leave),
        1 => who().prop_map(Join),
    ]
}

async fn everything(world: &World) -> Vec<Activation> {
    let found = world.store.find(&Filter::default(), &Page { limit: 1000, after: None }).await.unwrap();
    found.activations.iter().map(|recorded| Activation::clone(recorded)).collect()
}

/// What may never be. `by_hand` is what others have assigned.
async fn check(world: &World, by_hand: &BTreeMap<Slot, AssignmentId>) {
    assert_eq!(world.directory.wrongs(), Vec::<String>::new());
    let all = everything(world).await;
    let mut slots = BTreeSet::new();
    for activation in all.iter().filter(|activation| activation.takes_slot()) {
        assert!(slots.insert(activation.slot()), "two live activations at {:?}", activation.slot());
    }
    let mut others = BTreeMap::new();
    for (slot, (id, by)) in world.directory.all() {
        let Some(by) = by else {
            others.insert(slot, id);
            continue;
        };
        let maker = all.iter().find(|activation| activation.id == by).expect("on record");
        assert_eq!(maker.slot(), slot);
        // Who made it, or who took it over since.
        let mut answers = all.iter().filter(|each| each.takes_slot() && each.slot() == slot);
        let answers_for_it = answers.next().unwrap_or(maker);
        match &answers_for_it.state {
            State::Activating { .. } => {}
            State::Active { held, .. } => assert_eq!(*held, id),
            State::Revoking { .. } => {}
            other => panic!("held while {other:?}"),
        }
    }
    assert_eq!(others, *by_hand, "somebody else's is left alone");
    // Exactly one of the two gave, and the other took.
    for activation in &all {
        let old = activation.request.asked.continues;
        let old = old.map(|old| all.iter().find(|each| each.id == old).expect("on record"));
        if let Some(old) = old {
            let taken = matches!(&old.state, State::Closed { outcome: Outcome::TakenOver { by }, .. } if *by == activation.id);
            assert_eq!(taken, activation.held_from.is_some(), "{old:?} and {activation:?}");
        }
    }
}

/// After everything due was settled: what is past its end is held only while the directory gives no answer.
async fn check_settled(world: &World) {
    let now = world.clock.now().latest();
    for activation in everything(world).await {
        match activation.state {
            State::Active { not_after, .. } | State::Activating { not_after, .. } => assert!(now < not_after),
            State::Revoking { retry, .. } => assert!(retry.tries > 0 && now < retry.at),
            State::AwaitingApproval { lapses_at } => assert!(now < lapses_at),
            State::Requested | State::Scheduled { .. } | State::Closed { .. } => {}
        }
    }
}

async fn play(moves: Vec<Move>) {
    let mut world = World::new().await;
    let mut ids: Vec<ActivationId> = Vec::new();
    let mut by_hand = BTreeMap::new();
    for step in moves {
        let picked = |nth: usize| ids.iter().rev().nth(nth).copied();
        match step {
            Move::Ask(who, role) => {
                if let Ok(recorded) = world.ask(who, ROLES[role]).await {
                    ids.push(recorded.id);
                }
            }
            Move::Extend(nth, term) => {
                if let Some(id) = picked(nth) {
                    let asked = world.store.load(id).await.unwrap().unwrap().request.asked.clone();
                    let who = (1..3_u64).find(|who| principal(*who) == asked.principal).unwrap();
                    if let Ok(recorded) = world.extend(who, asked.role.as_str(), id, term).await {
                        ids.push(recorded.id);
                    }
                }
            }
            Move::Yes(who, nth) => {
                if let Some(id) = picked(nth) {
                    let _ = world.yes(who, id).await;
                }
            }
            Move::No(who, nth) => {
                if let Some(id) = picked(nth) {
                    let _ = world.workflow.deny(&person(who), id, "no").await;
                }
            }
            Move::Withdraw(nth) => {
                if let Some(id) = picked(nth) {
                    let _ = world.workflow.withdraw(&person(ANN), id).await;
                }
            }
            Move::GiveBack(nth) => {
                if let Some(id) = picked(nth) {
                    let _ = world.workflow.deactivate(&person(ANN), id).await;
                }
            }
            Move::Revoke(nth) => {
                if let Some(id) = picked(nth) {
                    let _ = world.workflow.revoke(&with(EVE, AppRole::Revoker), id, "x").await;
                }
            }
            Move::Settle(nth) => {
                if let Some(id) = picked(nth) {
                    world.settle(id).await;
                }
            }
            Move::SettleAll => {
                world.settle_what_is_surely_due().await;
                check_settled(&world).await;
            }
            Move::Reconcile => drop(world.workflow.reconcile().await.unwrap()),
            Move::Restart => world = world.again().await,
            Move::Forward(seconds) => world.clock.forward(seconds),
            Move::Grants(answer) => world.directory.will_grant([answer]),
            Move::Extends(answer) => world.directory.will_extend([answer]),
            Move::Revokes(answer) => world.directory.will_revoke([answer]),
            Move::Down(down) => world.directory.is_down(down),
            Move::Unsure(seconds) => world.clock.unsure_by(seconds),
            Move::Sure => world.clock.sure(),
            Move::AssignByHand(who, role) => {
                let slot = world.slot_of(who, role);
                if world.directory.holds(slot).is_none() {
                    by_hand.insert(slot, world.directory.assign(slot));
                }
            }
            Move::ClearByHand(who, role) => {
                let slot = world.slot_of(who, role);
                world.directory.clear(slot);
                by_hand.remove(&slot);
            }
            Move::Leave(who) => world.directory.take_out(object(who), object(STAFF)),
            Move::Join(who) => world.directory.put_in(object(who), object(STAFF)),
        }
        check(&world, &by_hand).await;
    }
    // The directory comes back, and time passes: nothing stays behind, and every slot is free.
    world.directory.recovers();
    world.clock.sure();
    for seconds in [400, 9 * 3600, 400, 400] {
        world.clock.forward(seconds);
        world.settle_all().await;
        check(&world, &by_hand).await;
    }
    for activation in everything(&world).await {
        assert!(!activation.is_live(), "{activation:?}");
    }
    assert!(world.directory.all().iter().all(|(_, (_, by))| by.is_none()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_moves_breaks_a_promise(moves in prop::collection::vec(moves(), 1..60)) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(play(moves));
    }
}
