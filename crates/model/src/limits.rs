//! Personal alarm limits as a person set them, in thousandths of the vital's own unit.

use std::time::Duration;

use crate::{Priority, Vital};

/// One side of a limit: where the breach begins, where it is over, for how long it must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LimitSide {
    /// Breached beyond this, in thousandths of the vital's unit; the limit itself is no breach.
    pub limit_thousandths: i64,
    /// Over again from here, in thousandths; hysteresis lies between.
    pub clears_at_thousandths: i64,
    /// How long the breach must hold before the alarm is raised.
    pub delay: Duration,
    /// How urgent.
    pub priority: Priority,
}

/// The limits of one vital of one patient; a side that is `None` raises nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct LimitSet {
    pub vital: Vital,
    pub low: Option<LimitSide>,
    pub high: Option<LimitSide>,
}
