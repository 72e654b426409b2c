//! The past of devices as columns, and how much of what was promised is there.
//!
//! A question becomes parts first: which device, while it was on whom, as known at an
//! instant. Everything else is asked of the series part by part, so that nobody sees a
//! second of a patient whom the question, or the policy, leaves out.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use engine::{Directory, LINK_CHANNEL};
use fleet::coverage::{Evidence, Gap, Ledger, Link, Stretch, Why, ledger};
use model::{
    BedId, Channel, Code, DeviceId, Measure, MissingReason, OrgId, PatientId, PlaceId, Subject,
    Timestamp, Ucum, Vital,
};
use protocols::profile::{ChannelSpec, NumericSpec, Profile};
use store::{
    Column, DamagedSpan, DatabaseError, Pace, Question, Resolution, Roll, RollRule, Series,
    SeriesKey,
};

use crate::{
    dto::{
        bed::Named,
        history::{ChannelCoverage, ChannelName, HistoryLine, Lacking, Measuring, ReasonedGap},
        words::{Spelt as _, label, number, unit},
    },
    limits::{GAPS_MAX, HISTORY_LINK_BEFORE, HISTORY_STRETCH},
    past::{Span, worn, worn_of},
    rolls::{MISSED, roll_rule, usual_range},
};

mod presence;
mod vitals;

pub(crate) use presence::{cadence, present};
pub(crate) use vitals::VitalLedger;

#[cfg(test)]
mod tests;

/// A device while it was on one patient, or on none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) device: DeviceId,
    pub(crate) patient: Option<PatientId>,
    pub(crate) spans: Vec<Span>,
}

/// The devices that measured a patient, and when.
pub(crate) fn parts_of_patient(
    directory: &Directory,
    patient: PatientId,
    span: Span,
    known_at: Timestamp,
) -> Vec<Part> {
    let part = |(device, spans)| Part { device, patient: Some(patient), spans };
    worn(directory, patient, span, known_at).into_iter().map(part).collect()
}

/// The patient whom a device measured at an instant, by what was known at another.
fn worn_by(
    directory: &Directory,
    device: DeviceId,
    at: Timestamp,
    known_at: Timestamp,
) -> Option<PatientId> {
    match directory.who(device, at, known_at) {
        Subject::Patient(patient) => Some(patient),
        Subject::Place(_) | Subject::Nobody => None,
    }
}

/// By all that is known.
const KNOWN_NOW: Timestamp = Timestamp::from_unix_nanos(i64::MAX);

fn changes_of(directory: &Directory, device: DeviceId) -> impl Iterator<Item = Timestamp> {
    directory.associations.get(&device).into_iter().flatten().map(|line| line.from)
}

/// Whom or what a device measured, by all that is known now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Met {
    Nobody,
    Patient(PatientId),
    /// It stood there, and somebody lay there if it is a bed.
    Place(PlaceId, Option<PatientId>),
}

fn met_by(directory: &Directory, device: DeviceId, at: Timestamp) -> Met {
    match directory.who(device, at, KNOWN_NOW) {
        Subject::Patient(patient) => Met::Patient(patient),
        Subject::Place(place) => {
            let bed = BedId::from_uuid(place.uuid()).ok();
            Met::Place(place, bed.and_then(|bed| directory.encounter_at(bed, at, KNOWN_NOW)))
        }
        Subject::Nobody => Met::Nobody,
    }
}

/// Where a device was ever said to stand.
pub(crate) fn places_of(directory: &Directory, device: DeviceId) -> BTreeSet<PlaceId> {
    let place = |subject| match subject {
        Subject::Place(place) => Some(place),
        Subject::Patient(_) | Subject::Nobody => None,
    };
    let history = directory.associations.get(&device).into_iter().flatten();
    history.filter_map(|line| place(line.value)).collect()
}

/// When a device came to somebody or somewhere, or somebody to a bed where it ever stood.
fn all_changes_of(directory: &Directory, device: DeviceId) -> Vec<Timestamp> {
    let mut changes: Vec<Timestamp> = changes_of(directory, device).collect();
    for place in places_of(directory, device) {
        let bed = BedId::from_uuid(place.uuid()).ok();
        let lay = bed.and_then(|bed| directory.encounters.get(&bed)).into_iter().flatten();
        changes.extend(lay.map(|line| line.from));
    }
    changes
}

