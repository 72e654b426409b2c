//! What people said of stored readings: kept beside the points, which stay as they were received.
//!
//! A correction is in memory for as long as the program runs, as there are few; it is sealed
//! with the points that were in memory when it was given, and marks the roll-ups of its span.

use std::collections::{BTreeSet, HashMap};

use model::{
    Amendment, Channel, Correction, CorrectionId, DeviceId, OrgId, Redacted, Timestamp, Ucum,
};
use record::Actor;
use rusqlite::{Connection, Row, Transaction, params_from_iter, types::Value};

use super::{Question, Series, SeriesId, hot::Hot, roll_store};
use crate::{
    hold::hold,
    row_sum,
    sqlite::{Change, Sql, as_blob},
};

pub(super) const SCHEMA: &str = "
CREATE TABLE correction (
    org BLOB NOT NULL, id BLOB NOT NULL,
    device BLOB NOT NULL, channel TEXT NOT NULL, from_at INTEGER NOT NULL, to_at INTEGER NOT NULL,
    amendment INTEGER NOT NULL, -- 0 withdraws, 1 replaces, 2 takes another back.
    mantissa INTEGER, exp10 INTEGER, ucum TEXT, undoes BLOB,
    why INTEGER NOT NULL, words TEXT NOT NULL,
    by_what INTEGER NOT NULL, by_id BLOB, known_at INTEGER NOT NULL,
    row_sum INTEGER,
    PRIMARY KEY (org, id)
) WITHOUT ROWID, STRICT;
";

/// A correction with who gave it, and when that was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct GivenCorrection {
    pub correction: Correction,
    pub by: Actor,
    pub known_at: Timestamp,
}

impl GivenCorrection {
    fn source(&self) -> (OrgId, DeviceId, Channel) {
        let Correction { org, device, channel, .. } = &self.correction;
        (*org, *device, channel.clone())
    }
}

/// What of a correction changes values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    pub(super) amendment: Amendment,
}

/// A correction on its way to the disk.
#[derive(Debug)]
pub(super) struct Leaving {
    given: GivenCorrection,
    /// Those of its channel.
    series: Vec<SeriesId>,
    /// Nanoseconds since 1970.
    span: (i64, i64),
}

/// Every correction that was ever given.
#[derive(Debug, Default)]
pub(super) struct Corrections {
    /// In the order of their recording, then by their ids. Asked by key only.
    by_source: HashMap<(OrgId, DeviceId, Channel), Vec<GivenCorrection>>,
    ids: BTreeSet<(OrgId, CorrectionId)>,
    /// Those that no sealing has written yet.
    fresh: Vec<GivenCorrection>,
    /// The list on the disk cannot be believed: what is here came since, and takes its place.
    is_lost: bool,
}

/// Corrections on their way to the disk.
#[derive(Debug)]
pub(super) struct Batch {
    leaving: Vec<Leaving>,
    /// They are all that there are: what stands on the disk goes.
    replaces_all: bool,
}

impl Corrections {
    /// None yet: whoever reads the journal from its beginning gives all of them again.
    pub(super) fn lost() -> Self {
        Self { is_lost: true, ..Self::default() }
    }

    /// Takes in one; one that is known already changes nothing.
    fn add(&mut self, given: GivenCorrection) -> bool {
        if !self.ids.insert((given.correction.org, given.correction.id)) {
            return false;
        }
        let all = self.by_source.entry(given.source()).or_default();
        let order = |it: &GivenCorrection| (it.known_at, it.correction.id);
        let place = all.partition_point(|it| order(it) < order(&given));
        all.insert(place, given);
        true
    }

    fn of(&self, source: &(OrgId, DeviceId, Channel)) -> &[GivenCorrection] {
        self.by_source.get(source).map_or(&[], Vec::as_slice)
    }

