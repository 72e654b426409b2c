//! A damaged chunk of the series made again from the journal, of a running server or without one.
//!
//! Whatever filled the series does it again: a core that knows the devices as they are now takes
//! the records of the chunk's device once more, and what it would hand to the series is offered.
//! Only the segments from the chunk's time on are read, until all of it was found.

use std::sync::Arc;

use ::record::Body;
use model::{Channel, DeviceId, Timestamp};
use store::{DamageState, DamagedChunk, DatabaseError, LogOffset, Mend, ReadError, Record, Series};

use crate::{
    core::{Core, LINK_CHANNEL, Out, Setup},
    directory::Directory,
    limits::MEND_RECORDS_AT_ONCE,
};

/// Records of a stretch of journal in order.
pub type Reading = Box<dyn Iterator<Item = Result<Record, ReadError>>>;

/// A journal that is read for a damaged chunk.
#[expect(missing_debug_implementations, reason = "it holds how to read")]
pub struct Remake<'a> {
    /// Where its segments begin, the oldest first.
    pub starts: &'a [LogOffset],
    /// The records behind the first place up to the second.
    pub read: &'a dyn Fn(LogOffset, LogOffset) -> Result<Reading, ReadError>,
    /// The devices as they are.
    pub directory: &'a Arc<Directory>,
    /// As the server is set up.
    pub setup: &'a Setup,
}

/// What became of a chunk; nothing if it needs it no more.
type Came = Result<Option<DamageState>, MendError>;

/// Why a chunk was neither made again nor found to be gone; it can be tried later.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum MendError {
    #[error("the series cannot be read or written")]
    Series(#[source] DatabaseError),
    #[error("the journal cannot be read")]
    Journal(#[source] ReadError),
}

impl Remake<'_> {
    /// Makes damaged chunks again, one after the other, and tells what became of each. One for
    /// which the journal cannot be read is noted as such, so that it stands in nobody's way; says
    /// how many could not be tried and still wait.
    pub fn each(
        &self,
        series: &Series,
        chunks: &[DamagedChunk],
        now: &dyn Fn() -> Timestamp,
        rest: &mut dyn FnMut(),
        tell: &mut dyn FnMut(&DamagedChunk, &Came),
    ) -> usize {
        let mut waiting = 0_usize;
        for chunk in chunks {
            let came = self.chunk(series, chunk, now(), rest);
            tell(chunk, &came);
            waiting += match came {
                Ok(_) => 0,
                Err(MendError::Series(_)) => 1,
                Err(MendError::Journal(_)) => {
                    let settled = series.settle_damage(chunk, DamageState::Differs, now());
                    usize::from(settled.is_err())
                }
            };
            rest();
        }
        waiting
    }

    /// Makes a damaged chunk again, or notes why not; blocks for as long as it takes, and calls
    /// `rest` after each few thousand records. `None` if the chunk needs it no more.
    pub fn chunk(
        &self,
        series: &Series,
        chunk: &DamagedChunk,
        now: Timestamp,
        rest: &mut dyn FnMut(),
    ) -> Result<Option<DamageState>, MendError> {
        let Some(mut mend) = series.begin_mend(chunk).map_err(MendError::Series)? else {
            return Ok(None);
        };
        let is_gone = self.offer_all(&mut mend, rest)?;
        mend.finish(is_gone, now).map(Some).map_err(MendError::Series)
    }

    /// Offers what the journal has of a chunk; says whether it has some of it no longer.
    fn offer_all(&self, mend: &mut Mend, rest: &mut dyn FnMut()) -> Result<bool, MendError> {
        let from = self.start_before(mend.span().from).map_err(MendError::Journal)?;
        // What stood before the journal's beginning is nowhere.
        let is_gone = from.is_none_or(|it| self.begins_later(it));
        let from = from.map(|it| self.one_before(it));
        let Some(from) = from.filter(|from| *from < mend.up_to()) else { return Ok(is_gone) };
        let mut core = Core::of_directory(self.setup.clone(), Arc::clone(self.directory));
        let (mut out, mut read) = (Out::default(), 0_usize);
        for record in (self.read)(from, mend.up_to()).map_err(MendError::Journal)? {
            let record = record.map_err(MendError::Journal)?;
            read += 1;
            if read % MEND_RECORDS_AT_ONCE == 0 {
                rest();
            }
            match of(mend, &record) {
                Has::Nothing => continue,
                // Without these the rest need not be read.
                Has::Stub(at) if !mend.has_sealed(at, record.frame.received_at) => {
                    return Ok(true);
                }
                Has::Stub(_) => continue,
                Has::Something => {}
            }
            core.observe_only(&record, Vec::new(), &mut out);
            offer(mend, &mut out);
            if mend.has_all() {
                return Ok(false);
            }
        }
        Ok(is_gone)
    }

    fn begins_later(&self, from: LogOffset) -> bool {
        from > LogOffset::default() && self.starts.first() == Some(&from)
    }

    /// The newest segment whose first record came no later than an instant, or the oldest one:
    /// nothing is received before it was measured, by clocks that are right.
    fn start_before(&self, at: Timestamp) -> Result<Option<LogOffset>, ReadError> {
        let (mut low, mut high) = (0, self.starts.len());
        while high.saturating_sub(low) > 1 {
            let middle = low.midpoint(high);
            match self.first_received(middle)? {
                Some(received_at) if received_at <= at => low = middle,
                Some(_) | None => high = middle,
            }
        }
        Ok(self.starts.get(low).copied())
    }

    /// The segment before: a gateway whose clock is fast says that what we received was measured
    /// a little later.
    fn one_before(&self, start: LogOffset) -> LogOffset {
        self.starts.iter().copied().rfind(|it| *it < start).unwrap_or(start)
    }

    fn first_received(&self, segment: usize) -> Result<Option<Timestamp>, ReadError> {
        let Some(from) = self.starts.get(segment) else { return Ok(None) };
        let to = self.starts.get(segment.saturating_add(1)).copied();
        let to = to.unwrap_or(LogOffset::from_bytes(u64::MAX));
        match (self.read)(*from, to)?.next() {
            Some(Ok(record)) => Ok(Some(record.frame.received_at)),
            // What cannot be read may be what is wanted: it is met there, and told.
            Some(Err(_)) | None => Ok(None),
        }
    }
}

