//! Which waveform blocks of a journal say nothing that is not sealed as well, so that a time
//! may come when they need not stay: pure answers about one block at a time.
//!
//! What stands in a block's place afterwards and its sealed chunk make the very same bytes
//! again; a block of which that is not so stays as it is.
//!
//! **Absent on purpose:** a clock, and any reading or writing; whoever asks brings both.

use std::collections::BTreeSet;

use ::record::SealedWave;
use model::{Association, DeviceId, HoldOf, PatientId, Subject, Timestamp};
use store::{LogOffset, Stretch, WaveSpan};

use crate::{
    core::{SealedForm, made_again},
    directory::Directory,
};

/// Why a block has to stay in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stays {
    /// No sealed chunk has it, and the checkpoint is behind it.
    Missing,
    /// A sealed chunk says something else of its time.
    Differs,
    /// The chunk that should have it fails its checksum.
    Damaged,
    /// It cannot be read any more.
    Unreadable,
    /// The series have more of its minute than is read at once.
    Crowded,
    /// The checkpoint is before it: its samples are in memory while the server runs.
    Unsealed,
    /// Its bytes cannot be made again of what would be left, as it has floats.
    Finer,
    /// It stands in one of the newest segments.
    Newest,
    /// It was received too short a time ago.
    Recent,
    /// A person holds it.
    Held,
}

impl Stays {
    /// Whether it says that something sealed is not what was received.
    pub const fn is_fault(self) -> bool {
        matches!(self, Self::Missing | Self::Differs | Self::Damaged)
    }
}

/// What the series have sealed around the time of a block.
#[derive(Clone, Debug)]
pub(crate) enum Sealed {
    Stretches(Vec<Stretch<WaveSpan>>),
    Damaged,
    /// More than is read at once.
    Crowded,
}

impl Default for Sealed {
    fn default() -> Self {
        Self::Stretches(Vec::new())
    }
}

impl Sealed {
    /// What speaks against this form being sealed as it is.
    fn lacks(&self, form: &SealedForm) -> Option<Stays> {
        let stretches = match self.stretches() {
            Ok(stretches) => stretches,
            Err(why) => return Some(why),
        };
        let own = |span: &&WaveSpan| span.at == form.span.at;
        // A block that was received again is sealed as it was received first.
        let is_it = |span: &WaveSpan| match span.received_at < form.span.received_at {
            true => {
                let WaveSpan { received_at, marks, .. } = form.span;
                WaveSpan { received_at, marks, ..span.clone() } == form.span
            }
            false => *span == form.span,
        };
        let mut is_there = false;
        for stretch in stretches {
            for span in stretch.items.iter().filter(own) {
                if stretch.ucum == form.ucum && is_it(span) {
                    return None;
                }
                is_there = true;
            }
        }
        Some(if is_there { Stays::Differs } else { Stays::Missing })
    }

    /// What speaks against the samples that a block gave up being sealed as they were; it begins
    /// at the first instant.
    pub(crate) fn lacks_of(
        &self,
        left: &SealedWave,
        (at, received_at): (Timestamp, Timestamp),
    ) -> Option<Stays> {
        let stretches = match self.stretches() {
            Ok(stretches) => stretches,
            Err(why) => return Some(why),
        };
        let spans = stretches.iter().flat_map(|it| &it.items);
        let mut is_there = false;
        for span in spans.filter(|it| it.at == at) {
            if let Some(block) = made_again(left, &span.samples) {
                let form = SealedForm::of(&block, received_at);
                return form.map_or(Some(Stays::Unreadable), |form| self.lacks(&form));
            }
            is_there = true;
        }
        Some(if is_there { Stays::Differs } else { Stays::Missing })
    }

    const fn stretches(&self) -> Result<&Vec<Stretch<WaveSpan>>, Stays> {
        match self {
            Self::Stretches(stretches) => Ok(stretches),
            Self::Damaged => Err(Stays::Damaged),
            Self::Crowded => Err(Stays::Crowded),
        }
    }
}

/// A block in its place.
#[derive(Debug)]
pub(crate) struct Placed<'a> {
    /// Where its record ends.
    pub(crate) offset: LogOffset,
    pub(crate) device: DeviceId,
    pub(crate) received_at: Timestamp,
    /// None if it cannot be read any more.
    pub(crate) form: Option<&'a SealedForm>,
}

/// What is asked of every block.
#[derive(Debug)]
pub(crate) struct Judge {
    received_before: Timestamp,
    spans: Vec<(Timestamp, Timestamp)>,
    devices: BTreeSet<DeviceId>,
    checkpoint: LogOffset,
    newest_from: LogOffset,
}

impl Judge {
    /// Blocks that are received before an instant may go, by what the directory holds;
    /// `newest_from` is where the oldest of the segments begins that stay as they are.
    pub(crate) fn new(
        received_before: Timestamp,
        directory: &Directory,
        checkpoint: LogOffset,
        newest_from: LogOffset,
    ) -> Self {
        let (mut spans, mut devices) = (Vec::new(), BTreeSet::new());
        for state in directory.holding() {
            match state.hold.of {
                HoldOf::Received { from, to } => spans.push((from, to)),
                HoldOf::Patient(patient) => devices.extend(ever_on(directory, patient)),
            }
        }
        Self { received_before, spans, devices, checkpoint, newest_from }
    }

    /// Whether a block is behind the checkpoint, so that the series are to be asked about it.
    pub(crate) fn is_sealed(&self, offset: LogOffset) -> bool {
        offset <= self.checkpoint
    }

    /// Whether a person holds what a device sent and what was received then.
    pub(crate) fn is_held(&self, device: DeviceId, received_at: Timestamp) -> bool {
        self.devices.contains(&device)
            || self.spans.iter().any(|(from, to)| (*from..*to).contains(&received_at))
    }

    // RC-056
    /// Why a block stays; `None` if everything that it says is sealed and nobody wants it kept.
    /// What is sealed otherwise than it was received is told of every block, however young.
    pub(crate) fn judge(&self, block: &Placed<'_>, sealed: &Sealed) -> Option<Stays> {
        let Some(form) = block.form else { return Some(Stays::Unreadable) };
        if !self.is_sealed(block.offset) {
            return Some(Stays::Unsealed);
        }
        if let Some(lacks) = sealed.lacks(form) {
            return Some(lacks);
        }
        let at = block.received_at;
        let is_held = self.is_held(block.device, at);
        [
            (form.is_finer, Stays::Finer),
            (block.offset > self.newest_from, Stays::Newest),
            (at >= self.received_before, Stays::Recent),
            (is_held, Stays::Held),
        ]
        .into_iter()
        .find_map(|(stays, why)| stays.then_some(why))
    }
}

/// Every device that any line ever said to be on a patient, also one that was corrected.
fn ever_on(directory: &Directory, patient: PatientId) -> impl Iterator<Item = DeviceId> + '_ {
    let is_theirs = move |lines: &Vec<Association>| {
        lines.iter().any(|line| line.value == Subject::Patient(patient))
    };
    directory.associations.iter().filter(move |(_, lines)| is_theirs(lines)).map(|(id, _)| *id)
}

#[cfg(test)]
mod tests;
