//! What happened to devices, and what became of dead letters that went through the door again.

use model::{DeadLetterId, DeviceId, OrgId, Timestamp, UserId};
use record::{Actor, Replayed};
use rusqlite::params_from_iter;

use super::{Records, RecordsError, alarms::id, row::blob, sound, trail::actor_of};

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
        self.read(|reader| {
            let mut statement = reader.prepare_cached(
                "SELECT known_at, what, detail, actor_kind, actor, device_life.* FROM device_life \
                 WHERE org = ? AND device = ? ORDER BY log_offset DESC, row_index DESC LIMIT ?",
            )?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut rows =
                statement.query(params_from_iter([blob(org), blob(device), limit.into()]))?;
            let mut life = Vec::new();
            while let Some(row) = rows.next()? {
                sound(row, 5, "device_life")?;
                life.push(DeviceLifeRow {
                    device,
                    at: Timestamp::from_unix_nanos(row.get(0)?),
                    what: row.get(1)?,
                    detail: row.get(2)?,
                    by: actor_of(row.get(3)?, row.get(4)?)?,
                });
            }
            Ok(life)
        })
    }

    /// The times that a dead letter went through the door again, the latest first.
    pub fn replays(
        &self,
        org: OrgId,
        letter: DeadLetterId,
    ) -> Result<Vec<ReplayRow>, RecordsError> {
        self.read(|reader| {
            let mut statement = reader.prepare_cached(
                "SELECT known_at, by_user, mended, outcome, words, letter_replay.* FROM letter_replay \
                 WHERE org = ? AND letter = ? ORDER BY log_offset DESC, row_index DESC",
            )?;
            let mut rows = statement.query(params_from_iter([blob(org), blob(letter)]))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                sound(row, 5, "letter_replay")?;
                let by: UserId = id(&row.get::<_, Vec<u8>>(1)?)?;
                let (mended, outcome, words) = (row.get(2)?, row.get(3)?, row.get(4)?);
                found.push(ReplayRow {
                    at: Timestamp::from_unix_nanos(row.get(0)?),
                    replayed: Replayed { letter, by, mended, outcome, words },
                });
            }
            Ok(found)
        })
    }
}
