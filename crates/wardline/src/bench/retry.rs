//! How long a device that was turned away waits before it tries again.

use std::time::Duration;

/// The first wait.
const FROM: Duration = Duration::from_millis(200);
/// No wait is longer, before it is spread.
const UP_TO: Duration = Duration::from_secs(5);

/// The waits of one device, each longer than the one before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retry {
    wait: Duration,
}

impl Retry {
    /// Nothing was tried yet.
    pub(super) const fn new() -> Self {
        Self { wait: FROM }
    }

    /// The next wait of the device with this number, spread over half of it, so that those
    /// turned away together do not come back together.
    pub(super) fn next(&mut self, number: usize) -> Duration {
        let wait = self.wait.mul_f64(0.75 + (number % 101) as f64 / 202.0);
        self.wait = self.wait.saturating_mul(2).min(UP_TO);
        wait
    }
}

#[test]
fn waits_grow_up_to_a_bound_and_differ_between_devices() {
    let waits = |number| {
        let mut retry = Retry::new();
        (0..8).map(|_| retry.next(number)).collect::<Vec<_>>()
    };
    let (one, other) = (waits(0), waits(50));
    assert_eq!(one[0], FROM.mul_f64(0.75));
    assert!(one.windows(2).all(|two| two[0] <= two[1]));
    assert_eq!(one[7], UP_TO.mul_f64(0.75));
    assert!(one.iter().zip(&other).all(|(one, other)| one < other));
    assert!(waits(100)[7] <= UP_TO.mul_f64(1.25));
}
