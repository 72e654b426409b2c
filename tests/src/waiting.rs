//! Waiting for a condition, never for a time: the limit is reached only by a failure.

use std::{
    future::Future,
    sync::LazyLock,
    thread,
    time::{Duration, Instant},
};

use tokio::runtime::Runtime;

/// Between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(20);

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// Lets time pass that is the test's input, as of an expiry in whole seconds: returns
/// once `span` is over since `began`. Never a wait for something to happen.
pub(crate) fn let_pass(began: Instant, span: Duration) {
    thread::sleep(span.saturating_sub(began.elapsed()));
}

/// Waits for something that is async, in a test that is not.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    RUNTIME.block_on(future)
}

/// The machine's time, for limits and for measured waits.
#[expect(clippy::disallowed_methods, reason = "the tests measure the real program in real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Looks again and again until the condition holds; fails with its last complaint.
pub(crate) fn eventually<T>(
    what: &str,
    within: Duration,
    mut look: impl FnMut() -> Result<T, String>,
) -> T {
    let began = now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(complaint) if began.elapsed() > within => {
                panic!("{what}: not within {within:?}: {complaint}")
            }
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

/// The same for a plain condition.
pub(crate) fn until(what: &str, within: Duration, mut holds: impl FnMut() -> bool) {
    eventually(what, within, || if holds() { Ok(()) } else { Err("it does not hold".to_owned()) });
}
