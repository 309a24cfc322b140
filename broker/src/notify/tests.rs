//! What is told, to whom, and that nothing of it is lost or delays anything. The record is real; faked are
//! the outside: whoever carries notices, and where a disk must fail, the place of the cursor.

use std::collections::BTreeSet;
use std::sync::Mutex;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::*;
use crate::ports::notifier::Unkept;
use crate::reaper::Reaper;
use crate::workflow::tests::world::*;

mod concerns;

/// How a postman takes what is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Takes,
    Fails,
    Hangs,
    Panics,
}

/// Carries notices as it is told to.
#[derive(Debug)]
struct Postman {
    mood: Mutex<Mood>,
    tries: watch::Sender<u64>,
    taken: watch::Sender<Vec<Notice>>,
}

impl Postman {
    fn who(mood: Mood) -> Arc<Self> {
        let (tries, taken) = (watch::Sender::new(0), watch::Sender::new(Vec::new()));
        Arc::new(Self { mood: Mutex::new(mood), tries, taken })
    }

    fn turns(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    async fn tried(&self, times: u64) {
        self.tries.subscribe().wait_for(|tries| *tries >= times).await.unwrap();
    }

    async fn took(&self, notices: usize) {
        self.taken.subscribe().wait_for(|taken| taken.len() >= notices).await.unwrap();
    }

    fn ids(&self) -> Vec<String> {
        ids(&self.taken.borrow())
    }
}

#[async_trait]
impl Notifier for Postman {
    async fn deliver(&self, notice: &Notice) -> Result<(), Undelivered> {
        let mood = *self.mood.lock().unwrap();
        self.tries.send_modify(|tries| *tries += 1);
        match mood {
            Mood::Takes => self.taken.send_modify(|taken| taken.push(notice.clone())),
            Mood::Fails => return Err(Undelivered("nobody is at home".to_owned())),
            Mood::Hangs => std::future::pending().await,
            Mood::Panics => panic!("the postman fell"),
        }
        Ok(())
    }
}

/// A place for a cursor that can be broken.
#[derive(Debug)]
struct Shelf {
    kept: Mutex<Kept>,
    broken: bool,
    asked: watch::Sender<u64>,
}

impl Shelf {
    fn with(kept: Kept) -> Arc<Self> {
        Arc::new(Self { kept: Mutex::new(kept), broken: false, asked: watch::Sender::new(0) })
    }

    fn broken() -> Arc<Self> {
        Arc::new(Self { kept: Mutex::new(Kept::Nothing), broken: true, asked: watch::Sender::new(0) })
    }

    fn kept(&self) -> Kept {
        self.kept.lock().unwrap().clone()
    }
}

#[async_trait]
impl Bookmark for Shelf {
    async fn kept(&self) -> Kept {
        self.kept()
    }

    async fn keep(&self, cursor: Cursor) -> Result<(), Unkept> {
        let kept = if self.broken { Err(Unkept("no room".to_owned())) } else { Ok(()) };
        if kept.is_ok() {
            *self.kept.lock().unwrap() = Kept::At(cursor);
        }
        self.asked.send_modify(|asked| *asked += 1);
        kept
    }
}

/// A place that a process dies over: what is given to it never arrives.
#[derive(Debug)]
struct Abyss(watch::Sender<bool>);

#[async_trait]
impl Bookmark for Abyss {
    async fn kept(&self) -> Kept {
        Kept::Nothing
    }

