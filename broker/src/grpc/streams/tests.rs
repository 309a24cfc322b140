use super::*;
use crate::workflow::tests::world::principal;

#[test]
fn each_has_so_many_and_all_together_have_so_many() {
    let streams = Streams::default();
    let mut own: Vec<_> = (0..EACH).map(|_| streams.open(principal(1)).unwrap()).collect();
    assert!(streams.open(principal(1)).is_err());
    drop(own.pop());
    own.push(streams.open(principal(1)).unwrap());
    let others: Vec<_> =
        (0..ALL - EACH).map(|n| streams.open(principal(2 + u64::try_from(n).unwrap())).unwrap()).collect();
    // Full: nobody comes in, and whoever tried leaves no trace.
    for n in 5000..5100 {
        assert!(streams.open(principal(n)).is_err());
    }
    assert_eq!(streams.open.lock().unwrap().len(), 1 + others.len());
    drop((own, others));
    assert_eq!(streams.open.lock().unwrap().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_keeps_no_stream() {
    for ended_by in ["time", "the end of the process"] {
        let streams = Streams::default();
        let open = streams.open(principal(1)).unwrap();
        let (sender, answers) = fed::<u32>();
        let feeding = tokio::spawn(async move {
            let over = open.over();
            tokio::pin!(over);
            while give(&sender, Ok(1), over.as_mut()).await {}
        });
        tokio::task::yield_now().await;
        assert!(!feeding.is_finished());
        if ended_by == "time" {
            tokio::time::advance(LONGEST).await;
        } else {
            streams.end();
        }
        feeding.await.unwrap();
        assert_eq!(streams.open.lock().unwrap().len(), 0, "ended by {ended_by}");
        drop(answers);
    }
}
