//! The alarm about the disk of the data: it stands until there is room again, and ends by itself.

use ::record::{DiskLevel, DiskNote};
use model::Timestamp;

/// How full the disk was when its level last changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskAlarm {
    /// What was noted.
    pub note: DiskNote,
    /// When that was.
    pub noted_at: Timestamp,
    /// Since when the alarm stands, through all its levels; `None` while there is room.
    pub raised_at: Option<Timestamp>,
}

impl DiskAlarm {
    /// How urgent it is.
    pub const fn level(&self) -> DiskLevel {
        self.note.level
    }

    pub(super) fn after(self, note: DiskNote, at: Timestamp) -> Self {
        let raised_at = match note.level {
            DiskLevel::Roomy => None,
            DiskLevel::NearlyFull | DiskLevel::AlmostFull => Some(self.raised_at.unwrap_or(at)),
        };
        Self { note, noted_at: at, raised_at }
    }
}

#[test]
fn it_stands_from_its_first_level_on_until_there_is_room() {
    let at = Timestamp::from_unix_millis;
    let note = |level| DiskNote { level, ..DiskNote::default() };
    let mut alarm = DiskAlarm::default();
    for (second, level, since) in [
        (1, DiskLevel::NearlyFull, Some(1)),
        (2, DiskLevel::AlmostFull, Some(1)),
        (3, DiskLevel::NearlyFull, Some(1)),
        (4, DiskLevel::Roomy, None),
        (5, DiskLevel::AlmostFull, Some(5)),
    ] {
        alarm = alarm.after(note(level), at(second));
        assert_eq!((alarm.level(), alarm.noted_at), (level, at(second)));
        assert_eq!(alarm.raised_at, since.map(at));
    }
}