/// The parts, each divided by whom or what its device measured by all that is known now: an
/// earlier time chooses whose a value is called, never who may see it.
pub(crate) fn by_all_known(directory: &Directory, parts: Vec<Part>) -> Vec<(Part, Met)> {
    let mut divided: Vec<(Part, Met)> = Vec::new();
    for Part { device, patient, spans } in parts {
        let of_this = divided.len();
        let changes = all_changes_of(directory, device);
        for span in spans {
            for piece in pieces(span, changes.iter().copied()) {
                let now = met_by(directory, device, piece.from);
                match divided.iter_mut().skip(of_this).find(|(_, it)| *it == now) {
                    Some((part, _)) => push_span(&mut part.spans, piece),
                    None => divided.push((Part { device, patient, spans: vec![piece] }, now)),
                }
            }
        }
    }
    divided
}

/// Puts a part to those of the same device and patient.
pub(crate) fn put_together(parts: &mut Vec<Part>, part: Part) {
    let same = |it: &&mut Part| (it.device, it.patient) == (part.device, part.patient);
    let Some(known) = parts.iter_mut().find(same) else { return parts.push(part) };
    let mut spans = std::mem::take(&mut known.spans);
    spans.extend(part.spans);
    spans.sort_by_key(|span| span.from);
    spans.into_iter().for_each(|span| push_span(&mut known.spans, span));
}

/// Since when a device has been on whom it was on at an instant.
fn on_since(
    directory: &Directory,
    device: DeviceId,
    at: Timestamp,
    known_at: Timestamp,
) -> Option<Timestamp> {
    let whom = worn_by(directory, device, at, known_at);
    let mut edges: Vec<Timestamp> =
        changes_of(directory, device).filter(|edge| *edge <= at).collect();
    edges.sort_unstable();
    let is_same = |edge: &Timestamp| worn_by(directory, device, *edge, known_at) == whom;
    edges.into_iter().rev().take_while(is_same).last()
}

/// The pieces of a range between the instants at which something may change.
fn pieces(span: Span, changes: impl Iterator<Item = Timestamp>) -> Vec<Span> {
    let mut edges: Vec<Timestamp> = changes.chain([span.from, span.to]).collect();
    edges.retain(|at| (span.from..=span.to).contains(at));
    edges.sort_unstable();
    edges.dedup();
    edges.iter().zip(edges.iter().skip(1)).map(|(from, to)| Span { from: *from, to: *to }).collect()
}

fn push_span(spans: &mut Vec<Span>, piece: Span) {
    match spans.last_mut() {
        Some(last) if last.to == piece.from => last.to = piece.to,
        _ => spans.push(piece),
    }
}

/// Whom a device measured, and when.
pub(crate) fn parts_of_device(
    directory: &Directory,
    device: DeviceId,
    span: Span,
    known_at: Timestamp,
) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for piece in pieces(span, changes_of(directory, device)) {
        let patient = worn_by(directory, device, piece.from, known_at);
        match parts.iter_mut().find(|part| part.patient == patient) {
            Some(part) => push_span(&mut part.spans, piece),
            None => parts.push(Part { device, patient, spans: vec![piece] }),
        }
    }
    parts
}

/// Who lay in these beds, and when each device measured them there.
pub(crate) fn parts_of_beds(
    directory: &Directory,
    beds: &[BedId],
    span: Span,
    known_at: Timestamp,
) -> Vec<Part> {
    // Of a whole site only those devices are asked that were ever said to be on a patient.
    let mut ever_on: BTreeMap<PatientId, BTreeSet<DeviceId>> = BTreeMap::new();
    for (device, history) in &directory.associations {
        for line in history {
            if let Subject::Patient(patient) = line.value {
                ever_on.entry(patient).or_default().insert(*device);
            }
        }
    }
    let mut spans: BTreeMap<(PatientId, DeviceId), Vec<Span>> = BTreeMap::new();
    for bed in beds {
        let history = directory.encounters.get(bed).map_or(&[][..], Vec::as_slice);
        for piece in pieces(span, history.iter().map(|line| line.from)) {
            let Some(patient) = directory.encounter_at(*bed, piece.from, known_at) else {
                continue;
            };
            for device in ever_on.get(&patient).into_iter().flatten() {
                let found = worn_of(directory, (*device, patient), piece, known_at);
                spans.entry((patient, *device)).or_default().extend(found);
            }
        }
    }
    let part = |((patient, device), mut found): (_, Vec<Span>)| {
        found.sort_by_key(|span| span.from);
        let mut spans = Vec::new();
        found.into_iter().for_each(|span| push_span(&mut spans, span));
        (!spans.is_empty()).then_some(Part { device, patient: Some(patient), spans })
    };
    spans.into_iter().filter_map(part).collect()
}

