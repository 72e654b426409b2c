//! How the program did, minute by minute, over all its starts.

use std::time::Duration;

use model::{OrgId, Timestamp};
use record::Pulse;

use super::{
    Records, RecordsError, count,
    db::Val,
    row::{blob, time},
};

/// One pulse, and when it was noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct PulseRow {
    pub at: Timestamp,
    pub pulse: Pulse,
}

/// The pulses of one stretch as pairs of neighbours, those around its ends included.
const OUTAGES: &str = "SELECT before, known_at FROM (
    SELECT known_at, started_at,
        lag(known_at) OVER (ORDER BY known_at) AS before,
        lag(started_at) OVER (ORDER BY known_at) AS of_start
    FROM pulse WHERE org = $1
        AND known_at >= coalesce((SELECT max(known_at) FROM pulse WHERE org = $1 AND known_at <= $2), $2)
        AND known_at <= coalesce((SELECT min(known_at) FROM pulse WHERE org = $1 AND known_at >= $3), $3)
) AS pair WHERE before IS NOT NULL AND (of_start <> started_at OR known_at - before > $4)
ORDER BY known_at DESC LIMIT $5";

impl Records {
    /// The stretches between two neighbouring pulses, in order, that touch a range and in
    /// which the program stopped or noted nothing for longer than `longest`; of more than
    /// `limit` the latest.
    pub fn outages(
        &self,
        org: OrgId,
        (from, to): (Timestamp, Timestamp),
        longest: Duration,
        limit: usize,
    ) -> Result<Vec<(Timestamp, Timestamp)>, RecordsError> {
        let longest = i64::try_from(longest.as_nanos()).unwrap_or(i64::MAX);
        let values = [blob(org), time(from), time(to), Val::Int(longest), count(limit)];
        let mut found = Vec::new();
        self.0.db.query(OUTAGES, &values, &mut |row| {
            let at = |nanos| Timestamp::from_unix_nanos(nanos);
            found.push((at(row.get(0)?), at(row.get(1)?)));
            Ok(())
        })?;
        found.reverse();
        Ok(found)
    }

    /// The pulses noted from an instant on and before another, in order, at most `limit`.
    pub fn pulses(
        &self,
        org: OrgId,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> Result<Vec<PulseRow>, RecordsError> {
        let ask = "SELECT known_at, messages_per_ks, readings_per_ks, durable_p99_us, decided_p99_us, \
                   journal_bytes, connections, started_at, pulse.* FROM pulse \
                   WHERE org = $1 AND known_at >= $2 AND known_at < $3 ORDER BY known_at LIMIT $4";
        let values = [blob(org), time(from), time(to), count(limit)];
        self.all(ask, &values, (8, "pulse"), |row| {
            let count = |place: usize| -> Result<u64, RecordsError> {
                Ok(u64::try_from(row.get::<i64>(place)?).unwrap_or(0))
            };
            let pulse = Pulse {
                messages_per_ks: count(1)?,
                readings_per_ks: count(2)?,
                durable_p99_us: count(3)?,
                decided_p99_us: count(4)?,
                journal_bytes: count(5)?,
                connections: count(6)?,
                started_at: Timestamp::from_unix_nanos(row.get(7)?),
            };
            Ok(PulseRow { at: Timestamp::from_unix_nanos(row.get(0)?), pulse })
        })
    }
}
