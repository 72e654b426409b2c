//! Segments as preallocated files, `%020d.seg`, named by where they begin in the log.
//!
//! A segment gets its name only when it is whole: it is allocated and synced under
//! another name first. The next one is made ready beside the log, so that a full
//! segment costs the writer a rename.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use rustix::fs::{FallocateFlags, fallocate, fdatasync};

use super::Mark;
use crate::{DataDir, LogOffset, Segment, Storage, data_dir::sync_dir, hold::hold};

/// The journal's folder of a data directory, which stays locked while this exists.
#[derive(Debug)]
pub struct FileStorage {
    folder: PathBuf,
    writing: Mutex<Option<(LogOffset, Arc<File>)>>,
    reading: Mutex<Option<(LogOffset, Arc<File>)>>,
    /// The length of the file that waits under the name `spare`.
    spare_len: Mutex<Option<u64>>,
    _held: Option<DataDir>,
}

impl FileStorage {
    /// The journal of a data directory.
    pub fn open(dir: &DataDir) -> io::Result<Self> {
        Self::at(dir.journal(), Some(dir.clone()))
    }

    /// A journal's folder without its lock, for reading a copy.
    pub fn folder(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::at(path.as_ref().to_owned(), None)
    }

    fn at(folder: PathBuf, held: Option<DataDir>) -> io::Result<Self> {
        if held.is_some() && folder.join(SPARE).try_exists()? {
            fs::remove_file(folder.join(SPARE))?;
        }
        let (writing, reading) = (Mutex::new(None), Mutex::new(None));
        Ok(Self { folder, writing, reading, spare_len: Mutex::new(None), _held: held })
    }

    fn path(&self, start: LogOffset) -> PathBuf {
        self.folder.join(format!("{:020}.seg", start.bytes()))
    }

    /// The one handle that writes and syncs: a failed sync is told to the handle that wrote.
    fn writer(&self, start: LogOffset) -> io::Result<Arc<File>> {
        let mut writing = hold(&self.writing);
        if let Some((_, file)) = writing.as_ref().filter(|(open, _)| *open == start) {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(OpenOptions::new().write(true).open(self.path(start))?);
        *writing = Some((start, Arc::clone(&file)));
        Ok(file)
    }

    fn reader(&self, start: LogOffset) -> io::Result<Arc<File>> {
        let mut reading = hold(&self.reading);
        if let Some((_, file)) = reading.as_ref().filter(|(open, _)| *open == start) {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(File::open(self.path(start))?);
        *reading = Some((start, Arc::clone(&file)));
        Ok(file)
    }

    fn allocate(&self, spare_len: &mut Option<u64>, len: u64) -> io::Result<()> {
        *spare_len = None;
        let file = File::create(self.folder.join(SPARE))?;
        let allocated = fallocate(&file, FallocateFlags::empty(), 0, len);
        match allocated {
            Ok(()) => {}
            Err(rustix::io::Errno::OPNOTSUPP) => write_zeros(&file, len)?,
            Err(error) => {
                // Half an allocation would keep the room that others could use.
                drop(fs::remove_file(self.folder.join(SPARE)));
                return Err(error.into());
            }
        }
        file.sync_all()?;
        *spare_len = Some(len);
        Ok(())
    }
}

const SPARE: &str = "spare";
const MARK: &str = "mark";

/// For file systems that cannot preallocate.
fn write_zeros(file: &File, len: u64) -> io::Result<()> {
    let zeros = vec![0_u8; 1 << 20];
    let mut at = 0_u64;
    while at < len {
        let count = usize::try_from(len.saturating_sub(at)).unwrap_or(usize::MAX);
        let part = zeros.get(..count.min(zeros.len())).unwrap_or_default();
        file.write_all_at(part, at)?;
        at = at.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
    }
    Ok(())
}

impl Storage for FileStorage {
    fn segments(&self) -> io::Result<Vec<Segment>> {
        let mut segments = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let start = name.to_str().and_then(|name| name.strip_suffix(".seg"));
            let start = start.filter(|start| start.len() == 20).and_then(|s| s.parse().ok());
            if let Some(start) = start.map(LogOffset::from_bytes) {
                segments.push(Segment { start, len: entry.metadata()?.len() });
            }
        }
        segments.sort_unstable_by_key(|segment| segment.start);
        Ok(segments)
    }

    fn create(&self, start: LogOffset, len: u64) -> io::Result<()> {
        let mut spare_len = hold(&self.spare_len);
        let path = self.path(start);
        if path.try_exists()? {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if *spare_len != Some(len) {
            self.allocate(&mut spare_len, len)?;
        }
        *spare_len = None;
        fs::rename(self.folder.join(SPARE), path)?;
        sync_dir(&self.folder)
    }

    fn prepare(&self, len: u64) -> io::Result<()> {
        let mut spare_len = hold(&self.spare_len);
        if *spare_len == Some(len) { Ok(()) } else { self.allocate(&mut spare_len, len) }
    }

    fn write(&self, start: LogOffset, at: u64, bytes: &[u8]) -> io::Result<usize> {
        self.writer(start)?.write_at(bytes, at)
    }

    fn sync(&self, start: LogOffset) -> io::Result<()> {
        Ok(fdatasync(self.writer(start)?)?)
    }

    fn read(&self, start: LogOffset, at: u64, into: &mut [u8]) -> io::Result<usize> {
        self.reader(start)?.read_at(into, at)
    }

    fn mark(&self) -> io::Result<Mark> {
        let mut mark = Mark::default();
        match File::open(self.folder.join(MARK)) {
            // A mark that was cut short was never put down.
            Ok(file) => match file.read_exact_at(&mut mark, 0) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Mark::default()),
                read => read.map(|()| mark),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(mark),
            Err(error) => Err(error),
        }
    }

    fn put_mark(&self, mark: &Mark) -> io::Result<()> {
        let path = self.folder.join(MARK);
        let is_new = !path.try_exists()?;
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        file.write_all_at(mark, 0)?;
        file.sync_all()?;
        if is_new { sync_dir(&self.folder) } else { Ok(()) }
    }
}