/// What stood in these places, and when.
pub(crate) fn parts_of_places(
    directory: &Directory,
    places: &BTreeSet<PlaceId>,
    span: Span,
    known_at: Timestamp,
) -> Vec<Part> {
    let is_there = |subject: Subject| matches!(subject, Subject::Place(it) if places.contains(&it));
    let mut parts = Vec::new();
    for (device, history) in &directory.associations {
        if !history.iter().any(|line| is_there(line.value)) {
            continue;
        }
        let mut spans = Vec::new();
        for piece in pieces(span, changes_of(directory, *device)) {
            if is_there(directory.who(*device, piece.from, known_at)) {
                push_span(&mut spans, piece);
            }
        }
        if !spans.is_empty() {
            parts.push(Part { device: *device, patient: None, spans });
        }
    }
    parts
}

/// Whether somebody lay in a bed in one of these spans.
pub(crate) fn lay_in(
    directory: &Directory,
    (bed, patient): (BedId, PatientId),
    spans: &[Span],
    known_at: Timestamp,
) -> bool {
    let history = directory.encounters.get(&bed).map_or(&[][..], Vec::as_slice);
    spans.iter().any(|span| {
        pieces(*span, history.iter().map(|line| line.from))
            .iter()
            .any(|piece| directory.encounter_at(bed, piece.from, known_at) == Some(patient))
    })
}

/// Where answers come from, and which channels are wanted.
pub(crate) struct Source {
    pub(crate) series: Series,
    pub(crate) directory: Arc<Directory>,
    pub(crate) profiles: Arc<BTreeMap<String, Profile>>,
    pub(crate) org: OrgId,
    pub(crate) wanted: Wanted,
    /// Whom devices were on is answered by what was known then.
    pub(crate) known_at: Timestamp,
}

/// Which channels are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Every channel.
    All,
    /// Those of these vitals, and those of these names.
    Only {
        /// What they measure.
        vitals: Vec<Vital>,
        /// What messages and readings call them.
        channels: Vec<String>,
    },
}

impl Wanted {
    fn has(&self, spec: &ChannelSpec) -> bool {
        match self {
            Self::All => true,
            Self::Only { vitals, channels } => {
                spec.vital().is_some_and(|vital| vitals.contains(&vital))
                    || channels.iter().any(|name| *name == *spec.channel.0)
            }
        }
    }
}

/// How a device, and its gateway if it speaks through one, stood to the server.
pub(crate) struct Links {
    pub(crate) own: Vec<(Timestamp, Link)>,
    pub(crate) gateway: Option<Vec<(Timestamp, Link)>>,
}

impl Source {
    fn profile(&self, device: DeviceId) -> Option<&Profile> {
        self.profiles.get(&self.directory.devices.get(&device)?.profile)
    }

    /// The wanted channels of single values of a device, as its profile has them.
    fn channels(&self, device: DeviceId) -> Vec<(&ChannelSpec, &NumericSpec)> {
        let channels = self.profile(device).into_iter().flat_map(Profile::numerics);
        channels.filter(|(spec, _)| self.wanted.has(spec)).collect()
    }

    /// The wanted waveforms of a device, each with its rate, as its profile has them.
    pub(crate) fn waveforms(&self, device: DeviceId) -> Vec<(&ChannelSpec, (u32, u32))> {
        let waves = self.profile(device).into_iter().flat_map(Profile::waves);
        let waves = waves.filter(|(spec, _)| self.wanted.has(spec));
        waves.map(|(spec, wave)| (spec, wave.rate_hz)).collect()
    }

    /// How many lines an answer about a part has, if no channel changed its code or unit.
    pub(crate) fn lines_of(&self, part: &Part) -> usize {
        self.channels(part.device).len().saturating_add(self.waveforms(part.device).len())
    }

