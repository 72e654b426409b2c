//! A recording with gaps as WFDB writes it: a header over all, a layout, and a segment of
//! format 16 for each stretch without a gap.
//!
//! What the format has no field for, such as a gain that is no finite decimal, stands in
//! comments of the segments, in the words of whoever writes.

use std::fmt::Write as _;

use super::Format;

/// A signal of a recording as its header describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Described {
    /// Counts per unit.
    pub gain_adu_per_unit: f64,
    /// The count at physical zero.
    pub baseline: i32,
    /// The physical unit.
    pub unit: String,
    /// What was measured, such as the channel's name.
    pub description: String,
}

/// What all segments of a recording share.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// Its name: letters, digits, `-` and `_`.
    pub name: String,
    /// Samples per second of each signal, as decimal text in Hz.
    pub rate_hz: String,
    /// The signals, in the order in which their samples alternate.
    pub signals: Vec<Described>,
}

/// A segment, or nothing for so many samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// A record of this name with so many samples of each signal.
    There(String, u64),
    /// So many samples of time without a record.
    Gap(u64),
}

impl Recording {
    /// The header over all segments; `begins` is time and date as WFDB spells them.
    pub fn master(&self, begins: &str, segments: &[Segment]) -> String {
        let len = |it: &Segment| match it {
            Segment::There(_, len) | Segment::Gap(len) => *len,
        };
        let (count, whole) =
            (segments.len().saturating_add(1), segments.iter().map(len).sum::<u64>());
        let (name, signals, rate) = (&self.name, self.signals.len(), &self.rate_hz);
        // Writing into a string cannot fail.
        let mut text = format!("{name}/{count} {signals} {rate} {whole} {begins}\n");
        let _ = writeln!(text, "{} 0", self.layout_name());
        for segment in segments {
            let _ = match segment {
                Segment::There(name, len) => writeln!(text, "{name} {len}"),
                Segment::Gap(len) => writeln!(text, "~ {len}"),
            };
        }
        text
    }

    /// The name of the layout, a record without samples that describes every signal.
    pub fn layout_name(&self) -> String {
        format!("{}_layout", self.name)
    }

    /// The layout's header.
    pub fn layout(&self) -> String {
        let mut text =
            format!("{} {} {} 0\n", self.layout_name(), self.signals.len(), self.rate_hz);
        for signal in &self.signals {
            let Described { gain_adu_per_unit, baseline, unit, description } = signal;
            let gain = format!("{gain_adu_per_unit}({baseline})/{}", spelled(unit));
            let _ = writeln!(text, "~ 0 {gain} 16 0 0 0 0 {description}");
        }
        text
    }

    /// A segment's header and its samples; all signals have as many samples as the first.
    pub fn segment(
        &self,
        name: &str,
        begins: &str,
        counts: &[Vec<i16>],
        comments: &[String],
    ) -> (String, Vec<u8>) {
        let len = counts.iter().map(Vec::len).min().unwrap_or(0);
        let mut text = format!("{name} {} {} {len} {begins}\n", self.signals.len(), self.rate_hz);
        for (signal, counts) in self.signals.iter().zip(counts) {
            let Described { gain_adu_per_unit, baseline, unit, description } = signal;
            let initial = counts.first().copied().unwrap_or(0);
            let sum = counts.iter().take(len).fold(0_i16, |sum, it| sum.wrapping_add(*it));
            let gain = format!("{gain_adu_per_unit}({baseline})/{}", spelled(unit));
            let _ = writeln!(text, "{name}.dat 16 {gain} 16 0 {initial} {sum} 0 {description}");
        }
        for comment in comments {
            let _ = writeln!(text, "# {comment}");
        }
        let frames = (0..len).flat_map(|at| counts.iter().filter_map(move |it| it.get(at)));
        (text, frames.flat_map(|count| count.to_le_bytes()).collect())
    }
}

/// Whether a count can stand in format 16 and means itself there.
pub fn fits_format_16(count: i32) -> bool {
    i16::try_from(count).is_ok_and(|count| count != Format::Bits16.missing())
}

/// A unit without the characters that end its field or that readers do not expect.
fn spelled(unit: &str) -> String {
    let known = |it: &char| it.is_ascii_alphanumeric() || "_^-?%/".contains(*it);
    let text: String = unit.chars().filter(known).collect();
    if text.is_empty() { "NU".to_owned() } else { text }
}

/// The segments that a header over several names, or `None` if it is of one segment.
///
/// Layouts are left out: they hold no samples.
pub fn segments(text: &str) -> Option<Vec<Segment>> {
    let mut lines = text.lines().map(str::trim).filter(|it| !it.is_empty() && !it.starts_with('#'));
    let (_, count) = lines.next()?.split_whitespace().next()?.split_once('/')?;
    let count: usize = count.parse().ok()?;
    let segment = |line: &str| {
        let (name, len) = line.split_once(char::is_whitespace)?;
        let len = len.trim().parse().ok()?;
        Some(if name == "~" { Segment::Gap(len) } else { Segment::There(name.to_owned(), len) })
    };
    let found: Vec<Segment> = lines.take(count).filter_map(segment).collect();
    let holds_samples = |it: &Segment| !matches!(it, Segment::There(_, 0));
    (found.len() == count).then(|| found.into_iter().filter(holds_samples).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{Header, samples},
        *,
    };

    fn recording(signals: usize) -> Recording {
        let described = |at: usize| Described {
            gain_adu_per_unit: 200.0,
            baseline: -7,
            unit: "mm[Hg]".to_owned(),
            description: format!("LEAD_{at}"),
        };
        Recording {
            name: "r1".to_owned(),
            rate_hz: "250".to_owned(),
            signals: (0..signals).map(described).collect(),
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            counts in prop::collection::vec(prop::collection::vec(-32_767_i16..=32_767, 40), 1..4),
            len in 0_usize..40,
        ) {
            let counts: Vec<Vec<i16>> =
                counts.into_iter().map(|it| it.into_iter().take(len).collect()).collect();
            let written = recording(counts.len());
            let (text, bytes) = written.segment("r1_1", "10:00:00 21/11/2026", &counts, &[]);
            let header = Header::parse(&text).unwrap();
            prop_assert_eq!(header.signals.len(), counts.len());
            let first = &header.signals[0];
            prop_assert_eq!(
                (first.gain_adu_per_unit, first.baseline, first.unit.as_str()),
                (200.0, -7, "mmHg")
            );
            if len > 0 {
                prop_assert_eq!(samples(&header, &bytes).unwrap(), counts);
            }
        }
    }

    #[test]
    fn a_header_over_segments_names_them_and_the_gaps() {
        let parts = [
            Segment::There("r1_1".to_owned(), 500),
            Segment::Gap(30),
            Segment::There("r1_2".to_owned(), 250),
        ];
        let text = recording(2).master("10:00:00 21/11/2026", &parts);
        assert_eq!(
            text,
            "r1/4 2 250 780 10:00:00 21/11/2026\nr1_layout 0\nr1_1 500\n~ 30\nr1_2 250\n"
        );
        assert_eq!(segments(&text).unwrap(), parts);
        assert_eq!(segments("r1 2 250 780\n"), None);
        assert_eq!(segments("r1/3 2 250 780\nr1_1 5\n"), None, "one is announced and not there");
    }

    #[test]
    fn the_mark_for_nothing_is_no_count() {
        for (count, fits) in [
            (-32_769, false),
            (-32_768, false),
            (-32_767, true),
            (0, true),
            (32_767, true),
            (32_768, false),
        ] {
            assert_eq!(fits_format_16(count), fits, "{count}");
        }
    }
}
