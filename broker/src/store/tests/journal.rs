//! Any sequence of steps, with restarts and lost indexes between: the store answers as a journal in memory
//! does.

use std::fs;

use elevate_core::activation::Activation;
use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Request {
        who: u64,
        what: u64,
        approvers: bool,
        same_request: bool,
        same_proof: bool,
    },
    /// What happens next to one of those there are: mostly something legal.
    Next {
        which: usize,
        choice: usize,
        legal: bool,
        stale: bool,
    },
    Policy {
        skip: u64,
    },
    Refused,
    Reopen,
    LoseIndex,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let unlikely = || prop::bool::weighted(0.1);
    let step = prop_oneof![
        5 => (0_u64..3, 0_u64..2, any::<bool>(), unlikely(), unlikely()).prop_map(
            |(who, what, approvers, same_request, same_proof)| {
                Step::Request { who, what, approvers, same_request, same_proof }
            }
        ),
        12 => (any::<usize>(), any::<usize>(), prop::bool::weighted(0.8), unlikely())
            .prop_map(|(which, choice, legal, stale)| Step::Next { which, choice, legal, stale }),
        1 => (0_u64..3).prop_map(|skip| Step::Policy { skip }),
        1 => Just(Step::Refused),
        1 => Just(Step::Reopen),
        1 => Just(Step::LoseIndex),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn it_answers_as_a_journal_in_memory_does(steps in steps()) {
        let folder = tempfile::tempdir().unwrap();
        block_on(async {
            let mut store = open_with(folder.path(), SMALL).unwrap();
            let mut model = Model::default();
            for (n, step) in (1_u64..).zip(steps) {
                let second = i64::try_from(n).unwrap();
                match step {
                    Step::Request { who, what, approvers, same_request, same_proof } => {
                        let approvers: &[u64] = if approvers { &[1000, 1001] } else { &[] };
                        let mut request = request(n, who, what, approvers);
                        let before = model.activations.values().next_back();
                        if let Some(before) = before.filter(|_| same_request) {
                            request.request_id = before.request.request_id;
                        }
                        if let Some(before) = before.filter(|_| same_proof) {
                            request.proof = before.request.proof.clone();
                        }
                        let _ = append_to_both(&store, &mut model, id(n), 0, vec![requested(request)]).await;
                    }
                    Step::Next { which, choice, legal, stale } => {
                        let live: Vec<Activation> =
                            model.activations.values().filter(|a| a.is_live() || !legal).cloned().collect();
                        let Some(activation) = live.get(which % live.len().max(1)) else { continue };
                        let mut events = possible(activation, n, second);
                        if legal {
                            events.retain(|event| activation.clone().apply(event).is_ok());
                        }
                        let event = events[choice % events.len()].clone();
                        let expected = activation.version - u64::from(stale);
                        let _ = append_to_both(&store, &mut model, activation.id, expected, vec![event]).await;
                    }
                    Step::Policy { skip } => {
                        let next = model.policy().map_or(0, |policy| policy.version.0) + skip;
                        prop_assert_eq!(store.note(policy(next, second)).await, model.note(policy(next, second)));
                    }
                    Step::Refused => {
                        let note = Note::Refused {
                            caller: Some(principal(3)),
                            attempt: "RequestActivation".into(),
                            reason: "ROLE_NOT_OFFERED".into(),
                            role: Some("role-9".parse().unwrap()),
                            activation: None,
                            at: at(second),
                        };
                        prop_assert_eq!(store.note(note.clone()).await, model.note(note));
                    }
                    Step::Reopen => {
                        drop(store);
                        store = open_with(folder.path(), SMALL).unwrap();
                    }
                    Step::LoseIndex => {
                        drop(store);
                        fs::remove_dir_all(folder.path().join("index")).unwrap();
                        store = open_with(folder.path(), SMALL).unwrap();
                    }
                }
            }
            model.assert_same(&store).await;
            store.close().await.unwrap();
            drop(store);
            agrees(folder.path());
            model.assert_same(&open(folder.path())).await;
            // Made again where it was lost, and never without need.
            prop_assert!(!folder.path().join("index.set-aside-1").exists());
            Ok(())
        })?;
    }
}
