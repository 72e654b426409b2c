//! Waveforms of parts: what the profile promises of them, and while they were there.

use std::time::Duration;

use fleet::coverage::{Stretch, ledger};
use store::{DatabaseError, WaveDetail, WaveThere};

use super::{Absences, Kept, Part, Source, evidence, on_of};
use crate::{dto::history::ChannelCoverage, limits::WAVE_BLOCKS_SPAN_MAX, past::Span};

/// Stretches of a waveform that lie apart by no more are one where it is told what is there.
const JOIN: Duration = Duration::from_millis(250);

impl Source {
    /// What these parts promised of waveforms and what came of it; `outages` are the program's
    /// own. Over a long range only the times of what is sealed are looked at.
    pub(crate) fn wave_coverage(
        &self,
        parts: &[Part],
        asked: Span,
        outages: &[Stretch],
    ) -> Result<Vec<ChannelCoverage>, DatabaseError> {
        let is_coarse = asked.to.since(asked.from) > WAVE_BLOCKS_SPAN_MAX;
        let detail = if is_coarse { WaveDetail::Chunks } else { WaveDetail::Blocks };
        let mut channels = Vec::new();
        for part in parts {
            let waveforms = self.waveforms(part.device);
            if waveforms.is_empty() {
                continue;
            }
            let (links, on) = (self.links(part.device, asked)?, on_of(part, asked));
            for (spec, rate_hz) in waveforms {
                let (mut there, mut kept) = (Vec::new(), Kept::default());
                for it in &on {
                    let span = Span { from: it.from, to: it.to };
                    let question = self.question(part.device, spec.channel(), span);
                    let (found, damaged) = self.series.wave_there(&question, detail, JOIN)?;
                    there.extend(found);
                    kept.lacks(&damaged, span, JOIN);
                }
                (kept.covered, kept.said) = present(there.into_iter());
                let found = ledger(&evidence((asked, &on), &kept, &links, outages));
                let channel = self.channel(part, (spec, cadence(rate_hz)), found);
                channels.push(ChannelCoverage { is_waveform: true, is_coarse, ..channel });
            }
        }
        Ok(channels)
    }
}

/// How long one sample counts.
pub(crate) fn cadence((numerator, denominator): (u32, u32)) -> Duration {
    Duration::from_secs_f64(f64::from(denominator) / f64::from(numerator.max(1)))
}

/// While there was a signal, and when and why there was none.
pub(crate) fn present(there: impl Iterator<Item = WaveThere>) -> (Vec<Stretch>, Absences) {
    let (mut stretches, mut said) = (Vec::new(), Vec::new());
    for WaveThere { from, to, doubts } in there {
        let mut from = from;
        for (begin, end, why) in doubts {
            said.push((begin, why));
            if from < begin {
                stretches.push(Stretch { from, to: begin });
            }
            from = from.max(end);
        }
        if from < to {
            stretches.push(Stretch { from, to });
        }
    }
    stretches.sort_unstable();
    said.sort_by_key(|it| it.0);
    let mut joined: Vec<Stretch> = Vec::new();
    for next in stretches {
        let is_said = |last: &Stretch| {
            let first = said.partition_point(|it| it.0 < last.to);
            said.get(first).is_some_and(|it| it.0 < next.from)
        };
        match joined.last_mut() {
            Some(last) if next.from <= last.to => last.to = last.to.max(next.to),
            Some(last) if next.from.since(last.to) <= JOIN && !is_said(last) => last.to = next.to,
            _ => joined.push(next),
        }
    }
    (joined, said)
}
