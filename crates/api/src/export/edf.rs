//! Waveforms as EDF+: EDF+C where a recording has no gap and its rate tells every time, else
//! EDF+D, whose records each say when they begin. Where a run of its own time begins within a
//! record, a note says when.
//!
//! Counts are exact, and so are the physical ends of a signal wherever eight characters can
//! say them; the source's own gain, offset and unit stand beside them. The least count of a
//! signal stands where no value was taken, and behind the end of a stretch that fills no whole
//! record, which a note says.

use std::io::Write as _;

use model::{Redacted, Sex, Timestamp};
use protocols::{Decimal, senml::word_of};
use signal::edf::{DataRecord, Header, Note, Signal};

use super::{
    About, ExportError, Folder, Writing, civil, csv,
    tracks::{Source, Stretch, Track, doubts_in},
    wfdb::narrow,
};
use crate::past::at_sample;

/// A record lasts at most so long, and at least the twentieth part of it.
const RECORD_S: u32 = 1;
const RECORDS_OF_A_SECOND_MAX: u32 = 20;
const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
/// The least room for notes in a record, in bytes.
const NOTES_LEN: usize = 120;

/// Writes the file of tracks that go together; one for each stretch, if records of no length
/// keep stretches apart.
pub(super) fn write(
    about: &About<'_>,
    number: usize,
    group: &[Track],
    out: &mut Folder,
    writing: &mut Writing<'_>,
) -> Result<(), ExportError> {
    let Some(first) = group.first() else { return Ok(()) };
    let rate_hz = first.source.rate_hz;
    let laid: Vec<_> = group.iter().map(|it| (it, it.stretches())).collect();
    let Some(count) = laid.first().map(|it| it.1.len()) else { return Ok(()) };
    if let Some(samples) = record_len(&first.stretches(), rate_hz) {
        let name = format!("waves{number:03}.edf");
        return File { about, group: &laid, samples }.write(&name, 0..count, out, writing);
    }
    let samples = whole_second(rate_hz);
    for stretch in 0..count {
        let name = format!("waves{number:03}_{:04}.edf", stretch.saturating_add(1));
        let file = File { about, group: &laid, samples };
        file.write(&name, stretch..stretch.saturating_add(1), out, writing)?;
    }
    Ok(())
}

fn whole_second((hz, per): (u32, u32)) -> u64 {
    u64::from(hz.saturating_mul(RECORD_S).checked_div(per.max(1)).unwrap_or(1).max(1))
}

/// The most samples of a record that lasts at most a second, whose length eight characters
/// say exactly if they can for any, and that fills every stretch; else one whose filling-up
/// reaches into no later stretch.
fn record_len(stretches: &[Stretch], rate_hz: (u32, u32)) -> Option<u64> {
    let longest = whole_second(rate_hz);
    let shortest = longest.div_ceil(RECORDS_OF_A_SECOND_MAX.into());
    let fits = |samples: &u64| {
        stretches.iter().zip(stretches.iter().skip(1)).all(|(it, next)| {
            let filled = it.all.len.div_ceil(*samples).saturating_mul(*samples);
            it.time_of(filled) <= next.all.at
        })
    };
    let is_whole = |samples: &&u64| stretches.iter().all(|it| it.all.len % **samples == 0);
    let usable: Vec<u64> = (shortest..=longest).rev().filter(fits).collect();
    let exact: Vec<u64> =
        usable.iter().copied().filter(|it| duration(*it, rate_hz).is_some()).collect();
    let usable = if exact.is_empty() { usable } else { exact };
    usable.iter().find(is_whole).or(usable.first()).copied()
}

/// The length of a record as text, if six places say it.
fn duration(samples: u64, (hz, per): (u32, u32)) -> Option<String> {
    let micros = u128::from(samples).checked_mul(per.into())?.checked_mul(1_000_000)?;
    let exact = micros.checked_rem(hz.into())? == 0;
    let micros = i64::try_from(micros.checked_div(hz.into())?).ok().filter(|_| exact)?;
    short(i128::from(micros), -6)
}

/// The length of a record as closely as eight characters say it.
fn nearly(samples: u64, (hz, per): (u32, u32)) -> String {
    #[expect(clippy::cast_precision_loss, reason = "eight characters have fewer digits")]
    let seconds = samples as f64 * f64::from(per) / f64::from(hz.max(1));
    let texts = (0..7_usize).rev().map(|places| format!("{seconds:.places$}"));
    texts.into_iter().find(|text| text.len() <= 8).unwrap_or_else(|| "99999999".to_owned())
}