    /// Those that hold by what was known at an instant, the newest last.
    fn held<'a>(
        all: &'a [GivenCorrection],
        known_at: Timestamp,
    ) -> impl Iterator<Item = &'a GivenCorrection> + use<'a> {
        let known = all.iter().filter(move |it| it.known_at <= known_at);
        let undone: BTreeSet<CorrectionId> = known
            .clone()
            .filter_map(|it| match it.correction.amendment {
                Amendment::Undo(id) => Some(id),
                Amendment::Withdraw | Amendment::Replace { .. } => None,
            })
            .collect();
        known.filter(move |it| {
            let changes = !matches!(it.correction.amendment, Amendment::Undo(_));
            changes && !undone.contains(&it.correction.id)
        })
    }

    /// What changes values in a span, by what was known at an instant, the newest last.
    pub(super) fn held_in(&self, question: &Question, known_at: Timestamp) -> Vec<Held> {
        let source = (question.org, question.device, question.channel.clone());
        let held = Self::held(self.of(&source), known_at).map(|it| &it.correction);
        let touches = |it: &&Correction| it.from < question.to && it.to > question.from;
        held.filter(touches)
            .map(|it| Held { from: it.from, to: it.to, amendment: it.amendment.clone() })
            .collect()
    }

    /// The span whose values a correction changes: that of the other one if it takes one back.
    fn span_of(&self, given: &GivenCorrection) -> (i64, i64) {
        let Correction { from, to, amendment, .. } = &given.correction;
        let span = match amendment {
            Amendment::Undo(id) => {
                let all = self.of(&given.source());
                let undone = all.iter().find(|it| it.correction.id == *id);
                undone.map_or((*from, *to), |it| (it.correction.from, it.correction.to))
            }
            Amendment::Withdraw | Amendment::Replace { .. } => (*from, *to),
        };
        (span.0.unix_nanos(), span.1.unix_nanos())
    }

    /// The spans (nanoseconds) in which blocks of roll-ups of a channel do not show what was
    /// known at an instant: of corrections that no sealing has marked, and of later ones.
    pub(super) fn unlike_blocks(
        &self,
        source: &(OrgId, DeviceId, Channel),
        known_at: Timestamp,
    ) -> Vec<(i64, i64)> {
        let fresh = self.fresh.iter().filter(|it| it.source() == *source);
        let later = self.of(source).iter().filter(|it| it.known_at > known_at);
        fresh.chain(later).map(|it| self.span_of(it)).collect()
    }

    /// What a sealing takes: those that none has written yet.
    pub(super) fn leave(&self, hot: &Hot) -> Batch {
        let leaving = |given: &GivenCorrection| {
            let series = hot.of_source(&given.source()).into_iter().map(|(id, _)| id).collect();
            Leaving { given: given.clone(), series, span: self.span_of(given) }
        };
        Batch { leaving: self.fresh.iter().map(leaving).collect(), replaces_all: self.is_lost }
    }

    /// The sealing of these is durable.
    pub(super) fn gone(&mut self, batch: &Batch) {
        let leaving = batch.leaving.iter().map(|it| it.given.correction.id);
        let ids: BTreeSet<CorrectionId> = leaving.collect();
        self.is_lost = self.is_lost && !batch.replaces_all;
        self.fresh.retain(|it| !ids.contains(&it.correction.id));
    }
}

impl Series {
    /// Whether the list of corrections could not be believed when this was opened, and none of
    /// it is here: all have to be given again before anybody asks or seals.
    pub fn lacks_corrections(&self) -> bool {
        hold(&self.0.corrections).is_lost
    }

    /// Takes in a correction; whoever asks from now on gets what counts by it.
    pub fn correct(&self, given: GivenCorrection) {
        let mut corrections = hold(&self.0.corrections);
        if corrections.add(given.clone()) {
            corrections.fresh.push(given);
        }
    }

    /// Every correction of a device that touches a span and was known, those that were taken
    /// back included, in the order of their recording.
    pub fn corrections_of(
        &self,
        org: OrgId,
        device: DeviceId,
        (from, to): (Timestamp, Timestamp),
    ) -> Vec<GivenCorrection> {
        let corrections = hold(&self.0.corrections);
        let own = corrections.by_source.iter();
        let own = own.filter(|((its_org, its, _), _)| (*its_org, *its) == (org, device));
        let touches = |it: &&GivenCorrection| {
            let (its_from, its_to) = corrections.span_of(it);
            its_from < to.unix_nanos() && its_to > from.unix_nanos()
        };
        let known = |it: &&GivenCorrection| it.known_at <= self.1;
        let mut found: Vec<GivenCorrection> =
            own.flat_map(|(_, all)| all).filter(touches).filter(known).cloned().collect();
        found.sort_by_key(|it| (it.known_at, it.correction.id));
        found
    }

    /// Every correction, by organization, device, channel and recording.
    pub fn all_corrections(&self) -> Vec<GivenCorrection> {
        let corrections = hold(&self.0.corrections);
        let mut all: Vec<GivenCorrection> =
            corrections.by_source.values().flatten().cloned().collect();
        all.sort_by_cached_key(|it| {
            let (org, device, channel) = it.source();
            (org, device, channel, it.known_at, it.correction.id)
        });
        all
    }
}