    /// Whom a part is about, on which device, and what that device gives.
    pub(crate) fn measuring(&self, part: &Part, beds: Vec<Named>) -> Measuring {
        let name = |spec: &ChannelSpec, is_waveform: bool| {
            let (channel, vital) = (spec.channel().to_string(), spec.vital());
            ChannelName {
                channel,
                vital: vital.map(|it| it.word()),
                label: label_of(spec),
                is_waveform,
            }
        };
        let values = self.channels(part.device).into_iter().map(|(spec, _)| name(spec, false));
        let waves = self.waveforms(part.device).into_iter().map(|(spec, _)| name(spec, true));
        Measuring {
            device: self.named(part.device),
            patient: part.patient.and_then(|id| self.person(id)),
            beds,
            on_ms: on_ms(part),
            channels: values.chain(waves).collect(),
        }
    }

    fn rule(&self, key: &SeriesKey) -> RollRule {
        roll_rule(&self.directory, &self.profiles, key)
    }

    fn question(&self, device: DeviceId, channel: Channel, span: Span) -> Question {
        Question { org: self.org, device, channel, from: span.from, to: span.to }
    }

    /// What a device measured before is another's, and reaches into no later time.
    fn since(&self, device: DeviceId, at: Timestamp) -> Option<Timestamp> {
        let since = |known_at| on_since(&self.directory, device, at, known_at);
        since(self.known_at).max(since(KNOWN_NOW))
    }

    fn named(&self, device: DeviceId) -> Named {
        let name = self.directory.devices.get(&device).map(|it| it.label.clone());
        Named { id: device.to_string(), name: name.unwrap_or_default() }
    }

    fn person(&self, patient: PatientId) -> Option<Named> {
        let it = self.directory.patients.get(&patient)?;
        let name = format!("{} {}", it.given_name.0, it.family_name.0);
        Some(Named { id: it.id.to_string(), name })
    }

    /// The lines of these parts in columns of this pace.
    pub(crate) fn lines(
        &self,
        parts: &[Part],
        pace: &Pace,
    ) -> Result<Vec<HistoryLine>, DatabaseError> {
        let mut lines = Vec::new();
        for part in parts {
            for (spec, _) in self.channels(part.device) {
                let (mut found, mut damaged): (Vec<Columns>, Vec<Span>) = (Vec::new(), Vec::new());
                for span in &part.spans {
                    let question = self.question(part.device, spec.channel(), *span);
                    let since = self.since(part.device, span.from);
                    let rule = |key: &SeriesKey| self.rule(key);
                    let answer = self.series.drawn(&question, since, pace, &rule)?;
                    damaged.extend(answer.damaged.iter().filter_map(|it| span.of(*it)));
                    for stretch in answer.stretches {
                        let of = (stretch.kind, stretch.ucum);
                        let known = found.iter_mut().find(|(it, _)| *it == of);
                        match known {
                            Some((_, columns)) => add(columns, &stretch.items, pace),
                            None => {
                                let mut columns = BTreeMap::new();
                                add(&mut columns, &stretch.items, pace);
                                found.push((of, columns));
                            }
                        }
                    }
                }
                let line = |((kind, ucum), columns): Columns| {
                    let line = self.line(part, spec, (kind.unwrap_or(spec.code), ucum), &columns);
                    HistoryLine { damaged_ms: in_ms(&damaged), ..line }
                };
                if found.is_empty() && !damaged.is_empty() {
                    // Nothing else would say so.
                    found.push(((Some(spec.code), spec.ucum.clone()), BTreeMap::new()));
                }
                lines.extend(found.into_iter().map(line));
            }
        }
        Ok(lines)
    }

