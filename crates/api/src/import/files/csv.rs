//! Tables of text (RFC 4180): fields with commas, quoted where they hold one, lines of bounded
//! length.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
};

use super::{
    FileError, Place, Read, Reading, Take,
    table::{Cell, Layout},
};
use crate::limits::{IMPORT_COLUMNS_MAX, IMPORT_LINE_LEN_MAX};

/// Why a table of text is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum LineError {
    #[error("it has more than {IMPORT_LINE_LEN_MAX} bytes")]
    TooLong,
    #[error("it has more than {IMPORT_COLUMNS_MAX} fields")]
    TooMany,
    #[error("it is not UTF-8 at byte {0}")]
    NotText(usize),
    #[error("a field that begins with a quotation mark does not end with one")]
    Quote,
}

/// Lines out of a stream, joined where a quoted field goes on over the end of one.
struct Lines<R> {
    from: R,
    /// The number of the line that is read next.
    next: u64,
    bytes: Vec<u8>,
}

/// A line that was read: its number, or why it is none.
type Line = Result<u64, (u64, LineError)>;

impl<R: BufRead> Lines<R> {
    fn new(from: R) -> Self {
        Self { from, next: 1, bytes: Vec::new() }
    }

    /// Reads a line into `bytes`, without its end; none at the end of the stream.
    fn read(&mut self) -> io::Result<Option<Line>> {
        self.bytes.clear();
        let first = self.next;
        loop {
            let most = IMPORT_LINE_LEN_MAX.saturating_add(2).saturating_sub(self.bytes.len());
            let most = u64::try_from(most).unwrap_or(u64::MAX);
            let len = io::Read::take(&mut self.from, most).read_until(b'\n', &mut self.bytes)?;
            let is_whole = self.bytes.last() == Some(&b'\n');
            if len == 0 {
                let is_over = self.bytes.is_empty();
                return Ok((!is_over).then_some(Err((first, LineError::Quote))));
            }
            self.next = self.next.saturating_add(1);
            if !is_whole && self.bytes.len() > IMPORT_LINE_LEN_MAX {
                return Ok(Some(Err((first, LineError::TooLong))));
            }
            let is_open = self.bytes.iter().filter(|byte| **byte == b'"').count() % 2 == 1;
            if is_open && !is_whole {
                return Ok(Some(Err((first, LineError::Quote))));
            }
            if !is_open {
                for end in [b'\n', b'\r'] {
                    if self.bytes.last() == Some(&end) {
                        self.bytes.pop();
                    }
                }
                return Ok(Some(Ok(first)));
            }
        }
    }
}

/// The fields of a line.
fn fields(line: &[u8]) -> Result<Vec<Cow<'_, str>>, LineError> {
    let text =
        std::str::from_utf8(line).map_err(|error| LineError::NotText(error.valid_up_to()))?;
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        if found.len() >= IMPORT_COLUMNS_MAX {
            return Err(LineError::TooMany);
        }
        let (field, behind) = if let Some(quoted) = rest.strip_prefix('"') {
            let (inner, behind) = close(quoted).ok_or(LineError::Quote)?;
            let field = if inner.contains('"') {
                Cow::Owned(inner.replace("\"\"", "\""))
            } else {
                Cow::Borrowed(inner)
            };
            (field, behind)
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            let (field, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
            (Cow::Borrowed(field), behind)
        };
        found.push(field);
        match behind.strip_prefix(',') {
            Some(next) => rest = next,
            None if behind.is_empty() => return Ok(found),
            None => return Err(LineError::Quote),
        }
    }
}

/// The inside of a quoted field, and what follows behind its end.
fn close(text: &str) -> Option<(&str, &str)> {
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.find('"')?;
        let behind = text.get(at + 1..)?;
        if !behind.starts_with('"') {
            return Some((text.get(..at)?, behind));
        }
        from = at + 2;
    }
}

pub(super) fn read(path: &Path, reading: &Reading, take: &mut Take<'_>) -> Result<Read, FileError> {
    let fault = |source| FileError::Io(path.to_owned(), source);
    let file = File::open(path).map_err(fault)?;
    read_from(BufReader::new(file), path, reading, take)
}

fn read_from(
    from: impl BufRead,
    path: &Path,
    reading: &Reading,
    take: &mut Take<'_>,
) -> Result<Read, FileError> {
    let io = |source| FileError::Io(path.to_owned(), source);
    let at = |line: u64, what: String| FileError::At {
        path: path.to_owned(),
        place: Place("line", line),
        what,
    };
    let mut lines = Lines::new(from);
    let mut layout: Option<Layout> = None;
    while let Some(line) = lines.read().map_err(io)? {
        let line = line.map_err(|(line, error)| at(line, error.to_string()))?;
        let bytes = match layout {
            // Some programs put a mark in front of everything.
            None => lines.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&lines.bytes),
            Some(_) => &lines.bytes,
        };
        if bytes.is_empty() {
            continue;
        }
        let fields = fields(bytes).map_err(|error| at(line, error.to_string()))?;
        let Some(layout) = &mut layout else {
            let names: Vec<String> = fields.into_iter().map(|it| it.trim().to_owned()).collect();
            layout = Some(Layout::of(&names, reading).map_err(|what| at(line, what))?);
            continue;
        };
        let cells: Vec<Cell<'_>> = fields.into_iter().map(Cell::Text).collect();
        let goes_on = layout
            .row(&cells, reading, &mut |piece| take(piece, Place("line", line)))
            .map_err(|what| at(line, what))?;
        if !goes_on {
            return Err(FileError::Stopped);
        }
    }
    let layout = layout.ok_or_else(|| at(1, "there is no line with the names".to_owned()))?;
    Ok(Read { unmapped: layout.unmapped, of_others: layout.of_others })
}

#[cfg(test)]
mod tests;
