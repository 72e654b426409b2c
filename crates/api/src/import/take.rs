//! Takes a part of an import: what is not told well is refused, what is there is left out, and
//! the rest is journalled. Nothing of it reaches anybody but the series.

use std::ops::Range;

use model::{Channel, Code, Device, ImportId, MissingReason, Timestamp, Ucum, UserId};
use protocols::{Decimal, profile::Profile};
use record::{Imported, ImportedDoubt, ImportedPoint, ImportedValues, ImportedWave};
use store::{DatabaseError, Invalid, Marks, Question, Series, Stretch, WaveSpan};

use super::{
    known::{Fresh, Met, lacking, meet, near},
    part::{Doubt, Part, PartTaken, Point, Refused, Values, Wave, reason_of},
};
use crate::{
    limits::{
        IMPORT_COMPARED_MAX, IMPORT_DOUBTS_MAX, IMPORT_POINTS_MAX, IMPORT_RATE_MAX_HZ,
        IMPORT_SAMPLES_MAX, IMPORT_STRETCH_SAMPLES_MAX, IMPORT_STRETCHES_MAX, IMPORT_TEXT_LEN_MAX,
    },
    past::at_sample,
};

/// What a part is compared with.
pub(crate) struct Compared<'a> {
    pub(crate) series: &'a Series,
    pub(crate) device: &'a Device,
    pub(crate) profile: Option<&'a Profile>,
    /// Nothing was measured later.
    pub(crate) now: Timestamp,
}

/// A part that was looked through.
pub(crate) struct Taken {
    /// For whoever sent it.
    pub(crate) told: PartTaken,
    pub(crate) values: Vec<ImportedValues>,
    pub(crate) waves: Vec<ImportedWave>,
}

impl Taken {
    /// Whether nothing of it is new.
    pub(crate) const fn is_empty(&self) -> bool {
        self.values.is_empty() && self.waves.is_empty()
    }

    /// The record of what is new.
    pub(crate) fn record(
        self,
        (import, by): (ImportId, UserId),
        device: &Device,
        part: &Part,
        sha256: [u8; 32],
    ) -> Imported {
        Imported {
            import,
            by,
            device: device.id,
            file: part.source.file.clone(),
            sha256,
            form: part.source.form.clone(),
            values: self.values,
            waves: self.waves,
        }
    }
}

/// Why a part as a whole is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TakeError {
    #[error(
        "a part has at most {IMPORT_POINTS_MAX} values, {IMPORT_SAMPLES_MAX} samples, \
         {IMPORT_STRETCHES_MAX} stretches and {IMPORT_DOUBTS_MAX} doubts"
    )]
    TooMuch,
    #[error("so much of it lies at the same time that it cannot be compared; send less at once")]
    TooClose,
    #[error("the series cannot be read")]
    Series(#[from] DatabaseError),
}

/// Of what series something is.
#[derive(Clone)]
struct Of {
    question: Question,
    code: Option<Code>,
    ucum: Ucum,
}

impl Of {
    fn is_same<T>(&self, stretch: &Stretch<T>) -> bool {
        (stretch.kind, &stretch.ucum) == (self.code, &self.ucum)
    }
}

/// Looks through a part.
pub(crate) fn take(with: &Compared<'_>, part: &Part) -> Result<Taken, TakeError> {
    let points: usize = part.values.iter().map(|it| it.points.len()).sum();
    let samples: usize = part.waves.iter().map(|it| it.samples.len()).sum();
    let parts = part.values.len().saturating_add(part.waves.len());
    let doubts: usize = part.waves.iter().map(|it| it.doubts.len()).sum();
    if points.saturating_add(parts) > IMPORT_POINTS_MAX
        || samples > IMPORT_SAMPLES_MAX
        || part.waves.len() > IMPORT_STRETCHES_MAX
        || doubts > IMPORT_DOUBTS_MAX
    {
        return Err(TakeError::TooMuch);
    }
    let told = PartTaken::default();
    let mut taken = Taken { told, values: Vec::new(), waves: Vec::new() };
    for (at, values) in part.values.iter().enumerate() {
        taken.take_values(with, at, values)?;
    }
    let (mut fresh, mut left) = (Vec::new(), IMPORT_COMPARED_MAX);
    for (at, wave) in part.waves.iter().enumerate() {
        taken.take_wave(with, (at, wave), &mut fresh, &mut left)?;
    }
    Ok(taken)
}