    fn line(
        &self,
        part: &Part,
        spec: &ChannelSpec,
        (kind, ucum): (Code, Ucum),
        columns: &BTreeMap<i64, Roll>,
    ) -> HistoryLine {
        let vital = Vital::of(kind);
        let key = SeriesKey {
            org: self.org,
            device: part.device,
            channel: spec.channel(),
            kind: Some(kind),
            ucum: ucum.clone(),
        };
        let usual = usual_range(&key);
        let shown = |limit: i64| Some(limit).filter(|it| ![i64::MIN, i64::MAX].contains(it));
        let in_range = columns.values().map(|roll| roll.in_range_ns);
        let mut line = HistoryLine {
            device: self.named(part.device),
            channel: spec.channel().to_string(),
            vital: vital.map(|vital| vital.word()),
            label: vital.map_or_else(|| spec.words.clone(), |vital| label(vital).to_owned()),
            unit: vital.map_or_else(|| ucum.as_str().to_owned(), |vital| unit(vital).to_owned()),
            patient: part.patient.and_then(|id| self.person(id)),
            on_ms: on_ms(part),
            n: Vec::new(),
            first: Vec::new(),
            least: Vec::new(),
            greatest: Vec::new(),
            last: Vec::new(),
            mean: Vec::new(),
            count: columns.values().map(|roll| roll.count).sum(),
            covered_ms: columns.values().map(|roll| roll.covered_ns).sum::<i64>() / NANOS_OF_MS,
            usual: usual.map(|(low, high)| {
                let value = |micros: i64| value(vital, kind, &ucum, micros);
                (shown(low).and_then(value), shown(high).and_then(value))
            }),
            damaged_ms: Vec::new(),
            in_range_ms: usual.map(|_| in_range.sum::<i64>() / NANOS_OF_MS),
        };
        for (number, roll) in columns {
            let Some((it, mean)) = roll.extremes.zip(roll.mean_micros()) else { continue };
            let value = |micros| value(vital, kind, &ucum, micros);
            let all = (
                value(it.first.micros),
                value(it.least.micros),
                value(it.greatest.micros),
                value(it.last.micros),
                value(mean),
            );
            // A value that its vital refuses is stored and never drawn as if it were known.
            if let (Some(first), Some(least), Some(greatest), Some(last), Some(mean)) = all {
                line.n.push(*number);
                line.first.push(first);
                line.least.push(least);
                line.greatest.push(greatest);
                line.last.push(last);
                line.mean.push(mean);
            }
        }
        line
    }

    /// What these parts promised of single values and what came of it; `outages` are the
    /// program's own.
    pub(crate) fn coverage(
        &self,
        parts: &[Part],
        asked: Span,
        outages: &[Stretch],
    ) -> Result<Vec<ChannelCoverage>, DatabaseError> {
        let mut channels = Vec::new();
        for part in parts {
            let (links, on) = (self.links(part.device, asked)?, on_of(part, asked));
            for (spec, numeric) in self.channels(part.device) {
                let kept = self.covered(part, spec, asked)?;
                let evidence = evidence((asked, &on), &kept, &links, outages);
                let found = ledger(&evidence);
                channels.push(self.channel(part, (spec, numeric.cadence), found));
            }
        }
        Ok(channels)
    }

    /// What one channel promised and came to, whose values come so often.
    pub(crate) fn channel(
        &self,
        part: &Part,
        (spec, cadence): (&ChannelSpec, Duration),
        found: Ledger,
    ) -> ChannelCoverage {
        let lacking = lacking(&found);
        let vital = spec.vital();
        let percent = percent(&found);
        let (promised, covered) = (found.promised, found.covered);
        let (gaps, is_cut) = longest(found.gaps);
        ChannelCoverage {
            device: self.named(part.device),
            patient: part.patient.and_then(|id| self.person(id)),
            on_ms: on_ms(part),
            channel: spec.channel().to_string(),
            vital: vital.map(|vital| vital.word()),
            label: label_of(spec),
            is_waveform: false,
            is_coarse: false,
            cadence_s: cadence.as_secs_f64(),
            promised_s: promised.as_secs_f64(),
            covered_s: covered.as_secs_f64(),
            percent,
            lacking,
            gaps: gaps.iter().map(reasoned).collect(),
            is_cut,
        }
    }

    /// How a device and its gateway stood to the server from before the range on.
    pub(crate) fn links(&self, device: DeviceId, asked: Span) -> Result<Links, DatabaseError> {
        let gateway = self.directory.gateway_of(device);
        let gateway = gateway.map(|gateway| self.link(gateway, asked)).transpose()?;
        Ok(Links { own: self.link(device, asked)?, gateway })
    }

    fn link(&self, device: DeviceId, asked: Span) -> Result<Vec<(Timestamp, Link)>, DatabaseError> {
        let from = asked.from.before(HISTORY_LINK_BEFORE);
        let span = Span { from, to: asked.to };
        let question = self.question(device, Channel::from(LINK_CHANNEL), span);
        let answer = self.series.query(&question)?;
        let noted =
            answer.stretches.iter().flat_map(|stretch| &stretch.items).filter_map(|point| {
                let (code, _) = point.value.ok()?;
                Some((point.at, Link::of(code)?))
            });
        Ok(noted.collect())
    }

