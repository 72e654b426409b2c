//! Single values of an export: each with whose it is, or why there is none.

use model::{Channel, ClockUsed, Code, DeviceId, PatientId, Ucum};
use store::{Point, Question};

use super::{ExportError, Folder, Form, Reading, Stored, csv, parquet, windows};

/// Of a channel that gives a value a second; one that gives a hundred still fits a question.
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
    let mut count = 0_u64;
    for part in reading.parts {
        for channel in stored.channels(reading.org, part.device) {
            for window in part.spans.iter().flat_map(|span| windows(*span, WINDOW_S)) {
                let question = Question {
                    org: reading.org,
                    device: part.device,
                    channel: channel.clone(),
                    from: window.from,
                    to: window.to,
                };
                for stretch in stored.series.query(&question)? {
                    for point in &stretch.items {
                        count = count.saturating_add(1);
                        table.put(&Value {
                            patient: part.patient,
                            device: part.device,
                            channel: &channel,
                            code: stretch.kind,
                            ucum: &stretch.ucum,
                            point,
                        })?;
                    }
                }
                reading.has_read(window);
            }
        }
    }
    table.end()?;
    out.wrote(name, "single values, one a row", count);
    Ok(count)
}
