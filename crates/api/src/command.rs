//! One wish, appended and answered: the only way in which this crate changes anything.

use axum::http::StatusCode;
use engine::{Outcome, Refusal};
use model::{Id, Kind, OrgId, PartitionId, Timestamp};
use record::{Actor, Body, Command, Wish};
use security::random_u128;
use store::{AppendError, Entry};
use tokio::time::timeout;

use crate::{Api, guard::Caller, limits::EMERGENCY_WITHIN, problem::Problem};

impl Api {
    /// Asks for something in a caller's name and waits for what became of it.
    ///
    /// The command is ordered with whatever else happens in the care unit that it is about.
    pub(crate) async fn ask(&self, caller: &Caller, wish: Wish) -> Result<Outcome, Problem> {
        let org = caller.who.org;
        let partition = caller.resource.care_unit.map_or_else(|| org.into(), PartitionId::from);
        self.ask_as(caller.actor(), org, partition, wish).await
    }

    /// Asks for something in anybody's name; the engine decides.
    pub(crate) async fn ask_as(
        &self,
        actor: Actor,
        org: OrgId,
        partition: PartitionId,
        wish: Wish,
    ) -> Result<Outcome, Problem> {
        let entry =
            entry(org, partition, self.clock.now(), &Body::Command(Command { actor, wish }));
        let durable = self.journal.append(vec![entry]).await.map_err(not_appended)?;
        self.engine.outcome(&durable).await.map_err(refused)
    }
}

/// A body on its way into the journal.
pub(crate) fn entry(
    org: OrgId,
    partition: PartitionId,
    received_at: Timestamp,
    body: &Body,
) -> Entry {
    let (kind, body_version, body) = body.encode();
    Entry { kind, body_version, org, partition, received_at, key_id: 0, body }
}

/// A fresh id.
pub(crate) fn new_id<K: Kind>(at: Timestamp) -> Result<Id<K>, Problem> {
    random_u128().map(|random| Id::v7(at, random)).map_err(Problem::fault)
}

/// Why nothing was recorded, for the caller.
pub(crate) fn not_appended(error: AppendError) -> Problem {
    match error {
        AppendError::Full
        | AppendError::Poisoned
        | AppendError::Fault(_)
        | AppendError::Busy
        | AppendError::Closed => Problem::not_recording(error)
            .with_hint("nothing was changed; write it on paper and try again in a minute"),
        AppendError::TooLong { .. } => Problem::too_large(error),
        AppendError::Frame(_) | AppendError::Partitions { .. } => Problem::caused_by(&error),
    }
}

/// Waits for what opens a page in an emergency, and not for a disk that hangs.
pub(crate) async fn in_an_emergency<T>(
    work: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    let done = timeout(EMERGENCY_WITHIN, work).await;
    let late = |_| Err(Problem::not_recording("the journal does not answer in time"));
    done.unwrap_or_else(late).map_err(|problem| match problem.status {
        StatusCode::SERVICE_UNAVAILABLE => {
            problem.with_hint("while nothing is recorded the page opens as it is; load it again")
        }
        _ => problem,
    })
}

/// Why the engine did not grant a wish, for the caller.
pub(crate) fn refused(refusal: Refusal) -> Problem {
    use engine::Reason;
    let words = refusal.words;
    match refusal.reason {
        Reason::NotFound | Reason::OtherOrg => Problem::not_found(words),
        Reason::NotUnique
        | Reason::IllegalMove
        | Reason::NotInService
        | Reason::Occupied
        | Reason::NothingRaised => Problem::conflict(words),
        Reason::LimitsNotSane | Reason::WrongTime | Reason::Unusable => Problem::bad_request(words),
        Reason::NotAllowed => Problem::forbidden(words),
        Reason::Stopped => Problem::not_recording(words),
    }
}
