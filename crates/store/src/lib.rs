//! The journal, the series and the records on disk: what is in the journal is true,
//! and what is not in it is not acknowledged.
//!
//! **Absent on purpose:** any meaning of a body, any way to change or delete an entry
//! of the journal, and a `Durable` before its sync.

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))] // Offsets come from disks.

mod clock;
mod data_dir;
mod disk_use;
mod hold;
mod journal;
pub mod limits;
mod records;
mod series;
mod sqlite;
mod storage;
mod verify;

pub use clock::Clock;
pub use data_dir::{DataDir, DataDirError};
pub use disk_use::DiskUse;
pub use journal::{
    AppendError, Condition, Durable, Entry, Followed, Follower, Journal, JournalLimits,
    JournalStatus, LogOffset, OpenError, Pacer, ReadError, Record, Recovery, Replay, Ticket, Torn,
    WhyNot, replay,
};
pub use records::{
    AlarmFilter, AlarmRow, AuditFilter, AuditRow, ChartingRow, DeviceLifeRow, HandOverStep,
    HistoryRow, LetterRow, LifeRow, LookRow, Noun, PulseRow, Records, RecordsError, ReplayRow, Row,
    ScoreRow,
};
pub use series::{
    Invalid, Marks, Point, Pushed, Question, SealError, Sealed, Sealing, Series, SeriesId,
    SeriesKey, SeriesLimits, Stretch, WaveSpan,
};
pub use sqlite::DatabaseError;
pub use storage::{FaultyDisk, FileStorage, Happened, Mark, Segment, Storage};
pub use verify::{Bodies, Damage, DumpError, Report, VerifyError, dump, verify, verify_journal};