impl Taken {
    fn refuse(&mut self, is_wave: bool, place: usize, point: Option<usize>, why: String) {
        self.told.refused.push(Refused { is_wave, place, point, why });
    }

    fn refuse_value(&mut self, place: usize, point: usize, why: String) {
        self.told.counts.values_refused += 1;
        self.refuse(false, place, Some(point), why);
    }

    fn take_values(
        &mut self,
        with: &Compared<'_>,
        at: usize,
        values: &Values,
    ) -> Result<(), TakeError> {
        let all = count(values.points.len());
        let of = match with.series_of(&values.channel, (&values.code, &values.unit)) {
            Ok(of) => of,
            Err(why) => {
                self.told.counts.values_refused += all;
                self.refuse(false, at, None, why);
                return Ok(());
            }
        };
        let mut good = Vec::with_capacity(values.points.len());
        for (number, point) in values.points.iter().enumerate() {
            match value_of(point, with.now) {
                // There is nothing to bring in, wherever it goes.
                Ok(Err(MissingReason::Withdrawn)) => self.told.counts.values_there += 1,
                Ok(value) => good.push((number, Timestamp::from_unix_nanos(point.at_ns), value)),
                Err(why) => self.refuse_value(at, number, why),
            }
        }
        let asked: Vec<_> = good.iter().map(|(_, at, value)| (*at, *value)).collect();
        let met = meet(with.series, &of.question, |it| of.is_same(it), &asked)?;
        let mut points = Vec::new();
        for ((number, when, value), met) in good.into_iter().zip(met) {
            match met {
                Met::There => self.told.counts.values_there += 1,
                Met::Other => {
                    let why = "that instant has another value; a correction can say otherwise";
                    self.refuse_value(at, number, why.to_owned());
                }
                Met::New => {
                    self.told.counts.values_taken += 1;
                    points.push(ImportedPoint { at: when, value });
                }
            }
        }
        if !points.is_empty() {
            let Of { question, code, ucum } = of;
            self.values.push(ImportedValues { channel: question.channel, code, ucum, points });
        }
        Ok(())
    }

    fn take_wave(
        &mut self,
        with: &Compared<'_>,
        (at, wave): (usize, &Wave),
        fresh: &mut Vec<(Of, Fresh)>,
        left: &mut u64,
    ) -> Result<(), TakeError> {
        let all = count(wave.samples.len());
        let of = with.series_of(&wave.channel, (&wave.code, &wave.unit));
        let (of, new) = match of.and_then(|of| Ok((of, span_of(wave, with.now)?))) {
            Ok(found) => found,
            Err(why) => {
                self.told.counts.samples_refused += all;
                self.refuse(true, at, None, why);
                return Ok(());
            }
        };
        let mut old = near(with.series, &of.question, |it| of.is_same(it), &new)?;
        // A stretch that stands twice in one part is taken once.
        let is_own = |it: &Of| {
            it.question.channel == of.question.channel && (it.code, &it.ucum) == (of.code, &of.ucum)
        };
        let place = fresh.iter().position(|(it, _)| is_own(it));
        let place = place.unwrap_or_else(|| {
            fresh.push((of.clone(), Fresh::default()));
            fresh.len().saturating_sub(1)
        });
        let own = fresh.get(place).map(|(_, own)| own.near(&new).cloned());
        old.extend(own.into_iter().flatten());
        old.sort_by_key(|it| it.at);
        let mut taken = 0;
        for rest in lacking(&new, &old, left).ok_or(TakeError::TooClose)? {
            let span = cut(&new, rest);
            taken += count(span.samples.len());
            self.waves.push(record_of(&of, &span));
            if let Some((_, own)) = fresh.get_mut(place) {
                own.put(span);
            }
        }
        self.told.counts.samples_taken += taken;
        self.told.counts.samples_there += all.saturating_sub(taken);
        Ok(())
    }
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

impl Compared<'_> {
    /// The series of a channel, by what is said of it and else by the device's profile.
    fn series_of(
        &self,
        channel: &str,
        (code, unit): (&Option<String>, &Option<String>),
    ) -> Result<Of, String> {
        let is_name = |text: &str| {
            !text.is_empty()
                && text.len() <= IMPORT_TEXT_LEN_MAX
                && text.chars().all(|it| it.is_ascii_graphic())
        };
        if !is_name(channel) || channel.starts_with("wardline/") {
            return Err("the channel's name is none that a device could have".to_owned());
        }
        let spec = self.profile.and_then(|profile| profile.channel(channel));
        let code = match code {
            Some(text) => {
                Some(code_of(text).ok_or("the code is neither like MDC 147842 nor LOINC 2339-0")?)
            }
            None => spec.map(|spec| spec.code),
        };
        let ucum = match (unit, spec) {
            (Some(unit), _) if !is_name(unit) => return Err("the unit is none of UCUM".to_owned()),
            (Some(unit), Some(spec)) => spec.unit(unit).cloned().unwrap_or_else(|| Ucum::new(unit)),
            (Some(unit), None) => Ucum::new(unit),
            (None, Some(spec)) => spec.ucum.clone(),
            (None, None) => {
                return Err("the device's profile has no such channel, and no unit is said".into());
            }
        };
        let (org, device) = (self.device.org, self.device.id);
        let (from, to) = (Timestamp::default(), Timestamp::default());
        let question = Question { org, device, channel: Channel::from(channel), from, to };
        Ok(Of { question, code, ucum })
    }
}

