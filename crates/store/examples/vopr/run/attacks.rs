//! What befalls a run: faults and time, and the looks at what they left.

use std::{sync::Arc, time::Duration};

use store::{
    Draw, Ends, Fault, Form, Lack, LogOffset, OpenError, ReadError, Record, Storage as _,
    verify_journal,
};

use super::{Live, Run, SEGMENT_LEN, all_of};
use crate::{
    MADE_AGAIN,
    files::Met,
    model::{Broken, ensure},
};

impl Run {
    /// Reads from somewhere, perhaps from a disk that fails.
    pub(super) fn read(&mut self, live: &mut Live) -> Result<(), Broken> {
        let all = all_of(&live.journal)?;
        self.model.check_live(&all, 0)?;
        self.check("reads");
        let skip = self.draw.below(self.model.log.len().saturating_add(1));
        let from = skip.checked_sub(1).and_then(|last| self.model.log.get(last));
        let from = from.map_or(LogOffset::default(), |known| known.offset);
        if self.draw.once_in(3) {
            self.disk.fail_in(Fault::ReadError, u64::from(self.draw.once_in(2)));
            let found = live.journal.replay(from);
            let found: Vec<_> = found.collect();
            self.disk.forget(Fault::ReadError);
            let whole: Vec<Record> =
                found.iter().filter_map(|it| it.as_ref().ok()).cloned().collect();
            let error = found.iter().find_map(|it| it.as_ref().err());
            ensure!(
                matches!(error, None | Some(ReadError::Io { .. })),
                "a disk that fails to read is told as {error:?}"
            );
            return self.model.check_same(&whole, skip);
        }
        let found: Result<Vec<Record>, ReadError> = live.journal.replay(from).collect();
        let found = found.map_err(|error| Broken(format!("the log cannot be read: {error}")))?;
        self.model.check_live(&found, skip)
    }

    pub(super) fn pass_time(&mut self, live: &Live) {
        let now = live.clock.now();
        let (jump, step) = match self.draw.below(20) {
            0 => (Duration::from_secs(365 * 86_400), true),
            1..4 => (Duration::from_secs(3_600), true),
            _ => (Duration::from_millis(700), false),
        };
        if step {
            live.clock.step_to(now.after(jump));
            self.fire("clock jump");
        } else {
            live.clock.advance_to(now.after(jump));
        }
    }

    pub(super) fn order_a_fault(&mut self) {
        if self.disk.is_dark() {
            return;
        }
        let soon = u64::try_from(self.draw.below(8)).unwrap_or(0);
        match self.draw.below(12) {
            0 => self.disk.fail_in(Fault::WriteError, soon),
            1 => self.disk.fail_in(Fault::SyncError, soon),
            2 => self.disk.fail_in(Fault::CreateError, 0),
            3 => self.disk.fail_in(Fault::MarkError, 0),
            4..6 => self.disk.set_room(Some(SEGMENT_LEN.saturating_mul(soon / 4))),
            6..8 => self.disk.fail_in(Fault::FullOnWrite, soon),
            8 => self.disk.cut_power_in(soon.saturating_mul(3)),
            _ => self.disk.write_short(self.draw.number()),
        }
    }

    /// Every fault is over: what is not poisoned takes the next group.
    pub(super) fn heal(&mut self, live: &mut Live) -> Result<(), Broken> {
        if self.disk.is_dark() || live.poisoned {
            return Ok(());
        }
        self.disk.disarm();
        self.disk.set_room(None);
        let group = self.model.group(1, live.clock.now(), &mut self.draw);
        let answer = live.journal.append(group.clone()).wait();
        ensure!(answer.is_ok(), "a healed disk is not used: {answer:?}");
        self.check("heals");
        self.answered(live, group, answer)
    }

