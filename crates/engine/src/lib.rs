//! The engine: folds the journal into state, lets pure deciders say what follows,
//! journals their answers, and keeps what screens show.
//!
//! [`Core`] is the whole fold, synchronous and deterministic; [`Engine`] is the thin
//! loop around it that follows the journal, appends decisions and answers questions.
//!
//! **Absent on purpose:** thresholds, scores, and any `if` about medicine; those are
//! in `care`. Nothing here reaches a person except by the feed and the views.

pub mod beat;
mod core;
pub mod directory;
mod executor;
pub mod feed;
mod handle;
pub mod limits;
pub mod record;
mod replay;
pub mod retention;
mod shell;
mod status;
pub mod view;

pub use crate::core::{
    About, AlarmKey, Core, Counters, Cut, LINK_CHANNEL, Out, OutcomeOf, PointOf, RestoreError,
    Setup, WaveOf,
};
pub use care::limit::{Layer, defaults as default_limits};
pub use directory::{
    Answered, Claim, CommandState, ConfigState, Corrected, Directory, DiskAlarm, Dose,
    EmergencyState, HandOverState, HoldState, Invitation, Setting, ShareState, UnitLimitKey,
};
pub use feed::{FeedItem, FeedReader, FeedStart, WavesWanted};
pub use handle::{EngineHandle, Outcome};
pub use record::{Reason, Refusal};
pub use replay::Ahead;
pub use shell::{
    BlockCount, Blocks, ComparedBlocks, Engine, EngineEnd, EngineParts, MendError, Reading,
    Rebuild, RebuildError, Rebuilt, Remake, Retention, StartError, Thinning, ThinningError,
    read_back, thin_segment,
};
pub use status::{EngineStatus, Spread, Trouble};
pub use view::{AlarmScope, Cursor};
