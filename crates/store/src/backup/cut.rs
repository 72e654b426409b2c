//! A journal that ends at a moment: everything that came in later is taken off its end.

use std::{fs, io, path::Path};

use model::Timestamp;
use record::Kinds;

use crate::{
    FileStorage, LogOffset, OpenError, Storage,
    data_dir::sync_dir,
    journal::{COMMIT, read_whole, walk},
};

/// Where the last commit ends that has nothing received after `at`; `None` if there is none.
pub(super) fn end_at(storage: &dyn Storage, at: Timestamp) -> Result<Option<LogOffset>, OpenError> {
    let mut end = None;
    for segment in storage.segments().map_err(OpenError::Io)? {
        let bytes = read_whole(storage, segment)?;
        let mut is_later = false;
        walk(&bytes, segment.start, &std::collections::BTreeMap::new(), |place, frame| {
            let envelope = frame.envelope;
            if envelope.kind == COMMIT {
                if !is_later {
                    end = Some(place);
                }
            } else if envelope.kind != Kinds::SEGMENT_HEAD {
                is_later |= envelope.received_at > at;
            }
        });
        if is_later {
            break;
        }
    }
    Ok(end)
}

/// Takes everything behind `end` off a journal's folder, whose files stay as long as they are.
pub(super) fn cut(folder: &Path, end: LogOffset) -> io::Result<()> {
    let storage = FileStorage::folder(folder)?;
    for segment in storage.segments()? {
        let path = folder.join(format!("{:020}.seg", segment.start.bytes()));
        if segment.start >= end {
            fs::remove_file(path)?;
        } else if segment.start.plus(segment.len) > end {
            let file = fs::File::options().write(true).open(path)?;
            file.set_len(end.minus(segment.start))?;
            file.set_len(segment.len)?;
            file.sync_all()?;
        }
    }
    sync_dir(folder)
}