/// A code as exports spell it.
fn code_of(text: &str) -> Option<Code> {
    if let Some(number) = text.strip_prefix("MDC ") {
        return number.parse().ok().map(Code::Mdc);
    }
    let (number, check) = text.strip_prefix("LOINC ")?.split_once('-')?;
    Some(Code::Loinc(number.parse().ok()?, check.parse().ok().filter(|it| *it < 10)?))
}

/// The time of something measured: not before 1970, and not after now.
fn check_time(at: Timestamp, now: Timestamp) -> Result<(), String> {
    if at < Timestamp::default() {
        return Err("its time lies before 1970".to_owned());
    }
    if at > now {
        return Err("its time lies in the future".to_owned());
    }
    Ok(())
}

fn value_of(point: &Point, now: Timestamp) -> Result<Result<(i64, i8), MissingReason>, String> {
    check_time(Timestamp::from_unix_nanos(point.at_ns), now)?;
    match (&point.value, &point.missing) {
        (Some(text), None) => {
            let read = Decimal::parse(text).ok_or("the value is no decimal number that fits")?;
            Ok(Ok((read.mantissa, read.exp10)))
        }
        (None, Some(word)) => {
            reason_of(word).map(Err).ok_or_else(|| "the reason is none that is known".to_owned())
        }
        (Some(_), Some(_)) | (None, None) => {
            Err("it has neither a value nor a reason, or both".to_owned())
        }
    }
}

fn span_of(wave: &Wave, now: Timestamp) -> Result<WaveSpan, String> {
    let (hz, per) = wave.rate_hz;
    let most = u64::from(IMPORT_RATE_MAX_HZ).saturating_mul(per.into());
    if hz == 0 || per == 0 || u64::from(hz) > most {
        return Err(format!("the rate is not between 0 and {IMPORT_RATE_MAX_HZ} Hz"));
    }
    if wave.samples.is_empty() || wave.samples.len() > IMPORT_STRETCH_SAMPLES_MAX {
        return Err(format!("a stretch has 1 to {IMPORT_STRETCH_SAMPLES_MAX} samples"));
    }
    let gain = Decimal::parse(&wave.gain).filter(|it| it.mantissa != 0);
    let gain = gain.ok_or("the gain is no decimal number other than 0")?;
    let at = Timestamp::from_unix_nanos(wave.at_ns);
    check_time(at, now)?;
    check_time(at_sample(at, wave.samples.len(), wave.rate_hz), now)?;
    let doubts: Result<Vec<Invalid>, String> =
        wave.doubts.iter().map(|doubt| invalid(doubt, wave.samples.len())).collect();
    Ok(WaveSpan {
        at,
        received_at: now,
        rate_hz: wave.rate_hz,
        gain: (gain.mantissa, gain.exp10),
        offset: wave.offset,
        samples: wave.samples.as_slice().into(),
        invalid: doubts?.into(),
        marks: Marks::OF_A_FILE,
    })
}

fn invalid(doubt: &Doubt, samples: usize) -> Result<Invalid, String> {
    let Doubt { start, len, reason } = doubt;
    let end = usize::try_from(u64::from(*start).saturating_add((*len).into()));
    if *len == 0 || end.map_or(true, |end| end > samples) {
        return Err("a doubt lies outside of its stretch".to_owned());
    }
    let known = [
        MissingReason::SensorDetached,
        MissingReason::OutOfRange,
        MissingReason::PoorSignal,
        MissingReason::NotMeasured,
        MissingReason::Withdrawn,
    ];
    let reason = reason_of(reason).filter(|it| known.contains(it));
    let reason = reason.ok_or("the reason of a doubt is none that a waveform can have")?;
    Ok(Invalid { start: *start, len: *len, reason })
}

