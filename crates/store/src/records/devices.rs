//! What happened to devices, and what became of dead letters that went through the door again.

use model::{DeadLetterId, DeviceId, OrgId, Timestamp, UserId};
use record::{Actor, Replayed};

use super::{Records, RecordsError, alarms::id, count, row::blob, trail::actor_of};

/// One thing that happened to a device by somebody's hand.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct DeviceLifeRow {
    pub device: DeviceId,
    pub at: Timestamp,
    /// A short stable word, such as `in_service` or `certificate_revoked`.
    pub what: String,
    /// The reason or the name that belongs to it; never a patient's.
    pub detail: String,
    pub by: Actor,
}

/// One time that a dead letter went through the door again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct ReplayRow {
    pub at: Timestamp,
    pub replayed: Replayed,
}

impl Records {
    /// What happened to a device, the latest first, at most `limit`.
    pub fn device_life(
        &self,
        org: OrgId,
        device: DeviceId,
        limit: usize,
    ) -> Result<Vec<DeviceLifeRow>, RecordsError> {
        let ask = "SELECT known_at, what, detail, actor_kind, actor, device_life.* FROM device_life \
                   WHERE org = $1 AND device = $2 ORDER BY log_offset DESC, row_index DESC LIMIT $3";
        let values = [blob(org), blob(device), count(limit)];
        self.all(ask, &values, (5, "device_life"), |row| {
            Ok(DeviceLifeRow {
                device,
                at: Timestamp::from_unix_nanos(row.get(0)?),
                what: row.get(1)?,
                detail: row.get(2)?,
                by: actor_of(row.get(3)?, row.get(4)?)?,
            })
        })
    }

    /// The times that a dead letter went through the door again, the latest first.
    pub fn replays(
        &self,
        org: OrgId,
        letter: DeadLetterId,
    ) -> Result<Vec<ReplayRow>, RecordsError> {
        let ask = "SELECT known_at, by_user, mended, outcome, words, letter_replay.* FROM letter_replay \
                   WHERE org = $1 AND letter = $2 ORDER BY log_offset DESC, row_index DESC";
        self.all(ask, &[blob(org), blob(letter)], (5, "letter_replay"), |row| {
            let by: UserId = id(&row.get::<Vec<u8>>(1)?)?;
            let (mended, outcome, words) = (row.get(2)?, row.get(3)?, row.get(4)?);
            Ok(ReplayRow {
                at: Timestamp::from_unix_nanos(row.get(0)?),
                replayed: Replayed { letter, by, mended, outcome, words },
            })
        })
    }
}