/// A decimal number in at most eight characters, if it needs no more.
fn short(mut digits: i128, mut exp10: i32) -> Option<String> {
    while exp10 < 0 && digits % 10 == 0 {
        (digits, exp10) = (digits / 10, exp10.saturating_add(1));
    }
    while exp10 > 0 {
        (digits, exp10) = (digits.checked_mul(10)?, exp10.saturating_sub(1));
    }
    let mantissa = i64::try_from(digits).ok()?;
    let text = Decimal { mantissa, exp10: i8::try_from(exp10).ok()? }.to_string();
    (text.len() <= 8 && !text.contains('e')).then_some(text)
}

/// A file under work: some stretches of tracks that go together, in records of so many samples.
struct File<'a> {
    about: &'a About<'a>,
    group: &'a [(&'a Track, Vec<Stretch>)],
    samples: u64,
}

impl File<'_> {
    fn write(
        &self,
        name: &str,
        stretches: std::ops::Range<usize>,
        out: &mut Folder,
        writing: &mut Writing<'_>,
    ) -> Result<(), ExportError> {
        let Some((track, first)) = self.group.first() else { return Ok(()) };
        let own = first.get(stretches.clone()).unwrap_or_default();
        let Some(begins_at) = own.first().map(|it| it.all.at) else { return Ok(()) };
        let second = begins_at.unix_nanos().div_euclid(1_000_000_000).saturating_mul(1_000_000_000);
        let mut notes = self.notes(&stretches, second);
        let records: usize = own.iter().map(|it| self.records_of(it)).sum();
        let all: usize = notes.iter().map(Note::len_bytes).sum();
        let longest = notes.iter().map(Note::len_bytes).max().unwrap_or(0);
        // In each record as much as it takes if all take the same, and one more note.
        let room = all.div_ceil(records.max(1)).saturating_add(longest).saturating_add(32);
        let notes_len_bytes = room.max(NOTES_LEN).next_multiple_of(2);
        // Records follow each other by the length that the header says, or each by its own time.
        let has_gaps = own.len() > 1
            || own.iter().any(|it| it.marks.len() > 1)
            || duration(self.samples, track.source.rate_hz).is_none();
        let header = self.header(begins_at, has_gaps, notes_len_bytes)?;
        let (mut file, fault) = (out.create(name)?, out.fault(name));
        file.write_all(&header.encode(records)).map_err(&fault)?;
        notes.reverse();
        let mut written = 0_u64;
        for nth in stretches {
            let records = first.get(nth).map_or(0, |it| self.records_of(it));
            for number in 0..records {
                let (mut record, len) = self.record(&header, (nth, number), second)?;
                while let Some(note) = notes.pop() {
                    if !header.has_room(&record, &note) {
                        notes.push(note);
                        break;
                    }
                    record.notes.push(note);
                }
                file.write_all(&header.encode_record(&record)).map_err(&fault)?;
                written = written.saturating_add(len);
                writing.has_written(len);
            }
        }
        file.flush().map_err(&fault)?;
        let channels: Vec<&str> = self.group.iter().map(|it| &*it.0.source.channel.0).collect();
        out.wrote(name, &channels.join(" "), written);
        Ok(())
    }

    fn records_of(&self, it: &Stretch) -> usize {
        usize::try_from(it.all.len.div_ceil(self.samples.max(1))).unwrap_or(usize::MAX)
    }

    /// A record of a stretch, and how many samples of all signals it has of it.
    fn record(
        &self,
        header: &Header,
        (nth, number): (usize, usize),
        second: i64,
    ) -> Result<(DataRecord, u64), ExportError> {
        let mut record = DataRecord::default();
        let mut taken = 0_u64;
        for ((track, stretches), signal) in self.group.iter().zip(&header.signals) {
            let Some(stretch) = stretches.get(nth) else { continue };
            let run = &stretch.all;
            let from = u64::try_from(number).unwrap_or(u64::MAX).saturating_mul(self.samples);
            let len = run.len.saturating_sub(from).min(self.samples);
            let doubts = doubts_in(run, from, len);
            let mut counts = narrow(track, run, (from, len), &doubts)?;
            counts.iter_mut().for_each(|it| *it = (*it).max(signal.digital_min));
            record.samples.push(counts);
            record.onset_ns = stretch.time_of(from).unix_nanos().saturating_sub(second);
            taken = taken.saturating_add(len);
        }
        Ok((record, taken))
    }

    /// Doubtful samples of each signal, the times of runs that begin within a record, and where
    /// a record is filled up, in order of time.
    fn notes(&self, stretches: &std::ops::Range<usize>, second: i64) -> Vec<Note> {
        let mut notes = Vec::new();
        let onset = |at: Timestamp| at.unix_nanos().saturating_sub(second);
        let samples = self.samples.max(1);
        for (signal, (track, all)) in self.group.iter().enumerate() {
            for stretch in all.get(stretches.clone()).unwrap_or_default() {
                for (start, len, why) in &stretch.all.doubts {
                    let begin = stretch.time_of(*start);
                    let end = at_sample(begin, *len, track.source.rate_hz);
                    notes.push(Note {
                        onset_ns: onset(begin),
                        duration_ns: Some(end.nanos_after(begin)),
                        text: format!("signal {signal} {} {len} samples", word_of(*why)),
                    });
                }
                if signal > 0 {
                    continue;
                }
                for (place, at) in stretch.marks.iter().filter(|it| it.0 % samples > 0) {
                    let text = format!("time of sample {} of its record", place % samples);
                    notes.push(Note { onset_ns: onset(*at), duration_ns: None, text });
                }
                let len = stretch.all.len;
                let filling = len.next_multiple_of(samples).saturating_sub(len);
                if filling > 0 {
                    let text = format!("end, {filling} samples of filling follow");
                    let onset_ns = onset(stretch.end());
                    notes.push(Note { onset_ns, duration_ns: None, text });
                }
            }
        }
        notes.sort_by_key(|note| note.onset_ns);
        notes
    }

    fn header(
        &self,
        begins_at: Timestamp,
        has_gaps: bool,
        notes_len_bytes: usize,
    ) -> Result<Header, ExportError> {
        let it = civil(begins_at);
        let month = usize::try_from(it.month()).ok().and_then(|at| MONTHS.get(at.checked_sub(1)?));
        let (day, month, year) = (it.day(), month.copied().unwrap_or("JAN"), it.year());
        let source = self.group.first().map(|it| &it.0.source);
        let device = source.map(|it| it.device.to_string()).unwrap_or_default();
        let rate_hz = source.map_or((1, 1), |it| it.rate_hz);
        let mut signals = Vec::new();
        for (track, _) in self.group {
            signals.push(self.signal(track)?);
        }
        Ok(Header {
            patient: source.map_or_else(|| "X X X X".to_owned(), |it| self.patient(it)),
            recording: format!("Startdate {day:02}-{month}-{year:04} X X {device}"),
            date: format!("{day:02}.{:02}.{:02}", it.month(), year.rem_euclid(100)),
            time: format!("{:02}.{:02}.{:02}", it.hour(), it.minute(), it.second()),
            has_gaps,
            record_s: duration(self.samples, rate_hz)
                .unwrap_or_else(|| nearly(self.samples, rate_hz)),
            notes_len_bytes,
            signals,
        })
    }

    /// Code, sex, birth date and name; without names the code is our own.
    fn patient(&self, source: &Source) -> String {
        let known = source.patient.and_then(|id| self.about.stored.directory.patients.get(&id));
        let Some(patient) = known else { return "X X X X".to_owned() };
        if !self.about.wish.with_names {
            return format!("{} X X X", patient.id);
        }
        let word = |text: &str| match text.trim().replace(char::is_whitespace, "_") {
            empty if empty.is_empty() => "X".to_owned(),
            word => word,
        };
        let sex = match patient.sex {
            Sex::Female => "F",
            Sex::Male => "M",
            Sex::Other | Sex::Unknown => "X",
        };
        let born = patient.birth_date.as_ref().map_or_else(
            || "X".to_owned(),
            |Redacted(date)| {
                let month = MONTHS.get(usize::from(date.month).saturating_sub(1));
                format!("{:02}-{}-{:04}", date.day, month.unwrap_or(&"JAN"), date.year)
            },
        );
        let name = format!("{}_{}", patient.given_name.0, patient.family_name.0);
        format!("{} {sex} {born} {}", word(&patient.record_number.0), word(&name))
    }

    fn signal(&self, track: &Track) -> Result<Signal, ExportError> {
        let source = &track.source;
        let (least, greatest) = extremes(track)?;
        let ends = ends((source.gain, source.offset), least, greatest);
        let device = self.about.stored.directory.devices.get(&source.device);
        let profile = device.and_then(|it| self.about.stored.profiles.get(&it.profile));
        let lead = profile
            .and_then(|it| it.channel(&source.channel.0)?.wave()?.lead.clone())
            .map(|lead| format!("ECG {lead}"));
        Ok(Signal {
            label: lead.unwrap_or_else(|| source.channel.0.to_string()),
            transducer: source.channel.0.to_string(),
            unit: source.ucum.as_str().to_owned(),
            physical_min: ends.0.1,
            physical_max: ends.1.1,
            digital_min: ends.0.0,
            digital_max: ends.1.0,
            prefiltering: format!(
                "gain {} offset {} rate {}/{}",
                csv::number(source.gain),
                source.offset,
                source.rate_hz.0,
                source.rate_hz.1
            ),
            samples_of_record: usize::try_from(self.samples).unwrap_or(usize::MAX),
        })
    }
}