/// Writes corrections and marks what roll-ups they change.
pub(super) fn seal(tx: &Transaction<'_>, batch: &Batch) -> Result<(), Change> {
    if batch.replaces_all {
        tx.execute("DELETE FROM correction", [])?;
    }
    let put = "INSERT OR REPLACE INTO correction
        (org, id, device, channel, from_at, to_at, amendment, mantissa, exp10, ucum, undoes, why,
         words, by_what, by_id, known_at, row_sum)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";
    for Leaving { given, series, span } in &batch.leaving {
        let row = row_sum::with("correction", columns(given));
        tx.prepare_cached(put)?.execute(params_from_iter(row))?;
        for id in series {
            roll_store::mark_span(tx, given.correction.org, *id, *span)?;
        }
    }
    Ok(())
}

fn columns(given: &GivenCorrection) -> Vec<Value> {
    let it = &given.correction;
    let none = || Value::Null;
    let (amendment, mantissa, exp10, ucum, undoes): (i64, Value, Value, Value, Value) =
        match &it.amendment {
            Amendment::Withdraw => (0, none(), none(), none(), none()),
            Amendment::Replace { mantissa, exp10, ucum } => {
                let ucum = ucum.as_str().to_owned();
                (1, (*mantissa).into(), (*exp10).into(), ucum.into(), none())
            }
            Amendment::Undo(id) => (2, none(), none(), none(), as_blob(*id)),
        };
    let (by_what, by_id): (i64, Value) = match given.by {
        Actor::System => (0, none()),
        Actor::User(id) => (1, as_blob(id)),
        Actor::Device(id) => (2, as_blob(id)),
    };
    vec![
        as_blob(it.org),
        as_blob(it.id),
        as_blob(it.device),
        it.channel.0.to_string().into(),
        it.from.unix_nanos().into(),
        it.to.unix_nanos().into(),
        amendment.into(),
        mantissa,
        exp10,
        ucum,
        undoes,
        reason_code(it.why).into(),
        it.words.0.clone().into(),
        by_what.into(),
        by_id,
        given.known_at.unix_nanos().into(),
    ]
}

/// Reads all of them; none if one is not what was written.
pub(super) fn load(db: &Connection) -> rusqlite::Result<Option<Corrections>> {
    let ask = "SELECT correction.* FROM correction ORDER BY org, id";
    let mut statement = db.prepare(ask)?;
    let mut rows = statement.query([])?;
    let mut corrections = Corrections::default();
    while let Some(row) = rows.next()? {
        let read = match row_sum::is_sound(row, 0, "correction")? {
            true => read(row)?,
            false => None,
        };
        let Some(given) = read else { return Ok(None) };
        corrections.add(given);
    }
    Ok(Some(corrections))
}

fn read(row: &Row<'_>) -> rusqlite::Result<Option<GivenCorrection>> {
    let amendment = match row.get::<_, i64>(6)? {
        0 => Amendment::Withdraw,
        1 => Amendment::Replace {
            mantissa: row.get(7)?,
            exp10: row.get(8)?,
            ucum: Ucum::new(&row.get::<_, String>(9)?),
        },
        2 => Amendment::Undo(row.get::<_, Sql<CorrectionId>>(10)?.0),
        _ => return Ok(None),
    };
    let by = match row.get::<_, i64>(13)? {
        0 => Actor::System,
        1 => Actor::User(row.get::<_, Sql<_>>(14)?.0),
        2 => Actor::Device(row.get::<_, Sql<_>>(14)?.0),
        _ => return Ok(None),
    };
    let Some(why) = reason_of(row.get(11)?) else { return Ok(None) };
    let correction = Correction {
        org: row.get::<_, Sql<_>>(0)?.0,
        id: row.get::<_, Sql<_>>(1)?.0,
        device: row.get::<_, Sql<_>>(2)?.0,
        channel: Channel(row.get(3)?),
        from: row.get::<_, Sql<_>>(4)?.0,
        to: row.get::<_, Sql<_>>(5)?.0,
        amendment,
        why,
        words: Redacted(row.get(12)?),
    };
    Ok(Some(GivenCorrection { correction, by, known_at: row.get::<_, Sql<_>>(15)?.0 }))
}

const fn reason_code(why: model::CorrectionReason) -> i64 {
    use model::CorrectionReason as Why;
    match why {
        Why::WrongPatient => 0,
        Why::SensorOff => 1,
        Why::Artefact => 2,
        Why::Mistyped => 3,
        Why::Other => 4,
    }
}

const fn reason_of(code: i64) -> Option<model::CorrectionReason> {
    use model::CorrectionReason as Why;
    Some(match code {
        0 => Why::WrongPatient,
        1 => Why::SensorOff,
        2 => Why::Artefact,
        3 => Why::Mistyped,
        4 => Why::Other,
        _ => return None,
    })
}
