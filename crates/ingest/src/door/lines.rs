//! A body of line protocol: all of its good lines in one group of the journal, the bad
//! ones in a dead letter beside them. Either all of it is durable or nothing is.

use std::collections::{BTreeMap, btree_map::Entry};

use model::{Clock, DeadLetterId, DeviceId, OrgId, Timestamp};
use protocols::{
    line::{self, BadLine, DEVICE_TAG, Line, LineError, Precision},
    senml::RawSample,
};
use record::{Body, DeadLetter, Readings};
use store::Durable;

use super::{Door, Fate, Message, Refusal, letter_id, recognise};
use crate::{
    accept::{Undecodable, judge, relative},
    identify::DeviceRef,
    limits::SAMPLES_OF_A_RECORD_MAX,
};

/// A body of line protocol with what its request said about it.
#[derive(Clone, Copy, Debug)]
pub struct Lines<'a> {
    /// The path, the media type, the body and when it came.
    pub message: Message<'a>,
    /// What its timestamps count.
    pub precision: Precision,
    /// The sender's own time at sending.
    pub device_now: Option<Timestamp>,
}

/// What became of a body of line protocol.
#[derive(Debug)]
pub struct LinesTaken {
    /// Lines whose samples are durable.
    pub good: usize,
    /// Samples that were stored for the first time.
    pub samples: u64,
    /// Samples whose field no profile names; they are stored too.
    pub unmapped: usize,
    /// The lines that were none.
    pub bad: Option<BadLines>,
    /// The proof; `None` only for a body without any line.
    pub durable: Option<Durable>,
}

/// The bad lines of a body, kept as one dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLines {
    /// Names it on screens.
    pub letter: DeadLetterId,
    /// How many there are.
    pub count: usize,
    /// The place of the first, from 1.
    pub first: usize,
    /// What is wrong with the first.
    pub why: LineError,
}

/// What a body was taken apart into.
struct Apart<'a> {
    /// The samples of each device that the body speaks for.
    of: BTreeMap<DeviceId, Of>,
    good: usize,
    unmapped: usize,
    bad: Vec<BadLine<'a>>,
}

struct Of {
    device: DeviceRef,
    samples: Vec<RawSample>,
}

impl Door {
    /// Takes a body of line protocol all the way: decode, accept, journal, wait for the sync.
    ///
    /// It must run to its end once it began: what was admitted has to be settled.
    pub async fn take_lines(
        &self,
        org: OrgId,
        device: DeviceId,
        door: &'static str,
        lines: &Lines<'_>,
    ) -> Result<LinesTaken, Refusal> {
        let found = match self.registry.identify(org, device) {
            Ok(found) => found,
            // Refused as any message is, and with the same record.
            Err(_) => return Err(self.refuse_whole(org, device, door, &lines.message).await),
        };
        self.room_in_time().await?;
        let apart = self.take_apart(&found, lines);
        let bad = bad_lines(&lines.message, &apart.bad);
        let (ticket, fates) = self.admit_lines(&found, lines, &apart, bad.as_ref(), door);
        let Some(ticket) = ticket else {
            return Ok(LinesTaken { good: 0, samples: 0, unmapped: 0, bad: None, durable: None });
        };
        let outcome = ticket.await;
        // All of them, as each settles its own.
        let mut is_safe = true;
        for (of, fate) in &fates {
            is_safe &= self.settle(*of, fate, outcome.is_ok());
        }
        let durable = outcome.map_err(Refusal::NotDurable)?;
        if !is_safe {
            return Err(Refusal::NotDurable(store::AppendError::Busy));
        }
        let stored = fates.iter().map(|(_, fate)| match fate {
            Fate::Stored { samples, .. } => *samples,
            Fate::Repeated { .. } | Fate::Dead { .. } => 0,
        });
        Ok(LinesTaken {
            good: apart.good,
            samples: stored.sum(),
            unmapped: apart.unmapped,
            bad,
            durable: Some(durable),
        })
    }

    async fn refuse_whole(
        &self,
        org: OrgId,
        device: DeviceId,
        door: &str,
        message: &Message<'_>,
    ) -> Refusal {
        match self.take(org, device, door, message).await {
            Err(refusal) => refusal,
            // Let in between the two questions: it may be sent again.
            Ok(_) => Refusal::NotDurable(store::AppendError::Busy),
        }
    }

