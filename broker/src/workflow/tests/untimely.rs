//! While nobody vouches for the time: nothing is given, and everything is taken.

use super::world::*;
use crate::ports::clock::Assurance;

const UNSURE: [Assurance; 2] = [Assurance::Unwitnessed, Assurance::Doubted];
const SURE: Assurance = Assurance::Witnessed { corroborated: false };

#[tokio::test]
async fn nothing_can_be_asked_for_or_approved() {
    for unsure in UNSURE {
        let world = World::new().await;
        let waiting = world.asked(ANN, "admin").await;
        world.clock.is_vouched_for(unsure);
        assert_eq!(world.ask(ANN, "reader").await.unwrap_err().reason(), "TIME_UNSURE", "{unsure:?}");
        assert_eq!(world.yes(LEA, waiting).await.unwrap_err().reason(), "TIME_UNSURE", "{unsure:?}");
        world.clock.is_vouched_for(SURE);
        world.yes(LEA, waiting).await.unwrap();
    }
}

#[tokio::test]
async fn what_was_to_begin_waits_and_begins_when_the_time_is_known() {
    for unsure in UNSURE {
        let world = World::new().await;
        let id = world.asked(ANN, "reader").await;
        world.clock.is_vouched_for(unsure);
        let _ = world.workflow.settle(id).await.unwrap();
        assert_eq!((world.word(id).await, world.directory.calls("grant")), ("scheduled", 0), "{unsure:?}");
        world.clock.is_vouched_for(SURE);
        world.settle_all().await;
        assert_eq!(world.word(id).await, "active");
    }
}

#[tokio::test]
async fn an_intent_that_is_on_record_is_not_carried_out_by_a_time_that_nobody_vouches_for() {
    for unsure in UNSURE {
        let world = World::new().await;
        world.directory.will_grant([super::outside::Answer::DoesUnheard]);
        let id = world.asked(ANN, "reader").await;
        world.settle_all().await;
        let tries = world.directory.calls("grant");
        assert_eq!(world.word(id).await, "activating");
        world.clock.is_vouched_for(unsure);
        world.clock.forward(61);
        let _ = world.workflow.settle(id).await.unwrap();
        assert_eq!(world.directory.calls("grant"), tries, "{unsure:?}");
        // Its end comes all the same, and then it is taken back.
        world.clock.forward(3600);
        world.settle_all().await;
        assert_eq!((world.word(id).await, world.directory.all().len()), ("closed", 0), "{unsure:?}");
    }
}

#[tokio::test]
async fn roles_are_taken_away_and_given_back() {
    for unsure in UNSURE {
        let world = World::new().await;
        let (one, other) = (world.held(ANN, "reader").await, world.held(BEN, "reader").await);
        world.clock.is_vouched_for(unsure);
        world.workflow.deactivate(&person(BEN), other).await.unwrap();
        world.clock.forward(3600);
        world.settle_all().await;
        for id in [one, other] {
            assert_eq!(world.word(id).await, "closed", "{unsure:?}");
        }
        assert_eq!(world.directory.all(), []);
    }
}
