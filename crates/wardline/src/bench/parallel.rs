//! The same work many times, a few at once.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use anyhow::Context as _;
use tokio::task::JoinSet;

/// Does `work` for each number below `count`, `at_once` at a time, and answers in their order.
///
/// The first error ends it.
pub(super) async fn in_parallel<T, W, F>(
    count: usize,
    at_once: usize,
    work: W,
) -> anyhow::Result<Vec<T>>
where
    T: Send + 'static,
    W: Fn(usize) -> F + Clone + Send + 'static,
    F: Future<Output = anyhow::Result<T>> + Send,
{
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..at_once.min(count) {
        let (next, work) = (Arc::clone(&next), work.clone());
        workers.spawn(async move {
            let mut done = Vec::new();
            loop {
                let number = next.fetch_add(1, Relaxed);
                if number >= count {
                    return anyhow::Ok(done);
                }
                done.push((number, work(number).await?));
            }
        });
    }
    let mut all = Vec::with_capacity(count);
    while let Some(done) = workers.join_next().await {
        all.extend(done.context("a worker broke off")??);
    }
    all.sort_by_key(|(number, _)| *number);
    Ok(all.into_iter().map(|(_, one)| one).collect())
}

#[tokio::test]
async fn the_answers_stand_in_order_and_the_first_error_ends_it() {
    let squares = in_parallel(100, 7, |number| async move { Ok(number * number) }).await.unwrap();
    assert_eq!(squares, (0..100).map(|number| number * number).collect::<Vec<_>>());
    let refused = in_parallel(100, 7, |number| async move {
        anyhow::ensure!(number != 42, "no");
        Ok(())
    });
    assert_eq!(refused.await.unwrap_err().to_string(), "no");
}
