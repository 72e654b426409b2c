//! What a journal needs of a disk: segments that are made at their full length, written,
//! synced and read. The file system stands behind it, and a disk for tests that forgets.

mod draw;
mod faulty;
mod file;
mod sectors;

use std::io;

pub use draw::Draw;
pub use faulty::{Fault, FaultyDisk, Happened};
pub use file::FileStorage;

use crate::LogOffset;

/// A few bytes beside the log that say what the log itself cannot.
pub type Mark = [u8; 16];

/// One segment as the storage lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where it begins in the log; also its name.
    pub start: LogOffset,
    /// How many bytes it has room for; if it is thinned, how many its file has.
    pub len: u64,
    /// In which form it is there.
    pub form: Form,
}

/// In which form a segment is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// Every frame as it was written.
    Whole,
    /// Some frames are replaced by shorter ones, which say how long they were.
    Thinned,
}

/// Bytes in segments; what is written is kept only once it is synced.
///
/// One thread writes; any number read.
pub trait Storage: Send + Sync {
    /// All segments, in the order of the log.
    fn segments(&self) -> io::Result<Vec<Segment>>;
    /// Makes a segment of zeros; on return it survives a crash.
    fn create(&self, start: LogOffset, len: u64) -> io::Result<()>;
    /// Gets room for a later `create` ready, from another thread.
    fn prepare(&self, len: u64) -> io::Result<()>;
    /// Writes at `at` within a segment and says how many bytes it took; a crash may
    /// still lose any of them. What stands behind them may become zeros: a log is written
    /// from its beginning to its end.
    fn write(&self, start: LogOffset, at: u64, bytes: &[u8]) -> io::Result<usize>;
    /// Returns when a crash can no longer lose what was written to the segment.
    fn sync(&self, start: LogOffset) -> io::Result<()>;
    /// Reads from `at` within a segment and says how many bytes there were.
    fn read(&self, start: LogOffset, at: u64, into: &mut [u8]) -> io::Result<usize>;
    /// Reads the thinned form of a segment, all of it, also while the whole one counts.
    fn read_thinned(&self, start: LogOffset) -> io::Result<Vec<u8>>;
    /// Puts the thinned form of a segment beside the whole one, which counts as long as both are
    /// there; on return it survives a crash.
    fn put_thinned(&self, start: LogOffset, bytes: &[u8]) -> io::Result<()>;
    /// Takes the thinned form of a segment away that stands beside the whole one and does not
    /// count yet. Refuses if the whole one is not there.
    fn drop_thinned(&self, start: LogOffset) -> io::Result<()>;
    /// Takes the whole form of a segment away: from then on the thinned one counts. Refuses if
    /// there is none; on return it survives a crash, and one before it may undo it.
    fn drop_whole(&self, start: LogOffset) -> io::Result<()>;
    /// Reads the mark that stands beside the segments; zeros if none was ever put down.
    fn mark(&self) -> io::Result<Mark>;
    /// Puts down a mark in place of the one before; on return it survives a crash.
    ///
    /// Once one was put down there is room for every later one, also on a full disk.
    fn put_mark(&self, mark: &Mark) -> io::Result<()>;
}

/// Fills `into` from `at` on, or as much of it as the segment has.
pub(crate) fn read_full(
    storage: &dyn Storage,
    start: LogOffset,
    at: u64,
    into: &mut [u8],
) -> io::Result<usize> {
    let mut filled = 0_usize;
    while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let place = at.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
        match storage.read(start, place, rest) {
            Ok(0) => break,
            Ok(read) => filled = filled.saturating_add(read),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Writes all of `bytes` at `at`, however little the storage takes at once.
pub(crate) fn write_full(
    storage: &dyn Storage,
    start: LogOffset,
    at: u64,
    bytes: &[u8],
) -> io::Result<()> {
    let (mut at, mut rest) = (at, bytes);
    while !rest.is_empty() {
        match storage.write(start, at, rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                rest = rest.get(written..).unwrap_or_default();
                at = at.saturating_add(u64::try_from(written).unwrap_or(u64::MAX));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
