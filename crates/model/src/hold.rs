//! What must stay as it was received, whatever its age, because a person said so.

use crate::{HoldId, OrgId, PatientId, Redacted, Timestamp};

/// What is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldOf {
    /// Everything of every device that was ever said to be on this patient, corrected or not.
    Patient(PatientId),
    /// Everything that was received from `from` on and before `to`.
    Received {
        /// The first instant.
        from: Timestamp,
        /// The first instant after it.
        to: Timestamp,
    },
}

/// A legal hold: what it is of is never thinned while it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Names it.
    pub id: HoldId,
    /// Whose data it is.
    pub org: OrgId,
    /// What is held.
    pub of: HoldOf,
    /// Why, such as the number of a case.
    pub why: Redacted<String>,
}
