//! A journal that ends at a moment: everything that came in later is taken off its end.

use std::{fs, io, path::Path};

use model::Timestamp;
use record::Kinds;

use crate::{
    FileStorage, Form, LogOffset, OpenError, Storage,
    data_dir::sync_dir,
    journal::{COMMIT, read_whole, walk},
};

/// Where the last commit ends that has nothing received after `at`; `None` if there is none.
pub(super) fn end_at(storage: &dyn Storage, at: Timestamp) -> Result<Option<LogOffset>, OpenError> {
    let mut end = None;
    for segment in storage.segments().map_err(OpenError::Io)? {
        let bytes = read_whole(storage, segment)?;
        let mut is_later = false;
        walk(
            &bytes,
            segment.form,
            segment.start,
            &std::collections::BTreeMap::new(),
            |place, frame| {
                let envelope = frame.envelope;
                if envelope.kind == COMMIT {
                    if !is_later {
                        end = Some(place);
                    }
                } else if envelope.kind != Kinds::SEGMENT_HEAD {
                    is_later |= envelope.received_at > at;
                }
            },
        );
        if is_later {
            break;
        }
    }
    Ok(end)
}

/// Whether a journal can end at `end`: a segment that was thinned is over for good.
pub(super) fn can_end_at(storage: &dyn Storage, end: LogOffset) -> io::Result<bool> {
    let segments = storage.segments()?;
    let last = segments.iter().rfind(|segment| segment.start < end);
    Ok(last.is_none_or(|segment| segment.form == Form::Whole))
}

/// Takes everything behind `end` off a journal's folder, whose files stay as long as they are.
/// The segment that it is in is whole.
pub(super) fn cut(folder: &Path, end: LogOffset) -> io::Result<()> {
    let storage = FileStorage::folder(folder)?;
    for segment in storage.segments()? {
        let name = format!("{:020}", segment.start.bytes());
        let path = folder.join(match segment.form {
            Form::Whole => format!("{name}.seg"),
            Form::Thinned => format!("{name}.thin"),
        });
        if segment.start >= end {
            fs::remove_file(path)?;
        } else if segment.form == Form::Whole && segment.start.plus(segment.len) > end {
            let file = fs::File::options().write(true).open(path)?;
            file.set_len(end.minus(segment.start))?;
            file.set_len(segment.len)?;
            file.sync_all()?;
        }
    }
    sync_dir(folder)
}
