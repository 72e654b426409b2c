//! The journal, the series and the records on disk: what is in the journal is true,
//! and what is not in it is not acknowledged.
//!
//! **Absent on purpose:** any meaning of a body, any way to change or delete an entry
//! of the journal, and a `Durable` before its sync.

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))] // Offsets come from disks.

mod backup;
mod clock;
mod data_dir;
mod derived;
mod disk_use;
mod growth;
mod hold;
mod journal;
pub mod limits;
mod records;
mod row_sum;
mod series;
mod sqlite;
mod stat;
mod storage;
mod upgrade;
mod verify;

pub use backup::{
    BackupError, BackupFolder, BackupPlace, FolderPlace, Keep, Kept, Listed, Manifest, Promoted,
    Pruned, Rehearsed, Restored, Shipped, Source, Standby, Stored, Taken, Work, clear_leftovers,
};
pub use clock::Clock;
pub use data_dir::{DataDir, DataDirError};
pub use derived::{
    Scratch, ScratchError,
    compare::{Compared, compare},
};
pub use disk_use::DiskUse;
pub use growth::{Ended, Growth, ThinnedPart};
pub use journal::{
    AppendError, Condition, Durable, Ends, Entry, Followed, Follower, Journal, JournalLimits,
    JournalStatus, Lack, LogOffset, OpenError, Pacer, ReadError, Record, Recovery, Replay,
    Shortened, Stub, ThinError, Thinned, Ticket, Torn, WhyNot, begins_at, ends_at, replay,
    thinned_to,
};
pub use records::{
    AlarmFilter, AlarmRow, AuditFilter, AuditRow, ChartingRow, DeviceLifeRow, HandOverStep,
    HistoryRow, HomeError, LetterRow, LifeRow, LookRow, Moved, Noun, PostgresFailure,
    PostgresPlace, PulseRow, Records, RecordsError, ReplayRow, Row, ScoreRow, look_elsewhere,
    move_to_file, move_to_postgres, records_elsewhere,
};
pub use series::{
    Answer, Column, DamageState, DamagedChunk, DamagedSpan, Extremes, GivenCorrection, Invalid,
    Marks, Mend, Pace, Point, Pushed, Question, Resolution, Roll, RollRule, SealError, Sealed,
    Sealing, Series, SeriesId, SeriesKey, SeriesLimits, Spot, Stretch, WaveDetail, WaveSpan,
    WaveThere,
};
pub use sqlite::DatabaseError;
pub use stat::{Chunks, Frames, Stat, StatError, stat};
pub use storage::{Draw, Fault, FaultyDisk, FileStorage, Form, Happened, Mark, Segment, Storage};
pub use upgrade::{UpgradeError, check_current, check_upgrade};
pub use verify::{
    Bodies, Damage, DumpError, Report, VerifyError, dump, lacks, verify, verify_journal,
};