    /// While values of a channel counted, and what the device said when there was none.
    fn covered(&self, part: &Part, spec: &ChannelSpec, asked: Span) -> Result<Kept, DatabaseError> {
        let pace = fine(asked);
        let mut kept = Kept::default();
        let reach = spec.numeric().map_or(Duration::ZERO, |it| it.cadence.saturating_mul(MISSED));
        let rule = |key: &SeriesKey| self.rule(key);
        for on in &part.spans {
            let since = self.since(part.device, on.from);
            let mut from = on.from;
            while from < on.to.min(asked.to) {
                let to = from.after(HISTORY_STRETCH).min(on.to).min(asked.to);
                let question = self.question(part.device, spec.channel(), Span { from, to });
                let mut columns = BTreeMap::new();
                let answer = self.series.drawn(&question, since, &pace, &rule)?;
                kept.lacks(&answer.damaged, Span { from, to }, reach);
                for stretch in answer.stretches {
                    add(&mut columns, &stretch.items, &pace);
                }
                for (number, roll) in columns {
                    let begin = pace.step_ns.saturating_mul(number);
                    let begin = pace.origin_ns.saturating_add(begin).max(from.unix_nanos());
                    place(&mut kept.covered, &mut kept.said, begin, &roll);
                }
                from = to;
            }
        }
        Ok(kept)
    }
}

fn on_ms(part: &Part) -> Vec<(i64, i64)> {
    in_ms(&part.spans)
}

fn in_ms(spans: &[Span]) -> Vec<(i64, i64)> {
    spans.iter().map(|it| (it.from.unix_millis(), it.to.unix_millis())).collect()
}

/// The vital's name, else what the profile calls the channel.
pub(crate) fn label_of(spec: &ChannelSpec) -> String {
    spec.vital().map_or_else(|| spec.words.clone(), |vital| label(vital).to_owned())
}

/// While a part's device was on whom the question is about.
pub(crate) fn on_of(part: &Part, asked: Span) -> Vec<Stretch> {
    let within = |it: &Span| Stretch { from: it.from, to: it.to.min(asked.to) };
    part.spans.iter().map(within).filter(|it| it.from < it.to).collect()
}

/// What is known of one channel, as the ledger weighs it.
pub(crate) fn evidence<'a>(
    (asked, on): (Span, &'a [Stretch]),
    kept: &'a Kept,
    links: &'a Links,
    outages: &'a [Stretch],
) -> Evidence<'a> {
    Evidence {
        asked: Stretch { from: asked.from, to: asked.to },
        on,
        covered: &kept.covered,
        said: &kept.said,
        damaged: &kept.damaged,
        link: &links.own,
        gateway: links.gateway.as_deref(),
        outages,
    }
}

/// The covered share of what was promised, in percent.
fn percent(found: &Ledger) -> Option<f64> {
    found.covered_permille().map(|permille| f64::from(permille) / 10.0)
}

/// For how long values lacked, by reason, the longest first.
fn lacking(found: &Ledger) -> Vec<Lacking> {
    let stretches = found.gaps.iter().map(|gap| (word(gap.why), gap.at));
    Lacking::summed(stretches)
}

/// What is stored of a channel.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// While values counted.
    pub(crate) covered: Vec<Stretch>,
    pub(crate) said: Absences,
    /// Where what is stored cannot be read.
    pub(crate) damaged: Vec<Stretch>,
}

impl Kept {
    /// Takes in where something could not be read, of questions in order of time; the last value
    /// that is lost would have counted for its reach.
    pub(crate) fn lacks(&mut self, damaged: &[DamagedSpan], within: Span, reach: Duration) {
        for it in damaged {
            let span = DamagedSpan { to: it.to.after(reach), ..*it };
            let Some(Span { from, to }) = within.of(span) else { continue };
            match self.damaged.last_mut() {
                Some(last) if from <= last.to => last.to = last.to.max(to),
                _ => self.damaged.push(Stretch { from, to }),
            }
        }
    }
}

/// When a device said that it has no value, and why.
type Absences = Vec<(Timestamp, MissingReason)>;

/// The columns of one code and unit, by number.
type Columns = ((Option<Code>, Ucum), BTreeMap<i64, Roll>);

const NANOS_OF_MS: i64 = 1_000_000;
const SECOND_NS: i64 = 1_000_000_000;

/// Seconds where that is little to read, else minutes.
fn fine(asked: Span) -> Pace {
    const SECONDS_UP_TO: Duration = Duration::from_secs(6 * 3_600);
    if asked.to.since(asked.from) > SECONDS_UP_TO {
        let (step_ns, resolution) = (60 * SECOND_NS, Resolution::Minutes(1));
        return Pace { origin_ns: 0, step_ns, resolution };
    }
    let origin_ns = asked.from.unix_nanos();
    Pace { origin_ns, step_ns: SECOND_NS, resolution: Resolution::Points }
}

