//! What of an export does not count: readings that came otherwise later, or that a person
//! corrected, each as it was received; and the corrections. No file where there is nothing.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
};

use model::Amendment;
use protocols::senml::word_of;
use store::{GivenCorrection, Point};

use super::{
    ExportError, Folder, Reading, Stored,
    csv::{end_line, field, number},
    rfc3339,
    values::Value,
};
use crate::dto::words::Spelt as _;

const NAME: &str = "corrected.csv";
const COLUMNS: &str = "at,patient,device,channel,code,value,unit,missing,received_at";
const CORRECTIONS: &str = "corrections.csv";
/// The words that a person wrote may name somebody; they are there where names are.
const CORRECTION_COLUMNS: &str =
    "id,device,channel,from,to,kind,value,unit,undoes,why,words,known_at";

/// The table of readings that do not count; it begins with the first of them.
#[derive(Default)]
pub(super) struct Corrected {
    file: Option<BufWriter<File>>,
    rows: u64,
}

/// Those of the received points that are not among the ones that count.
pub(super) fn uncounted<'a>(
    received: &'a [Point],
    counted: &'a [Point],
) -> impl Iterator<Item = &'a Point> {
    let mut counted = counted.iter().peekable();
    received.iter().filter(move |point| {
        while counted.next_if(|it| it.at < point.at).is_some() {}
        counted.peek().is_none_or(|it| *it != *point)
    })
}

impl Corrected {
    pub(super) fn put(&mut self, out: &Folder, it: &Value<'_>) -> Result<(), ExportError> {
        let fault = out.fault(NAME);
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let mut file = out.create(NAME)?;
                writeln!(file, "{COLUMNS}").map_err(&fault)?;
                self.file.insert(file)
            }
        };
        let (point, mut line) = (it.point, String::new());
        field(&mut line, &rfc3339(point.at));
        field(&mut line, &it.patient.map(|it| it.to_string()).unwrap_or_default());
        field(&mut line, &it.device.to_string());
        field(&mut line, &it.channel.0);
        field(&mut line, &it.code.map(|it| it.to_string()).unwrap_or_default());
        field(&mut line, &point.value.map(number).unwrap_or_default());
        field(&mut line, it.ucum.as_str());
        field(&mut line, point.value.err().map(word_of).unwrap_or_default());
        field(&mut line, &rfc3339(point.received_at));
        end_line(&mut line);
        file.write_all(line.as_bytes()).map_err(&fault)?;
        self.rows = self.rows.saturating_add(1);
        Ok(())
    }

    pub(super) fn end(self, out: &mut Folder) -> Result<(), ExportError> {
        let Some(mut file) = self.file else { return Ok(()) };
        file.flush().map_err(out.fault(NAME))?;
        out.wrote(NAME, "readings that do not count, as they were received", self.rows);
        Ok(())
    }
}

/// Writes what people said of the readings of an export, if anybody said something.
pub(super) fn corrections(
    stored: &Stored,
    reading: &Reading<'_>,
    out: &mut Folder,
) -> Result<(), ExportError> {
    let series = stored.series.as_known(reading.wish.known_at);
    let mut all: Vec<GivenCorrection> = Vec::new();
    for part in reading.parts {
        for span in &part.spans {
            all.extend(series.corrections_of(reading.org, part.device, (span.from, span.to)));
        }
    }
    all.sort_by_key(|it| (it.known_at, it.correction.id));
    all.dedup_by_key(|it| it.correction.id);
    if all.is_empty() {
        return Ok(());
    }
    let mut text = format!("{CORRECTION_COLUMNS}\n");
    for given in &all {
        let it = &given.correction;
        let none = String::new;
        let (kind, value, unit, undoes) = match &it.amendment {
            Amendment::Withdraw => ("withdrawn", none(), none(), none()),
            Amendment::Replace { mantissa, exp10, ucum } => {
                let unit = ucum.as_str().to_owned();
                ("replaced", number((*mantissa, *exp10)), unit, none())
            }
            Amendment::Undo(id) => ("taken_back", none(), none(), id.to_string()),
        };
        field(&mut text, &it.id.to_string());
        field(&mut text, &it.device.to_string());
        field(&mut text, &it.channel.0);
        field(&mut text, &rfc3339(it.from));
        field(&mut text, &rfc3339(it.to));
        field(&mut text, kind);
        field(&mut text, &value);
        field(&mut text, &unit);
        field(&mut text, &undoes);
        field(&mut text, it.why.word());
        field(&mut text, if reading.wish.with_names { &it.words.0 } else { "" });
        field(&mut text, &rfc3339(given.known_at));
        end_line(&mut text);
    }
    out.write(CORRECTIONS, text.as_bytes())?;
    let count = u64::try_from(all.len()).unwrap_or(u64::MAX);
    out.wrote(CORRECTIONS, "what people said of these readings", count);
    Ok(())
}

#[test]
fn what_does_not_count_is_what_was_received_otherwise() {
    use model::{ClockUsed, MissingReason, Timestamp};
    use store::Marks;
    let marks = Marks { clock: ClockUsed::Device, age_known: true, late: false };
    let point = |at: i64, value: i64| {
        let at = Timestamp::from_unix_millis(at);
        Point { at, received_at: at, value: Ok((value, 0)), marks }
    };
    let withdrawn = Point { value: Err(MissingReason::Withdrawn), ..point(3, 0) };
    let received = [point(1, 70), point(2, 70), point(2, 75), point(3, 80), point(4, 90)];
    let counted = [point(1, 70), point(2, 75), withdrawn, point(4, 90)];
    let found: Vec<Point> = uncounted(&received, &counted).copied().collect();
    assert_eq!(found, [point(2, 70), point(3, 80)]);
    assert_eq!(uncounted(&counted, &counted).count(), 0);
}
