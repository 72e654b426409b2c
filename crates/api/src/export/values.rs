//! Single values of an export: each with whose it is, or why there is none.

use model::{Channel, ClockUsed, Code, DeviceId, PatientId, Ucum};
use store::{Answer, DamagedSpan, DatabaseError, Point, Stretch};

use super::{
    ExportError, Folder, Form, Reading, Stored,
    corrected::{Corrected, uncounted},
    csv, parquet, windows,
};
use crate::past::Span;

/// Of a channel that gives a value a second; one that gives ninety still fits a question, and a
/// faster one is asked in shorter windows.
const WINDOW_S: u64 = 6 * 3_600;

/// One point with what it is of.
pub(super) struct Value<'a> {
    pub(super) patient: Option<PatientId>,
    pub(super) device: DeviceId,
    pub(super) channel: &'a Channel,
    pub(super) code: Option<Code>,
    pub(super) ucum: &'a Ucum,
    pub(super) point: &'a Point,
}

/// A table that takes values one by one.
pub(super) trait Table {
    fn put(&mut self, value: &Value<'_>) -> Result<(), ExportError>;
    fn end(self: Box<Self>) -> Result<(), ExportError>;
}

/// The word for the clock that an instant was taken from.
pub(super) const fn clock_word(clock: ClockUsed) -> &'static str {
    match clock {
        ClockUsed::Device => "device",
        ClockUsed::Gateway => "gateway",
        ClockUsed::Receiver => "receiver",
    }
}

/// Asks for a window, and where that is more than a question answers, for its halves, in the
/// order of time; each stretch is taken with the window that was asked for. Says where something
/// could not be read.
pub(super) fn asked<T>(
    window: Span,
    ask: impl Fn(Span) -> Result<Answer<T>, DatabaseError>,
    mut take: impl FnMut(Span, Stretch<T>) -> Result<(), ExportError>,
) -> Result<Vec<DamagedSpan>, ExportError> {
    let (mut windows, mut damaged) = (vec![window], Vec::new());
    while let Some(window) = windows.pop() {
        let half = window.from.after(window.to.since(window.from) / 2);
        match ask(window) {
            Ok(answer) => {
                damaged.extend(answer.damaged);
                answer.stretches.into_iter().try_for_each(|stretch| take(window, stretch))?;
            }
            // An instant has no halves.
            Err(DatabaseError::TooMuch { .. }) if window.from < half => {
                windows.push(Span { from: half, to: window.to });
                windows.push(Span { from: window.from, to: half });
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(damaged)
}

/// Writes the table of all values, channel by channel, each in the order of time.
pub(super) fn export(
    stored: &Stored,
    reading: &mut Reading<'_>,
    out: &mut Folder,
) -> Result<u64, ExportError> {
    let (name, mut table): (_, Box<dyn Table>) = match reading.wish.form {
        Form::Csv | Form::Wfdb | Form::Edf => ("values.csv", Box::new(csv::Values::create(out)?)),
        Form::Parquet => ("values.parquet", Box::new(parquet::Values::create(out)?)),
    };
    let series = stored.series.as_known(reading.wish.known_at);
    let (mut count, mut corrected) = (0_u64, Corrected::default());
    for part in reading.parts {
        for channel in stored.channels(reading.org, part.device) {
            for window in part.spans.iter().flat_map(|span| windows(*span, WINDOW_S)) {
                let of = (part.device, &channel);
                let ask = |window| series.receipts(&reading.question(of, window));
                let question = reading.question(of, window);
                let damaged = asked(window, ask, |_, stretch| {
                    let counted = series.counted(&question, &stretch);
                    let value = |point| {
                        let (patient, device, channel) = (part.patient, part.device, &channel);
                        let (code, ucum) = (stretch.kind, &stretch.ucum);
                        Value { patient, device, channel, code, ucum, point }
                    };
                    for point in &counted {
                        count = count.saturating_add(1);
                        table.put(&value(point))?;
                    }
                    uncounted(&stretch.items, &counted)
                        .try_for_each(|point| corrected.put(out, &value(point)))
                })?;
                reading.lacks(part, &channel, (&damaged, window));
                reading.has_read(window);
            }
        }
    }
    table.end()?;
    out.wrote(name, "single values, one a row", count);
    corrected.end(out)?;
    Ok(count)
}