    /// Flips a bit on a copy of the disk: what is read is right or named, never garbled.
    pub(super) fn rot(&mut self, live: &mut Live) -> Result<(), Broken> {
        let Some([before, last]) = live.ends.last_chunk::<2>().copied() else { return Ok(()) };
        let segments = self.disk.segments().map_err(|error| Broken(format!("{error}")))?;
        let end = usize::try_from(last.bytes()).unwrap_or(0);
        let at = LogOffset::from_bytes(u64::try_from(self.draw.below(end)).unwrap_or(0));
        let Some(segment) = segments.iter().rfind(|segment| segment.start <= at) else {
            return Ok(());
        };
        let copy = self.disk.copy();
        let within = at.bytes().saturating_sub(segment.start.bytes());
        // In a thinned one any byte of its file, which stands for some place before its end.
        let next = segments.iter().find(|it| it.start > segment.start);
        let (within, at) = match (segment.form, next) {
            (Form::Thinned, Some(next)) => {
                (within.checked_rem(segment.len).unwrap_or(0), next.start)
            }
            _ => (within, at),
        };
        copy.rot(segment.start, usize::try_from(within).unwrap_or(usize::MAX));
        self.fire(Fault::BitFlip.name());
        let name = format!("segment {}", segment.start);
        let (start, named) =
            (LogOffset::default(), format!("segment that begins at {}", segment.start));
        if at < before {
            let report = verify_journal(&copy).map_err(|error| Broken(format!("{error}")))?;
            let names = |damage: &store::Damage| {
                damage.place.contains(&name) || damage.what.contains(&named)
            };
            ensure!(
                report.damage.iter().any(names),
                "a flipped bit at {at} is not named by a look"
            );
        }
        let found: Vec<_> = match store::replay(Arc::new(copy), start) {
            Ok(replay) => replay.collect(),
            Err(OpenError::Damaged { segment: of, offset, .. }) => {
                ensure!(of == segment.start && offset <= at, "{at} was flipped, {offset} is named");
                return Ok(());
            }
            Err(error) => return Err(Broken(format!("a flipped bit at {at}: {error}"))),
        };
        let whole: Vec<Record> = found.iter().filter_map(|it| it.as_ref().ok()).cloned().collect();
        self.model.check_same(&whole, 0)?;
        match found.iter().find_map(|it| it.as_ref().err()) {
            Some(ReadError::Damaged { segment: of, offset, .. }) => {
                ensure!(
                    *of == segment.start && *offset <= at,
                    "{at} was flipped, {offset} is named"
                );
            }
            Some(error) => return Err(Broken(format!("a flipped bit at {at}: {error}"))),
            // In the last commit it looks like a torn tail (decision 0005).
            None => ensure!(at >= before, "a flipped bit at {at} was not named"),
        }
        Ok(())
    }

    /// Takes a segment off a copy of the disk: whichever it is, somebody is told.
    pub(super) fn lose_a_segment(&mut self, live: &Live) -> Result<(), Broken> {
        let all = all_of(&live.journal)?;
        self.model.check_live(&all, 0)?;
        let segments = self.disk.segments().map_err(|error| Broken(format!("{error}")))?;
        let lost = self.draw.below(segments.len());
        let Some(segment) = segments.get(lost) else { return Ok(()) };
        let copy = self.disk.copy();
        copy.lose(segment.start);
        self.fire(Fault::LostSegment.name());
        let report = verify_journal(&copy).map_err(|error| Broken(format!("{error}")))?;
        let is_newest = lost.saturating_add(1) == segments.len();
        let checkpoint = self.asked.sealed.last().map(|(offset, _)| *offset);
        let applied = self.asked.applied.last().copied().unwrap_or_default();
        let (begins, ends) = (report.begins, report.end);
        let lacks = Ends { begins, ends, checkpoint, applied, ..Ends::default() }.lacks();
        if lost == 0 && !is_newest {
            ensure!(begins > LogOffset::default(), "nobody misses the oldest segment");
            ensure!(!report.is_sound(), "a journal without its beginning is called sound");
        } else if !is_newest {
            ensure!(!report.damage.is_empty(), "nobody misses the segment at {}", segment.start);
        } else if report.damage.is_empty() {
            // What nothing rests on cannot be missed; whatever rests on it is told.
            let rests = checkpoint.unwrap_or_default().max(applied);
            let is_told = lacks.iter().any(Lack::is_fatal);
            ensure!(is_told == (rests > ends), "rows of {rests} on a log that ends at {ends}");
        }
        // What is left is read from its own beginning, whole or with a name for the hole.
        let skip = self.model.up_to(begins).count();
        if let Ok(replay) = store::replay(Arc::new(copy), begins) {
            let left: Vec<_> = replay.take_while(Result::is_ok).flatten().collect();
            self.model.check_same(&left, skip)?;
        }
        self.check("lost segments missed");
        Ok(())
    }

    pub(super) fn flip_a_file(&mut self) -> Result<(), Broken> {
        let mut draw = Draw::from_seed(self.draw.number());
        let met = self.files()?.flip(&self.model, &self.asked, &mut draw)?;
        self.fire("bit flip in a database");
        self.check(match met {
            Met::Named => "database flips named by a read",
            Met::Remade => MADE_AGAIN,
            Met::Lacking => "flips of a chunk's row named",
            Met::Harmless => "database flips without effect",
            Met::Verified => "database flips named by a look",
            Met::Earlier => "database flips that ended a write-ahead log",
        });
        Ok(())
    }

    pub(super) fn look_at_all(&mut self) -> Result<(), Broken> {
        if self.disk.is_dark() {
            return Ok(());
        }
        let report = verify_journal(&self.disk).map_err(|error| Broken(format!("{error}")))?;
        ensure!(report.is_sound(), "a sound journal is called damaged: {:?}", report.damage);
        self.check("looks at every byte");
        Ok(())
    }
}