    fn take_apart<'a>(&self, found: &DeviceRef, lines: &Lines<'a>) -> Apart<'a> {
        let mut apart = Apart { of: BTreeMap::new(), good: 0, unmapped: 0, bad: Vec::new() };
        for line in line::parse(lines.message.payload) {
            let resolved = line.and_then(|line| {
                self.resolve(found, &mut apart.of, &line, lines).map_err(|why| line.refused(why))
            });
            match resolved {
                Ok(unmapped) => {
                    apart.good = apart.good.saturating_add(1);
                    apart.unmapped = apart.unmapped.saturating_add(unmapped);
                }
                Err(bad) => apart.bad.push(bad),
            }
        }
        apart
    }

    /// Puts the samples of a line to those of its device; answers how many are unmapped.
    fn resolve(
        &self,
        found: &DeviceRef,
        of: &mut BTreeMap<DeviceId, Of>,
        line: &Line<'_>,
        lines: &Lines<'_>,
    ) -> Result<usize, LineError> {
        let named = match line.tag(DEVICE_TAG) {
            None => found.id,
            Some(named) => named.parse().map_err(|_| LineError::NotYours)?,
        };
        let own = match of.entry(named) {
            Entry::Occupied(own) => own.into_mut(),
            Entry::Vacant(place) => {
                let device = self.spoken_for(found, named).ok_or(LineError::NotYours)?;
                place.insert(Of { device, samples: Vec::new() })
            }
        };
        // A line without a time was measured as it was sent. That instant is told by the
        // clock that its age is reckoned by, or a clock that is fast makes it look old.
        let untimed_at = lines.device_now.unwrap_or(lines.message.received_at);
        let resolved = line::resolve(&own.device.profile, line, lines.precision, untimed_at)?;
        own.samples.extend(resolved.samples);
        Ok(resolved.unmapped)
    }

    /// The device itself, or one that is bound to it as its gateway and may speak.
    fn spoken_for(&self, found: &DeviceRef, named: DeviceId) -> Option<DeviceRef> {
        if named == found.id {
            return Some(found.clone());
        }
        let bound = self.registry.identify(found.org, named).ok()?;
        (bound.gateway == Some(found.id)).then_some(bound)
    }

    fn admit_lines(
        &self,
        found: &DeviceRef,
        lines: &Lines<'_>,
        apart: &Apart<'_>,
        bad: Option<&BadLines>,
        door: &'static str,
    ) -> (Option<store::Ticket>, Vec<(DeviceId, Fate)>) {
        let at = lines.message.received_at;
        let (mut entries, mut fates, mut shown) = (Vec::new(), Vec::new(), Vec::new());
        if let Some(bad) = bad {
            let (letter, why) = letter_of(found, lines, apart, bad, door);
            entries.push(entry_of(found, at, &Body::DeadLetter(letter)));
            fates.push((found.id, Fate::Dead { letter: bad.letter, why }));
        }
        let mut devices = self.devices();
        for Of { device, samples } in apart.of.values() {
            let memory = devices.entry(device.id).or_default();
            let newest = samples.iter().map(|sample| sample.device_at).max();
            if newest.is_none() {
                continue;
            }
            let clock = judge(device, lines.device_now, newest, at, &mut memory.clock);
            for (index, chunk) in samples.chunks(SAMPLES_OF_A_RECORD_MAX).enumerate() {
                let body = Body::Readings(readings(device, lines, clock, chunk));
                let (body, fate) = recognise(body, &mut memory.seen);
                memory.pending.add(&fate);
                entries.push(entry_of(device, at, &body));
                if index == 0 {
                    shown.push((device, body, fates.len()));
                }
                fates.push((device.id, fate));
            }
        }
        if entries.is_empty() {
            return (None, fates);
        }
        // Still locked: a repeat on another door must not overtake its original.
        let ticket = self.journal.append(entries);
        drop(devices);
        if let Some((_, Fate::Dead { why, .. })) = fates.first() {
            self.tell_of_letter(found.id, &lines.message, why);
        }
        for (device, body, fate) in shown {
            if let Some((_, fate)) = fates.get(fate) {
                self.watch(device, None, &lines.message, &body, fate);
            }
        }
        (Some(ticket), fates)
    }
}

fn readings(found: &DeviceRef, lines: &Lines<'_>, clock: Clock, chunk: &[RawSample]) -> Readings {
    let base_at = chunk.first().map_or(lines.message.received_at, |first| first.device_at);
    Readings {
        device: found.id,
        counted: None,
        device_at: base_at,
        device_now: lines.device_now,
        gateway_at: None,
        clock,
        may_be_buffered: found.profile.buffers,
        samples: chunk.iter().map(|sample| relative(base_at, sample.clone())).collect(),
    }
}

fn bad_lines(message: &Message<'_>, bad: &[BadLine<'_>]) -> Option<BadLines> {
    let first = bad.first()?;
    let payload = joined(bad);
    let letter = letter_id(&Message { payload: &payload, ..*message });
    Some(BadLines { letter, count: bad.len(), first: first.number, why: first.why })
}

fn joined(bad: &[BadLine<'_>]) -> Vec<u8> {
    let raw: Vec<&[u8]> = bad.iter().map(|line| line.raw).collect();
    raw.join(&b'\n')
}

fn letter_of(
    found: &DeviceRef,
    lines: &Lines<'_>,
    apart: &Apart<'_>,
    bad: &BadLines,
    door: &str,
) -> (DeadLetter, Undecodable) {
    let all = apart.good.saturating_add(bad.count);
    let explanation =
        format!("line {}: {}; {} of {all} lines are kept here", bad.first, bad.why, bad.count);
    let why = Undecodable {
        reason: format!("line:{}", bad.why.word()),
        explanation: explanation.clone(),
        not_yours: bad.why == LineError::NotYours,
    };
    let letter = DeadLetter {
        id: bad.letter,
        device: Some(found.id),
        door: door.to_owned(),
        topic: lines.message.topic.to_owned(),
        content_type: lines.message.content_type.map(str::to_owned),
        reason: why.reason.clone(),
        explanation,
        payload: joined(&apart.bad),
    };
    (letter, why)
}

fn entry_of(of: &DeviceRef, received_at: Timestamp, body: &Body) -> store::Entry {
    let (kind, body_version, body) = body.encode();
    let (org, partition) = (of.org, of.partition);
    store::Entry { kind, body_version, org, partition, received_at, key_id: 0, body }
}