/// A part of a stretch, by its places in it.
fn cut(span: &WaveSpan, range: Range<usize>) -> WaveSpan {
    let narrow = |it: &Invalid| {
        let from = usize::try_from(it.start).ok()?.max(range.start);
        let to = usize::try_from(it.start.saturating_add(it.len)).ok()?.min(range.end);
        let start = u32::try_from(from.checked_sub(range.start)?).ok()?;
        let len = u32::try_from(to.checked_sub(from)?).ok().filter(|len| *len > 0)?;
        Some(Invalid { start, len, reason: it.reason })
    };
    WaveSpan {
        at: at_sample(span.at, range.start, span.rate_hz),
        invalid: span.invalid.iter().filter_map(narrow).collect(),
        samples: span.samples.get(range).unwrap_or_default().into(),
        ..span.clone()
    }
}

fn record_of(of: &Of, span: &WaveSpan) -> ImportedWave {
    let doubt = |it: &Invalid| {
        // Whoever withdrew it did so elsewhere: here its counts mean nothing from the beginning.
        let reason = match it.reason {
            MissingReason::Withdrawn => MissingReason::NotMeasured,
            other => other,
        };
        ImportedDoubt { start: it.start, len: it.len, reason }
    };
    ImportedWave {
        channel: of.question.channel.clone(),
        code: of.code,
        ucum: of.ucum.clone(),
        at: span.at,
        rate_hz: span.rate_hz,
        gain: span.gain,
        offset: span.offset,
        samples: span.samples.to_vec(),
        doubts: span.invalid.iter().map(doubt).collect(),
    }
}

#[test]
fn what_was_withdrawn_brings_no_value_and_what_is_too_much_or_too_close_is_refused() {
    use super::part::Source;
    let folder = tempfile::tempdir().unwrap();
    let series = Series::open(folder.path().join("series.sqlite")).unwrap();
    let at = Timestamp::from_unix_millis(1_790_000_000_000);
    let device = Device {
        id: model::DeviceId::v7(at, 1),
        org: model::OrgId::v7(at, 1),
        site: model::SiteId::v7(at, 1),
        care_unit: None,
        profile: "none".to_owned(),
        serial: "1".to_owned(),
        label: "1".to_owned(),
        lifecycle: model::Lifecycle::InService,
    };
    let with = Compared { series: &series, device: &device, profile: None, now: at };
    let point = Point { at_ns: 1, value: None, missing: Some("withdrawn".to_owned()) };
    let (channel, unit) = ("a".to_owned(), Some("mV".to_owned()));
    let values =
        Values { channel: channel.clone(), code: None, unit: unit.clone(), points: vec![point] };
    let doubt = Doubt { start: 1, len: 2, reason: "withdrawn".to_owned() };
    let wave = Wave {
        channel,
        code: None,
        unit,
        at_ns: 1,
        rate_hz: (250, 1),
        gain: "0.005".to_owned(),
        offset: 0,
        samples: vec![7; 4],
        doubts: vec![doubt],
    };
    let source = Source { file: "a".to_owned(), form: "csv".to_owned(), sha256: String::new() };
    let part = Part { import: None, source, values: vec![values], waves: vec![wave.clone()] };
    let taken = take(&with, &part).unwrap();
    assert_eq!((taken.told.counts.values_there, taken.told.counts.samples_taken), (1, 4));
    assert!(taken.told.refused.is_empty() && taken.values.is_empty());
    let reason = MissingReason::NotMeasured;
    assert_eq!(taken.waves[0].doubts, [ImportedDoubt { start: 1, len: 2, reason }]);
    let of = |waves: Vec<Wave>| take(&with, &Part { waves, ..part.clone() }).map(drop);
    let plain = Wave { doubts: Vec::new(), ..wave.clone() };
    let many = vec![Wave { samples: vec![7], ..plain }; IMPORT_STRETCHES_MAX + 1];
    assert!(matches!(of(many), Err(TakeError::TooMuch)));
    let doubts = vec![wave.doubts[0].clone(); IMPORT_DOUBTS_MAX + 1];
    assert!(matches!(of(vec![Wave { doubts, ..wave }]), Err(TakeError::TooMuch)));
}