/// Adds columns by their number; what two series have of one column counts together.
fn add(columns: &mut BTreeMap<i64, Roll>, items: &[Column], pace: &Pace) {
    let number = |column: &Column| {
        let apart = column.from.unix_nanos().saturating_sub(pace.origin_ns);
        apart.div_euclid(pace.step_ns.max(1))
    };
    if columns.is_empty() {
        // Most lines are one series, whose columns are in order and each there once.
        *columns = items.iter().map(|column| (number(column), column.roll)).collect();
        return;
    }
    for column in items {
        let roll = columns.entry(number(column)).or_default();
        *roll = roll.then(column.roll);
    }
}

/// Where in its column the covered part lies: at the beginning, or from its first value on.
fn place(
    covered: &mut Vec<Stretch>,
    said: &mut Vec<(Timestamp, MissingReason)>,
    begin_ns: i64,
    roll: &Roll,
) {
    let begin = Timestamp::from_unix_nanos(begin_ns);
    let goes_on = covered.last().is_some_and(|last| last.to >= begin);
    let first = roll.extremes.map(|it| Timestamp::from_unix_nanos(it.first.at_ns));
    let from = first.filter(|_| !goes_on).unwrap_or(begin);
    let length = Duration::from_nanos(u64::try_from(roll.covered_ns).unwrap_or(0));
    let to = from.after(length);
    if let Some(reason) = roll.said {
        said.push((if from == begin && !length.is_zero() { to } else { begin }, reason));
    }
    if length.is_zero() {
        return;
    }
    match covered.last_mut() {
        Some(last) if last.to >= from => last.to = last.to.max(to),
        _ => covered.push(Stretch { from, to }),
    }
}

/// The longest gaps in order of time, and whether others were left out.
fn longest(gaps: Vec<Gap>) -> (Vec<Gap>, bool) {
    longest_of(gaps, |gap| gap.at)
}

/// Those of the longest stretches in order of time, and whether others were left out.
fn longest_of<T>(mut all: Vec<T>, at: impl Fn(&T) -> Stretch) -> (Vec<T>, bool) {
    let is_cut = all.len() > GAPS_MAX;
    if is_cut {
        all.sort_by_key(|it| std::cmp::Reverse(at(it).to.since(at(it).from)));
        all.truncate(GAPS_MAX);
        all.sort_by_key(|it| at(it).from);
    }
    (all, is_cut)
}

fn reasoned(gap: &Gap) -> ReasonedGap {
    let (from_ms, to_ms) = (gap.at.from.unix_millis(), gap.at.to.unix_millis());
    ReasonedGap { from_ms, to_ms, reason: word(gap.why) }
}

/// The word for a reason.
pub(crate) const fn word(why: Why) -> &'static str {
    match why {
        Why::OurFault => "our_fault",
        Why::DeviceOff => "device_off",
        Why::OutOfRange => "out_of_range",
        Why::Network => "network",
        Why::Refused => "refused",
        Why::Silent => "silent",
        Why::Damaged => "damaged",
        Why::Said(reason) => match reason {
            MissingReason::SensorDetached => "sensor_detached",
            MissingReason::DeviceFault => "device_fault",
            MissingReason::Implausible => "implausible",
            MissingReason::OutOfRange => "beyond_range",
            MissingReason::PoorSignal => "poor_signal",
            MissingReason::WarmingUp => "warming_up",
            MissingReason::NotMeasured => "not_measured",
            MissingReason::Unknown => "unknown",
            MissingReason::Withdrawn => "withdrawn",
        },
    }
}

/// Millionths of the source's unit as people read them, in the vital's unit if it is one.
fn value(vital: Option<Vital>, kind: Code, ucum: &Ucum, micros: i64) -> Option<f64> {
    let Some(vital) = vital else { return Some(plain(micros)) };
    let measure = Measure { kind, mantissa: micros, exp10: -6, ucum: ucum.clone() };
    vital.thousandths(&measure).ok().map(number)
}

#[expect(clippy::cast_precision_loss, reason = "a chart shows fewer digits than 2^53 has")]
fn plain(micros: i64) -> f64 {
    micros as f64 / 1e6
}
