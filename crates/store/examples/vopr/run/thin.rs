//! Thins the journal as a server would: only what is behind the checkpoint and sealed, noted
//! before it happens, on a disk that may fail at any step of it.

use std::collections::BTreeMap;

use store::{LogOffset, Stub, ThinError};

use super::{Live, Run, all_of};
use crate::{
    files::is_sealed,
    model::{Broken, Measured, Thinned, ensure, measured, stub},
};

impl Run {
    /// Thins one segment, perhaps with a fault on its way.
    pub(super) fn thin(&mut self, live: &mut Live) -> Result<(), Broken> {
        if live.poisoned || self.disk.is_dark() {
            return Ok(());
        }
        // Every place is known once it was read.
        let all = all_of(&live.journal)?;
        self.model.check_live(&all, 0)?;
        let spans = live.journal.thinnable().map_err(|error| Broken(format!("{error}")))?;
        let Some((from, to)) = spans.get(self.draw.below(spans.len())).copied() else {
            return Ok(());
        };
        let stubs = self.spare(from, to)?;
        if self.draw.once_in(3) {
            self.disk.cut_power_in(u64::try_from(self.draw.below(9)).unwrap_or(0));
        } else if self.draw.once_in(3) {
            self.order_a_fault();
        }
        let note = self.model.group(1, live.clock.now(), &mut self.draw);
        let mut answer = None;
        let done = live.journal.thin(from, &stubs, |_| {
            let answered = live.journal.append(note.clone()).wait();
            let is_noted = answered.is_ok();
            answer = Some(answered);
            is_noted
        });
        let now = match (&done, &answer) {
            (Ok(_), Some(Ok(_))) => Thinned::Yes,
            (Ok(_), _) => return Err(Broken("a segment was thinned without a note".to_owned())),
            // The whole form may be gone, and come back with the next start.
            (Err(ThinError::Io { .. }), Some(Ok(_))) => Thinned::Perhaps,
            (Err(_), _) => Thinned::No,
        };
        if now != Thinned::No {
            for known in &mut self.model.log {
                if stubs.contains_key(&known.offset) {
                    known.thinned = now;
                }
            }
            self.check(if now == Thinned::Yes { "thinnings" } else { "thinnings cut short" });
        }
        if let Some(answer) = answer {
            self.answered(live, note, answer)?;
        } else {
            self.check("thinnings given up");
        }
        self.note(u64::from(done.is_ok()));
        if !self.disk.is_dark() {
            let all = all_of(&live.journal);
            ensure!(all.is_ok(), "the log cannot be read after a thinning: {:?}", all.err());
        }
        Ok(())
    }

    /// The waveforms of a segment that the last checkpoint covers and that sealed chunks have.
    fn spare(&self, from: LogOffset, to: LogOffset) -> Result<BTreeMap<LogOffset, Stub>, Broken> {
        let sealed = self.asked.sealed.last().map_or(LogOffset::default(), |(offset, _)| *offset);
        let mut stubs = BTreeMap::new();
        for known in &self.model.log {
            // What stands in its place has to be shorter.
            let is_short = known.entry.body.len() < 64;
            if is_short || known.offset <= from || known.offset > to.min(sealed) {
                continue;
            }
            if let Some((device, Measured::Wave(wave))) = measured(&known.entry)
                && is_sealed(&self.files()?.series, device, &wave)?
            {
                stubs.insert(known.offset, stub(&known.entry));
            }
        }
        Ok(stubs)
    }
}
