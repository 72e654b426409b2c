//! Tables of text (RFC 4180): values one a row, waveforms a piece of a few seconds a row.

use std::{
    fmt::Write as _,
    fs::File,
    io::{BufWriter, Write as _},
    path::PathBuf,
};

use protocols::{Decimal, senml::word_of};

use super::{
    ExportError, Folder, Writing, rfc3339,
    tracks::{Track, doubts_in},
    values::{Table, Value, clock_word},
};

/// The columns of single values; the last four say how a value came, and are not read back.
const VALUES: &str =
    "at,patient,device,channel,code,value,unit,missing,received_at,clock,age_known,late";
/// The columns of waveforms.
const WAVES: &str = "at,patient,device,channel,code,unit,rate_hz,gain,offset,samples,doubts";
/// The longest piece of a waveform in one row: what one block of a device may hold.
pub(super) const PIECE_S: u64 = 4;
/// The most samples of a piece.
pub(super) const PIECE_SAMPLES_MAX: u64 = 10_000;

/// The table of values.
pub(super) struct Values {
    file: BufWriter<File>,
    path: PathBuf,
    line: String,
}

impl Values {
    pub(super) fn create(out: &Folder) -> Result<Self, ExportError> {
        let mut file = out.create("values.csv")?;
        writeln!(file, "{VALUES}").map_err(out.fault("values.csv"))?;
        Ok(Self { file, path: out.path.join("values.csv"), line: String::new() })
    }
}

impl Table for Values {
    fn put(&mut self, it: &Value<'_>) -> Result<(), ExportError> {
        let line = &mut self.line;
        line.clear();
        let (point, marks) = (it.point, it.point.marks);
        field(line, &rfc3339(point.at));
        field(line, &it.patient.map(|it| it.to_string()).unwrap_or_default());
        field(line, &it.device.to_string());
        field(line, &it.channel.0);
        field(line, &it.code.map(|it| it.to_string()).unwrap_or_default());
        let (value, missing) = match point.value {
            Ok((mantissa, exp10)) => (number((mantissa, exp10)), ""),
            Err(reason) => (String::new(), word_of(reason)),
        };
        field(line, &value);
        field(line, it.ucum.as_str());
        field(line, missing);
        field(line, &rfc3339(point.received_at));
        field(line, clock_word(marks.clock));
        field(line, if marks.age_known { "true" } else { "false" });
        field(line, if marks.late { "true" } else { "false" });
        end_line(line);
        let fault = |source| ExportError::Write { path: self.path.clone(), source };
        self.file.write_all(self.line.as_bytes()).map_err(fault)
    }

    fn end(mut self: Box<Self>) -> Result<(), ExportError> {
        let fault = |source| ExportError::Write { path: self.path.clone(), source };
        self.file.flush().map_err(fault)
    }
}

/// Writes waveforms as a table.
pub(super) fn waves(
    tracks: &[Track],
    out: &mut Folder,
    writing: &mut Writing<'_>,
) -> Result<(), ExportError> {
    const NAME: &str = "waves.csv";
    let (mut file, fault) = (out.create(NAME)?, out.fault(NAME));
    writeln!(file, "{WAVES}").map_err(&fault)?;
    let (mut line, mut rows) = (String::new(), 0_u64);
    for track in tracks {
        for (run, at, from, len) in track.pieces(PIECE_S, PIECE_SAMPLES_MAX) {
            let source = &track.source;
            line.clear();
            field(&mut line, &rfc3339(at));
            field(&mut line, &source.patient.map(|it| it.to_string()).unwrap_or_default());
            field(&mut line, &source.device.to_string());
            field(&mut line, &source.channel.0);
            field(&mut line, &source.code.map(|it| it.to_string()).unwrap_or_default());
            field(&mut line, source.ucum.as_str());
            field(&mut line, &format!("{}/{}", source.rate_hz.0, source.rate_hz.1));
            field(&mut line, &number(source.gain));
            field(&mut line, &source.offset.to_string());
            let mut text = String::new();
            for count in track.samples(run.start.saturating_add(from), len)? {
                let gap = if text.is_empty() { "" } else { " " };
                // Writing into a string cannot fail.
                let _ = write!(text, "{gap}{count}");
            }
            field(&mut line, &text);
            field(&mut line, &doubts_text(&doubts_in(run, from, len)));
            end_line(&mut line);
            file.write_all(line.as_bytes()).map_err(&fault)?;
            rows = rows.saturating_add(1);
            writing.has_written(len);
        }
    }
    file.flush().map_err(&fault)?;
    out.wrote(NAME, "waveforms, a piece of a few seconds a row", rows);
    Ok(())
}

/// Doubtful samples as `from+count:why`, with spaces between them.
pub(super) fn doubts_text(doubts: &[(u64, u64, model::MissingReason)]) -> String {
    let text = |(from, len, why): &(u64, u64, _)| format!("{from}+{len}:{}", word_of(*why));
    doubts.iter().map(text).collect::<Vec<_>>().join(" ")
}

/// A decimal number with all of its digits, zeros at its end included.
pub(super) fn number((mantissa, exp10): (i64, i8)) -> String {
    Decimal { mantissa, exp10 }.to_string()
}

/// Appends a field and a comma; quoted where it must be.
pub(super) fn field(line: &mut String, text: &str) {
    if text.contains([',', '"', '\n', '\r']) {
        line.push('"');
        line.push_str(&text.replace('"', "\"\""));
        line.push('"');
    } else {
        line.push_str(text);
    }
    line.push(',');
}

/// The last comma becomes the end of the line.
pub(super) fn end_line(line: &mut String) {
    line.pop();
    line.push('\n');
}
