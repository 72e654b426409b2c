//! Histories with two times: when something began to hold, and since when we know.
//!
//! A history is a list of lines that only grows. Each says “from this instant on
//! this was so”, and a later line about the same instant corrects an earlier one
//! without hiding what the ward believed at the time.

use crate::{BedId, CareUnitId, DeviceId, PatientId, StaffId, Subject, Timestamp};

/// “From this instant on, `key` had this `value`, as we learned at `known_at`.”
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<K, V> {
    /// What the line is about.
    pub key: K,
    /// What held from then on.
    pub value: V,
    /// When it began to hold.
    pub from: Timestamp,
    /// When it was recorded here.
    pub known_at: Timestamp,
}

/// A post that somebody holds during a shift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Post {
    /// The nurse of this bed.
    Bed(BedId),
    /// The nurse in charge of this care unit.
    Charge(CareUnitId),
}

/// Whom a device measures.
pub type Association = Line<DeviceId, Subject>;
/// Who lies in a bed; `None` is an empty bed.
pub type Encounter = Line<BedId, Option<PatientId>>;
/// Who holds a post; `None` is nobody.
pub type Assignment = Line<Post, Option<StaffId>>;

/// What held for `key` at `valid_at`, by what was known at `as_known_at`.
///
/// The latest change counts; of two changes at one instant, the later knowledge.
pub fn as_of<K: PartialEq, V: Copy>(
    history: &[Line<K, V>],
    key: K,
    valid_at: Timestamp,
    as_known_at: Timestamp,
) -> Option<V> {
    let known = history.iter().filter(|line| line.key == key && line.known_at <= as_known_at);
    known
        .filter(|line| line.from <= valid_at)
        .max_by_key(|line| (line.from, line.known_at))
        .map(|line| line.value)
}