/// The least and the greatest count of a track.
fn extremes(track: &Track) -> Result<(i16, i16), ExportError> {
    const AT_ONCE: u64 = 1 << 16;
    let (mut least, mut greatest, mut place) = (0_i16, 0_i16, 0_u64);
    while place < track.len() {
        let len = track.len().saturating_sub(place).min(AT_ONCE);
        for count in track.samples(place, len)?.into_iter().flat_map(i16::try_from) {
            (least, greatest) = (least.min(count), greatest.max(count));
        }
        place = place.saturating_add(len);
    }
    Ok((least, greatest))
}

type End = (i16, String);

/// The ends of a signal's range, the least below every count: the widest that eight characters
/// say exactly, else all of 16 bits as closely as they can.
fn ends((gain, offset): ((i64, i8), i32), least: i16, greatest: i16) -> (End, End) {
    let physical = |count: i16| {
        let counts = i128::from(count).saturating_sub(offset.into());
        (counts.saturating_mul(gain.0.into()), i32::from(gain.1))
    };
    let exact = |count: i16| {
        let (digits, exp10) = physical(count);
        short(digits, exp10).map(|text| (count, text))
    };
    let low = (i16::MIN..least).find_map(exact);
    let high = (greatest..=i16::MAX).rev().find_map(exact);
    if let (Some(low), Some(high)) = (low, high)
        && low.1 != high.1
    {
        return (low, high);
    }
    let nearly = |count: i16| {
        let (digits, exp10) = physical(count);
        #[expect(clippy::cast_precision_loss, reason = "eight characters have fewer digits")]
        let value = digits as f64 * 10_f64.powi(exp10);
        let texts = (0..8_usize).rev().map(|places| format!("{value:.places$}"));
        let text = texts.into_iter().find(|text| text.len() <= 8);
        (
            count,
            text.unwrap_or_else(|| if value < 0.0 { "-9999999" } else { "99999999" }.to_owned()),
        )
    };
    (nearly(i16::MIN), nearly(i16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_a_signal_are_exact_where_eight_characters_can_say_them() {
        let check = |gain, offset, counts: (i16, i16), want: (i16, &str, i16, &str)| {
            let ((low, low_text), (high, high_text)) = ends((gain, offset), counts.0, counts.1);
            assert_eq!(
                (low, low_text.as_str(), high, high_text.as_str()),
                want,
                "{gain:?} {offset}"
            );
        };
        check((5, -3), 0, (-400, 400), (-32_768, "-163.84", 32_767, "163.835"));
        check((1, 0), 1_024, (0, 2_047), (-32_768, "-33792", 32_767, "31743"));
        // -32768 × 0.00244 is -79.95392, nine characters; so the range is a little narrower.
        check((244, -5), 0, (-400, 400), (-32_765, "-79.9466", 32_767, "79.95148"));
        // A third has no end.
        check((333_333_333, -9), 1, (-32_767, 32_767), (-32_768, "-10923.0", 32_767, "10922.00"));
    }

    #[test]
    fn a_record_lasts_what_eight_characters_say_exactly() {
        for (samples, rate, text) in [
            (250, (250, 1), Some("1")),
            (1, (250, 1), Some("0.004")),
            (360, (360, 1), Some("1")),
            (1, (360, 1), None),
            (9, (360, 1), Some("0.025")),
            (125, (125, 2), Some("2")),
        ] {
            assert_eq!(duration(samples, rate).as_deref(), text, "{samples} of {rate:?}");
        }
    }
}