    async fn keep(&self, _: Cursor) -> Result<(), Unkept> {
        self.0.send_replace(true);
        std::future::pending().await
    }
}

fn ids(notices: &[Notice]) -> Vec<String> {
    notices.iter().map(|notice| notice.id.to_string()).collect()
}

async fn opened(world: &World, bookmark: Arc<dyn Bookmark>, postman: &Arc<Postman>) -> Outbox {
    Outbox::open(Ports {
        journal: Arc::clone(&world.store) as _,
        bookmark,
        notifier: Arc::clone(postman) as _,
        clock: Arc::clone(&world.clock) as _,
    })
    .await
}

type Ran = JoinHandle<Result<(), StoreFault>>;

fn run(outbox: Outbox) -> (CancellationToken, Ran, Arc<Meter>) {
    let (stop, meter) = (CancellationToken::new(), outbox.meter());
    (stop.clone(), tokio::spawn(outbox.run(stop)), meter)
}

/// Runs until everything on record is told or given up, and ends in order.
async fn to_the_end(world: &World, bookmark: Arc<dyn Bookmark>, postman: &Arc<Postman>) {
    let (stop, ran, _) = run(opened(world, bookmark, postman).await);
    stop.cancel();
    ran.await.unwrap().unwrap();
}

/// Everything that this record has to tell.
async fn whole(world: &World) -> Vec<Notice> {
    let (mut lives, mut notices) = (Lives::default(), Vec::new());
    for entry in world.store.read(Position(0), 1000).await.unwrap() {
        notices.extend(lives.follow(&entry).unwrap());
    }
    notices
}

/// Until somebody waits for time to pass.
async fn somebody_waits(world: &World) {
    while world.clock.sleepers() == 0 {
        tokio::task::yield_now().await;
    }
}

/// Time goes by for as long as it takes until more was tried.
async fn tried_again_after(world: &World, postman: &Postman) -> i64 {
    somebody_waits(world).await;
    let before = *postman.tries.borrow();
    let mut seconds = 0;
    while *postman.tries.borrow() == before {
        world.clock.forward(1);
        seconds += 1;
        assert!(seconds < 1000, "it is never tried again");
        // What wakes has a task of its own to hand over in.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
    seconds
}

#[tokio::test]
async fn everything_is_told_in_order_once_over_a_restart() {
    let world = World::new().await;
    let postman = Postman::who(Mood::Takes);
    let first = world.held(ANN, "reader").await;
    to_the_end(&world, Arc::clone(&world.store) as _, &postman).await;
    assert_eq!(postman.ids(), ids(&whole(&world).await));

    // The end of a life that began before the restart is told with what it is about.
    world.clock.forward(3600);
    world.settle(first).await;
    world.held(BEN, "reader").await;
    to_the_end(&world, Arc::clone(&world.store) as _, &postman).await;
    to_the_end(&world, Arc::clone(&world.store) as _, &postman).await;
    assert_eq!(*postman.taken.borrow(), whole(&world).await);
    assert_eq!(postman.ids().len(), 4, "policy, active, gone, active: {:?}", postman.ids());
}

#[tokio::test]
async fn what_comes_while_it_runs_is_told_at_once() {
    let world = World::new().await;
    let postman = Postman::who(Mood::Takes);
    let (stop, ran, meter) = run(opened(&world, Arc::clone(&world.store) as _, &postman).await);
    postman.took(1).await;
    world.held(ANN, "reader").await;
    postman.took(2).await;
    stop.cancel();
    ran.await.unwrap().unwrap();
    let size = *world.store.size().borrow();
    assert_eq!((meter.behind(size), meter.oldest(world.clock.now().latest())), (0, Duration::ZERO));
}

#[tokio::test]
async fn killed_between_delivery_and_cursor_it_tells_the_same_again_under_the_same_id() {
    let world = World::new().await;
    let postman = Postman::who(Mood::Takes);
    world.held(ANN, "reader").await;
    let abyss = Arc::new(Abyss(watch::Sender::new(false)));
    let (_stop, ran, _) = run(opened(&world, Arc::clone(&abyss) as _, &postman).await);
    abyss.0.subscribe().wait_for(|reached| *reached).await.unwrap();
    ran.abort();
    assert!(ran.await.unwrap_err().is_cancelled());

    world.clock.forward(3600);
    world.settle_all().await;
    to_the_end(&world, Arc::clone(&world.store) as _, &postman).await;
    let (told, all) = (postman.ids(), ids(&whole(&world).await));
    assert_eq!((told.len(), all.len()), (5, 3), "two of three were told twice: {told:?}");
    assert_eq!(told.iter().collect::<BTreeSet<_>>(), all.iter().collect(), "and by the id that shows");
    assert_eq!(told[..2], told[2..4]);
}

#[tokio::test]
async fn what_does_not_get_through_is_tried_for_ever_and_nothing_overtakes_it() {
    let world = World::new().await;
    let postman = Postman::who(Mood::Fails);
    let (stop, ran, meter) = run(opened(&world, Arc::clone(&world.store) as _, &postman).await);
    let mut pauses = Vec::new();
    for _ in 0..8 {
        pauses.push(tried_again_after(&world, &postman).await);
    }
    assert_eq!(pauses, [5, 10, 20, 40, 80, 120, 120, 120]);
    assert_eq!(meter.oldest(world.clock.now().latest()).as_secs(), 515);
    assert_eq!(meter.behind(*world.store.size().borrow()), 1);
    assert_eq!(world.store.kept().await, Kept::Nothing, "the cursor does not pass what was not delivered");

    world.held(ANN, "reader").await;
    postman.turns(Mood::Takes);
    tried_again_after(&world, &postman).await;
    postman.took(2).await;
    assert_eq!(postman.ids(), ids(&whole(&world).await));
    stop.cancel();
    ran.await.unwrap().unwrap();
    assert_eq!(meter.oldest(world.clock.now().latest()), Duration::ZERO);
}

#[tokio::test]
async fn what_cannot_be_delivered_at_the_end_is_told_after_the_next_start() {
    for mood in [Mood::Fails, Mood::Panics] {
        let world = World::new().await;
        let postman = Postman::who(mood);
        world.held(ANN, "reader").await;
        to_the_end(&world, Arc::clone(&world.store) as _, &postman).await;
        assert_eq!((*postman.tries.borrow(), postman.ids().len()), (1, 0), "{mood:?}");
        postman.turns(Mood::Takes);
        to_the_end(&world, Arc::clone(&world.store) as _, &postman).await;
        assert_eq!(postman.ids(), ids(&whole(&world).await), "{mood:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_hangs_is_given_up_and_tried_again() {
    let world = World::new().await;
    let postman = Postman::who(Mood::Hangs);
    let (stop, ran, _) = run(opened(&world, Shelf::with(Kept::Nothing), &postman).await);
    postman.tried(1).await;
    postman.turns(Mood::Takes);
    tokio::time::advance(DELIVERED_WITHIN).await;
    tried_again_after(&world, &postman).await;
    postman.took(1).await;
    stop.cancel();
    ran.await.unwrap().unwrap();
}

#[tokio::test]
async fn neither_a_grant_nor_a_revocation_waits_for_a_notice() {
    for mood in [Mood::Fails, Mood::Hangs, Mood::Panics] {
        let world = World::new().await;
        let postman = Postman::who(mood);
        let (stop, ran, _) = run(opened(&world, Shelf::broken(), &postman).await);
        postman.tried(1).await;
        let (reaper, _sweeper) = Reaper::new(Arc::clone(&world.workflow));
        let settling = tokio::spawn(reaper.run(stop.clone()));
        let id = world.asked(ANN, "reader").await;
        world.reaches(id, "active").await;
        world.clock.forward(3600);
        world.reaches(id, "closed").await;
        assert_eq!(world.directory.all(), [], "{mood:?}");
        assert_eq!(postman.ids().len(), 0, "{mood:?}");
        stop.cancel();
        settling.await.unwrap().unwrap();
        ran.abort();
    }
}

#[tokio::test]
async fn a_cursor_that_cannot_be_kept_stops_nothing() {
    let world = World::new().await;
    let (postman, shelf) = (Postman::who(Mood::Takes), Shelf::broken());
    let (stop, ran, _) = run(opened(&world, Arc::clone(&shelf) as _, &postman).await);
    postman.took(1).await;
    world.held(ANN, "reader").await;
    postman.took(2).await;
    stop.cancel();
    ran.await.unwrap().unwrap();
    assert!(*shelf.asked.borrow() > 0);
    assert_eq!(postman.ids(), ids(&whole(&world).await), "each once, as long as it runs");
}

#[tokio::test]
async fn beside_an_old_record_without_a_cursor_the_last_day_is_told() {
    let world = World::new().await;
    let long = world.asked(ANN, "admin").await;
    world.clock.forward(3600);
    world.settle(long).await;
    let old = whole(&world).await.len();
    world.clock.forward(24 * 3600 + 1);
    world.held(ANN, "reader").await;
    let (postman, shelf) = (Postman::who(Mood::Takes), Shelf::with(Kept::Nothing));
    to_the_end(&world, Arc::clone(&shelf) as _, &postman).await;
    let all = ids(&whole(&world).await);
    assert_eq!((old, all.len()), (3, 4));
    assert_eq!(postman.ids(), all[old..]);
    assert!(matches!(shelf.kept(), Kept::At(cursor) if cursor.next == *world.store.size().borrow()));

    // Younger than that, all of it.
    let postman = Postman::who(Mood::Takes);
    let world = World::new().await;
    to_the_end(&world, Shelf::with(Kept::Nothing), &postman).await;
    assert_eq!(postman.ids(), ids(&whole(&world).await));
}

#[tokio::test]
async fn when_a_cursor_is_damaged_all_is_told_again_under_the_same_ids() {
    let world = World::new().await;
    world.held(ANN, "reader").await;
    world.clock.forward(72 * 3600);
    world.settle_all().await;
    let postman = Postman::who(Mood::Takes);
    let shelf = Shelf::with(Kept::Unreadable("it is damaged".to_owned()));
    to_the_end(&world, Arc::clone(&shelf) as _, &postman).await;
    assert_eq!(postman.ids(), ids(&whole(&world).await));
    to_the_end(&world, shelf, &postman).await;
    assert_eq!(postman.ids(), ids(&whole(&world).await), "once");
}

#[tokio::test]
async fn when_an_older_record_was_put_back_what_comes_then_is_told() {
    let world = World::new().await;
    let id = world.held(ANN, "reader").await;
    let shelf = Shelf::with(Kept::At(Cursor { begin: Position(900), next: Position(1000) }));
    let postman = Postman::who(Mood::Takes);
    let outbox = opened(&world, Arc::clone(&shelf) as _, &postman).await;
    let size = *world.store.size().borrow();
    assert_eq!(
        shelf.kept(),
        Kept::At(Cursor { begin: Position(0), next: size }),
        "kept before anything is told"
    );
    world.clock.forward(3600);
    world.settle(id).await;
    let (stop, ran, _) = run(outbox);
    stop.cancel();
    ran.await.unwrap().unwrap();
    assert_eq!(postman.ids(), ids(&whole(&world).await)[2..], "what is gone now began before the cursor");
}

#[tokio::test]
async fn a_cursor_that_begins_too_late_costs_a_reading_from_the_start_and_no_notice() {
    let world = World::new().await;
    let id = world.held(ANN, "reader").await;
    let size = *world.store.size().borrow();
    world.clock.forward(3600);
    world.settle(id).await;
    let postman = Postman::who(Mood::Takes);
    to_the_end(&world, Shelf::with(Kept::At(Cursor { begin: size, next: size })), &postman).await;
    assert_eq!(postman.ids(), ids(&whole(&world).await)[2..]);
}