/// What a record has of a series.
enum Has {
    Nothing,
    /// Samples of it went that began then.
    Stub(Timestamp),
    Something,
}

fn of(mend: &Mend, record: &Record) -> Has {
    let (frame, key) = (&record.frame, mend.key());
    if frame.org != key.org || frame.kind >= ::record::DECISIONS_FROM {
        return Has::Nothing;
    }
    let Ok(body) = Body::decode(frame.kind, frame.body_version, &frame.body) else {
        return Has::Nothing;
    };
    let is_link = *key.channel.0 == *LINK_CHANNEL;
    let own = |device: DeviceId, channel: &Channel| (device, channel) == (key.device, &key.channel);
    let is_it = match &body {
        Body::Readings(it) => {
            it.device == key.device && it.samples.iter().any(|it| it.channel == key.channel)
        }
        Body::Wave(it) => own(it.device, &it.channel),
        Body::Imported(it) => it.device == key.device,
        Body::Presence(it) => is_link && it.device == key.device,
        Body::State(it) => is_link && it.device == key.device,
        Body::SealedWave(it) => {
            let at = crate::core::start_of(&it.block, frame.received_at);
            let span = mend.span();
            if mend.is_wave()
                && own(it.block.device, &it.block.channel)
                && at >= span.from
                && at < span.to
            {
                return Has::Stub(at);
            }
            false
        }
        _ => false,
    };
    if is_it { Has::Something } else { Has::Nothing }
}

/// Offers what a record led to, as far as it is of the series.
fn offer(mend: &mut Mend, out: &mut Out) {
    let key = mend.key().clone();
    for of in out.points.drain(..) {
        let is_it = (of.org, of.device, &of.channel, of.kind, &of.ucum)
            == (Some(key.org), key.device, &key.channel, key.kind, &key.ucum);
        if is_it {
            mend.offer(of.point());
        }
    }
    for of in out.waves.drain(..) {
        let is_it = (of.org, of.device, &of.channel, of.kind, &*of.unit)
            == (Some(key.org), key.device, &key.channel, key.kind, key.ucum.as_str());
        if is_it {
            mend.offer_wave(of.into_span());
        }
    }
    out.clear();
}
