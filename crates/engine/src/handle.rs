//! What the rest of the program holds of the engine: questions, snapshots, feeds.
//!
//! Views are answered by the loop itself, with the cursor that they reflect; the
//! directory is a snapshot that everybody may keep.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use ::record::Position;
use model::{AlarmId, CareUnitId, DeviceId, PatientId};
use tokio::sync::{mpsc, oneshot};

use crate::{
    directory::Directory,
    feed::{FeedReader, FeedStart},
    record::{Reason, Refusal},
    status::EngineStatus,
    view::{Alarm, AlarmScope, Board, DeviceReport, PatientPage},
};

/// What became of a command that was granted.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Where the command stands in the journal.
    pub command: Position,
    /// The alarm that it was about, as it is now.
    pub alarm: Option<Alarm>,
}

/// A question that the loop answers between two batches of records.
#[derive(Debug)]
pub(crate) enum Question {
    Board(CareUnitId, oneshot::Sender<Option<Board>>),
    PatientPage(PatientId, oneshot::Sender<Option<PatientPage>>),
    Alarms(AlarmScope, oneshot::Sender<Vec<Alarm>>),
    Alarm(AlarmId, oneshot::Sender<Option<Alarm>>),
    Reports(Vec<DeviceId>, oneshot::Sender<Vec<DeviceReport>>),
    Feed(CareUnitId, FeedStart, oneshot::Sender<Option<FeedReader>>),
    Outcome(Position, oneshot::Sender<Result<Outcome, Refusal>>),
    Stop(oneshot::Sender<()>),
}

/// What the loop shows to everybody without being asked.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub(crate) directory: RwLock<Arc<Directory>>,
    pub(crate) status: Mutex<EngineStatus>,
}

/// A handle on the running engine; clones are the same engine.
#[derive(Clone, Debug)]
pub struct EngineHandle {
    pub(crate) questions: mpsc::Sender<Question>,
    pub(crate) shown: Arc<Shown>,
}

/// What a stopped engine answers.
fn stopped() -> Refusal {
    let words = "the engine has stopped; try again when the server is up".to_owned();
    Refusal { reason: Reason::Stopped, words }
}

impl EngineHandle {
    async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Question) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.questions.send(question(answer)).await.ok()?;
        answered.await.ok()
    }

    /// What became of the command that `durable` proves; returns once it is decided, applied,
    /// and readable in views and records. Only the first entry of the group is asked about.
    pub async fn outcome(&self, durable: &store::Durable) -> Result<Outcome, Refusal> {
        let command = durable.positions().first().copied().ok_or_else(stopped)?;
        self.ask(|answer| Question::Outcome(command, answer)).await.ok_or_else(stopped)?
    }

    /// The nouns as they are now; an immutable snapshot that may be kept.
    pub fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.shown.directory.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// All beds of a care unit; `None` if there is no such care unit.
    pub async fn board(&self, care_unit: CareUnitId) -> Option<Board> {
        self.ask(|answer| Question::Board(care_unit, answer)).await.flatten()
    }

    /// One patient's page; `None` if there is no such patient.
    pub async fn patient_page(&self, patient: PatientId) -> Option<PatientPage> {
        self.ask(|answer| Question::PatientPage(patient, answer)).await.flatten()
    }

    // RC-042
    /// Standing alarms, most urgent and then newest first; `None` if the engine has stopped,
    /// which is not the same as no alarm.
    pub async fn alarms(&self, scope: AlarmScope) -> Option<Vec<Alarm>> {
        self.ask(|answer| Question::Alarms(scope, answer)).await
    }

    /// One alarm, standing or lately ended; older ones are in the records.
    pub async fn alarm(&self, alarm: AlarmId) -> Option<Alarm> {
        self.ask(|answer| Question::Alarm(alarm, answer)).await.flatten()
    }

    /// What these devices said last about themselves; those that never did are left out.
    /// `None` if the engine has stopped.
    pub async fn device_reports(&self, devices: Vec<DeviceId>) -> Option<Vec<DeviceReport>> {
        self.ask(|answer| Question::Reports(devices, answer)).await
    }

    /// A live feed of a care unit; `None` if there is no such care unit.
    pub async fn feed(&self, care_unit: CareUnitId, start: FeedStart) -> Option<FeedReader> {
        self.ask(|answer| Question::Feed(care_unit, start, answer)).await.flatten()
    }

    /// Whether the loop still takes records; what it shows is of the past once it does not.
    pub fn is_running(&self) -> bool {
        !self.questions.is_closed()
    }

    /// Counters and gauges.
    pub fn status(&self) -> EngineStatus {
        self.shown.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes a checkpoint and ends the loop; returns when it has ended.
    pub async fn stop(&self) {
        let _ = self.ask(Question::Stop).await;
    }
}
