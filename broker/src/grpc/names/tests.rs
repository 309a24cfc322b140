use super::*;
use crate::workflow::tests::outside::Fake;
use crate::workflow::tests::world::{object, principal};

fn some(people: u64) -> Vec<api::Activation> {
    let activation = |n| api::Activation {
        principal: Some(super::super::to_proto::principal(principal(n))),
        ..api::Activation::default()
    };
    (0..people).map(activation).collect()
}

fn names_in(activations: &[api::Activation]) -> Vec<&str> {
    activations.iter().map(|it| it.principal.as_ref().unwrap().display_name.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_name_is_asked_for_once_and_so_is_that_there_is_none() {
    let directory = Arc::new(Fake::default());
    directory.calls_it(object(0), "Ann");
    let names = Names::new(Arc::clone(&directory) as _);
    for _ in 0..3 {
        let mut asked = some(2);
        names.fill(&mut asked).await;
        assert_eq!(names_in(&asked), ["Ann", ""]);
    }
    assert_eq!(directory.calls("name"), 2);
    // For a while: a name longer than that there is none.
    tokio::time::advance(NONE_KEPT_FOR).await;
    names.fill(&mut some(2)).await;
    assert_eq!(directory.calls("name"), 3);
    tokio::time::advance(KEPT_FOR).await;
    names.fill(&mut some(2)).await;
    assert_eq!(directory.calls("name"), 5);
}

#[tokio::test(start_paused = true)]
async fn a_list_waits_no_longer_for_many_names_than_for_one() {
    let directory = Arc::new(Fake::default());
    directory.at_names.shut();
    let names = Names::new(Arc::clone(&directory) as _);
    let before = Instant::now();
    let mut asked = some(100);
    names.fill(&mut asked).await;
    assert_eq!(before.elapsed(), PATIENCE);
    assert_eq!(directory.calls("name"), AT_ONCE, "and asks for no more than that");
    assert!(names_in(&asked).iter().all(|name| name.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn so_many_are_kept_and_no_more() {
    let directory = Arc::new(Fake::default());
    let names = Names::new(Arc::clone(&directory) as _);
    for n in 0..KEPT + 100 {
        names.keep(Named::Body(object(u64::try_from(n).unwrap())), Some("Ann".to_owned()));
    }
    assert_eq!(names.kept().len(), KEPT);
    tokio::time::advance(KEPT_FOR).await;
    names.keep(Named::Body(object(1_000_000)), None);
    assert_eq!(names.kept().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_place_a_role_counts_in_has_a_name_unless_it_is_the_whole_tenant() {
    let directory = Arc::new(Fake::default());
    directory.calls_it(object(7), "Branch office");
    let names = Names::new(Arc::clone(&directory) as _);
    let at = |scope: String| api::DirectoryRole { scope, ..api::DirectoryRole::default() };
    let (unit, object) = (format!("/administrativeUnits/{}", object(7)), format!("/{}", object(8)));
    let mut roles = ["/".to_owned(), unit, object, String::new()].map(at);
    names.fill_places(&mut roles).await;
    assert_eq!(roles.each_ref().map(|role| role.scope_name.as_str()), ["", "Branch office", "", ""]);
    assert_eq!(directory.calls("name"), 2);
}
