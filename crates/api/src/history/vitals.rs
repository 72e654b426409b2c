//! How much of a vital is there, whichever of a patient's devices gave it.

use std::time::Duration;

use fleet::coverage::{Evidence, Gap, Ledger, Stretch, Why, ledger_of_any, outside};
use model::{DeviceId, Vital};
use protocols::profile::{Grade, Profile};
use store::DatabaseError;

use super::{Kept, Links, Part, Source, evidence, lacking, longest_of, on_of, percent, word};
use crate::{dto::history::Covered, past::Span};

/// What was promised of a vital and came, and while nothing promised it.
pub(crate) struct VitalLedger {
    pub(crate) ledger: Ledger,
    /// While no device was on that measures it.
    pub(crate) no_device: Vec<Stretch>,
}

/// One channel that gives the vital, with all that is known of it.
struct Known {
    order: (bool, Duration, DeviceId),
    on: Vec<Stretch>,
    kept: Kept,
    /// Where its device's links stand.
    links: usize,
}

impl Source {
    /// The ledger of each group of vitals that count as one, such as both ways to a pulse.
    pub(crate) fn vital_ledgers(
        &self,
        parts: &[Part],
        groups: &[&[Vital]],
        asked: Span,
        outages: &[Stretch],
    ) -> Result<Vec<VitalLedger>, DatabaseError> {
        let links: Result<Vec<Links>, DatabaseError> =
            parts.iter().map(|part| self.links(part.device, asked)).collect();
        let links = links?;
        let mut ledgers = Vec::new();
        for vitals in groups {
            let known = self.known_of(parts, vitals, asked)?;
            let mut evidences: Vec<Evidence<'_>> = Vec::new();
            for Known { on, kept, links: place, .. } in &known {
                let Some(links) = links.get(*place) else { continue };
                evidences.push(evidence((asked, on), kept, links, outages));
            }
            let ledger = ledger_of_any(&evidences);
            let mut on: Vec<Stretch> = known.iter().flat_map(|it| it.on.iter().copied()).collect();
            on.sort_unstable();
            let asked = Stretch { from: asked.from, to: asked.to };
            ledgers.push(VitalLedger { ledger, no_device: outside(asked, &on) });
        }
        Ok(ledgers)
    }

    /// The channels that give one of these vitals, the best first, as trends choose them.
    fn known_of(
        &self,
        parts: &[Part],
        vitals: &[Vital],
        asked: Span,
    ) -> Result<Vec<Known>, DatabaseError> {
        let mut known = Vec::new();
        for (links, part) in parts.iter().enumerate() {
            let grade = self.profile(part.device).map(|profile: &Profile| profile.grade);
            for (spec, numeric) in self.channels(part.device) {
                if !spec.vital().is_some_and(|vital| vitals.contains(&vital)) {
                    continue;
                }
                let kept = self.covered(part, spec, asked)?;
                let order = (grade != Some(Grade::Medical), numeric.cadence, part.device);
                known.push(Known { order, on: on_of(part, asked), kept, links });
            }
        }
        known.sort_by_key(|it| it.order);
        Ok(known)
    }
}

impl VitalLedger {
    /// The same where some of what was stored cannot be read, in order of time and nowhere
    /// twice: roll-ups may have known it once, and the line that is drawn does not.
    pub(crate) fn losing(mut self, lost: &[Stretch]) -> Self {
        if lost.is_empty() {
            return self;
        }
        let lost: Vec<Stretch> = lost.iter().flat_map(|it| outside(*it, &self.no_device)).collect();
        let known: Vec<Stretch> = self.ledger.gaps.iter().map(|gap| gap.at).collect();
        let new = lost.iter().flat_map(|it| outside(*it, &known));
        let new: Duration = new.map(|it| it.to.since(it.from)).sum();
        self.ledger.covered = self.ledger.covered.saturating_sub(new);
        let told = std::mem::take(&mut self.ledger.gaps).into_iter();
        let rest = told.flat_map(|Gap { at, why }| {
            outside(at, &lost).into_iter().map(move |at| Gap { at, why })
        });
        let mut gaps: Vec<Gap> = rest.collect();
        gaps.extend(lost.iter().map(|at| Gap { at: *at, why: Why::Damaged }));
        gaps.sort_unstable_by_key(|gap| gap.at);
        self.ledger.gaps = gaps;
        self
    }

    /// What an answer says of it.
    pub(crate) fn covered(&self) -> Covered {
        let lengths = self.no_device.iter().map(|it| it.to.since(it.from));
        Covered {
            percent: percent(&self.ledger),
            promised_s: self.ledger.promised.as_secs_f64(),
            covered_s: self.ledger.covered.as_secs_f64(),
            lacking: lacking(&self.ledger),
            no_device_s: lengths.sum::<Duration>().as_secs_f64(),
        }
    }

    /// Every stretch without a value in order of time with its word, those without a device
    /// included.
    pub(crate) fn all_stretches(&self) -> Vec<(Stretch, &'static str)> {
        let gaps = self.ledger.gaps.iter().map(|gap| (gap.at, word(gap.why)));
        let none = self.no_device.iter().map(|at| (*at, "no_device"));
        let mut all: Vec<(Stretch, &'static str)> = gaps.chain(none).collect();
        all.sort_unstable();
        all
    }

    /// The same; of very many the longest.
    pub(crate) fn stretches(&self) -> Vec<(Stretch, &'static str)> {
        longest_of(self.all_stretches(), |it| it.0).0
    }
}
