//! Segments as preallocated files, `%020d.seg`, named by where they begin in the log.
//!
//! A segment gets its name only when it is whole: it is allocated and synced under
//! another name first. The next one is made ready beside the log, so that a full
//! segment costs the writer a rename.
//!
//! A thinned segment is `%020d.thin`, as long as its frames. It too gets its name only when it is
//! whole and synced, and counts once the file of the same number in `.seg` is gone.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use rustix::fs::{Advice, FallocateFlags, fadvise, fallocate};

use super::{Form, Mark, sectors::SectorFile};
use crate::{
    DataDir, LogOffset, Segment, Storage, data_dir::sync_dir, hold::hold,
    limits::THINNING_RESERVE_LEN,
};

/// The journal's folder of a data directory, which stays locked while this exists.
#[derive(Debug)]
pub struct FileStorage {
    folder: PathBuf,
    /// The one handle that writes and syncs: a failed sync is told to the handle that wrote.
    writing: Mutex<Option<(LogOffset, SectorFile)>>,
    reading: Mutex<Option<(LogOffset, Arc<File>)>>,
    /// The length of the file that waits under the name `spare`.
    spare_len: Mutex<Option<u64>>,
    /// Held while the names are read, and while one of them goes.
    names: Mutex<()>,
    held: Option<DataDir>,
    /// Bytes that a thinning leaves free.
    reserve: u64,
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
        if held.is_some() {
            for unfinished in [SPARE, THINNING] {
                gone(&folder.join(unfinished))?;
            }
        }
        let (writing, reading) = (Mutex::new(None), Mutex::new(None));
        Ok(Self {
            folder,
            writing,
            reading,
            spare_len: Mutex::new(None),
            names: Mutex::new(()),
            held,
            reserve: THINNING_RESERVE_LEN,
        })
    }

    fn path(&self, start: LogOffset) -> PathBuf {
        self.folder.join(format!("{:020}.seg", start.bytes()))
    }

    fn thinned(&self, start: LogOffset) -> PathBuf {
        self.folder.join(format!("{:020}.thin", start.bytes()))
    }

    /// Does something with the handle that writes.
    fn with_writer<T>(
        &self,
        start: LogOffset,
        work: impl FnOnce(&mut SectorFile) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut writing = hold(&self.writing);
        match writing.as_mut().filter(|(open, _)| *open == start) {
            Some((_, file)) => work(file),
            None => {
                let file = SectorFile::open(&self.path(start))?;
                let (_, file) = writing.insert((start, file));
                work(file)
            }
        }
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

    /// Refuses what would leave the recording too little room.
    fn check_room(&self, len: usize) -> io::Result<()> {
        let system = rustix::fs::statvfs(&self.folder)?;
        let free = system.f_bavail.saturating_mul(system.f_frsize);
        let wanted = u64::try_from(len).unwrap_or(u64::MAX).saturating_add(self.reserve);
        if free >= wanted {
            return Ok(());
        }
        let words = format!("{free} bytes are free, and {wanted} have to be");
        Err(io::Error::new(io::ErrorKind::StorageFull, words))
    }

    fn write_thinned(&self, start: LogOffset, bytes: &[u8]) -> io::Result<()> {
        let unfinished = self.folder.join(THINNING);
        let file = File::create(&unfinished)?;
        file.write_all_at(bytes, 0)?;
        file.sync_all()?;
        // So that it is read back from the disk; where that is not done it is read from memory.
        let _ = fadvise(&file, 0, None, Advice::DontNeed);
        fs::rename(unfinished, self.thinned(start))?;
        sync_dir(&self.folder)
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
/// A thinned segment that is not whole yet.
const THINNING: &str = "thinning";

/// The form and the place that a file's name tells.
fn named(name: &str) -> Option<(LogOffset, Form)> {
    let (start, end) = name.split_once('.')?;
    let form = match end {
        "seg" => Form::Whole,
        "thin" => Form::Thinned,
        _ => return None,
    };
    let start = start.parse().ok().filter(|_| start.len() == 20)?;
    Some((LogOffset::from_bytes(start), form))
}

/// Takes a file away if it is there.
fn gone(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

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
        let _names = hold(&self.names);
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let Some((start, form)) = entry.file_name().to_str().and_then(named) else { continue };
            segments.push(Segment { start, len: entry.metadata()?.len(), form });
        }
        // Where both are there, the whole one comes first and counts.
        segments.sort_unstable_by_key(|it| (it.start, it.form == Form::Thinned));
        segments.dedup_by_key(|it| it.start);
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
        self.with_writer(start, |file| file.write(at, bytes))?;
        Ok(bytes.len())
    }

    fn sync(&self, start: LogOffset) -> io::Result<()> {
        self.with_writer(start, |file| file.sync())
    }

    fn read(&self, start: LogOffset, at: u64, into: &mut [u8]) -> io::Result<usize> {
        self.reader(start)?.read_at(into, at)
    }

    fn read_thinned(&self, start: LogOffset) -> io::Result<Vec<u8>> {
        fs::read(self.thinned(start))
    }

    fn put_thinned(&self, start: LogOffset, bytes: &[u8]) -> io::Result<()> {
        self.check_room(bytes.len())?;
        if let Some(dir) = &self.held {
            dir.allow_thinned()?;
        }
        let written = self.write_thinned(start, bytes);
        if written.is_err() {
            // Half a file would keep the room that the recording needs.
            drop(fs::remove_file(self.folder.join(THINNING)));
        }
        written
    }

    fn drop_thinned(&self, start: LogOffset) -> io::Result<()> {
        let _names = hold(&self.names);
        if !self.path(start).try_exists()? {
            return Err(io::ErrorKind::NotFound.into());
        }
        gone(&self.thinned(start))?;
        sync_dir(&self.folder)
    }

    fn drop_whole(&self, start: LogOffset) -> io::Result<()> {
        if !self.thinned(start).try_exists()? {
            return Err(io::ErrorKind::NotFound.into());
        }
        {
            let _names = hold(&self.names);
            fs::remove_file(self.path(start))?;
        }
        hold(&self.reading).take_if(|(open, _)| *open == start);
        sync_dir(&self.folder)
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

#[cfg(test)]
mod tests {
    use super::*;

    const START: LogOffset = LogOffset::from_bytes(0);

    fn names(storage: &FileStorage) -> Vec<String> {
        let names = fs::read_dir(&storage.folder).unwrap();
        let mut names: Vec<String> =
            names.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_would_take_the_last_room_is_not_written() {
        let place = tempfile::tempdir().unwrap();
        let dir = DataDir::open(place.path()).unwrap();
        let mut storage = FileStorage::open(&dir).unwrap();
        storage.create(START, 4_096).unwrap();
        let before = names(&storage);
        storage.reserve = u64::MAX / 2;
        let refused = storage.put_thinned(START, &[7; 100]).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
        assert_eq!(names(&storage), before);
        // It is no directory of a later format yet.
        assert_eq!(fs::read_to_string(dir.path().join("FORMAT")).unwrap(), "wardline 1\n");
        storage.reserve = 0;
        storage.put_thinned(START, &[7; 100]).unwrap();
        assert_eq!(storage.read_thinned(START).unwrap(), [7; 100]);
    }

    #[test]
    fn half_a_thinned_form_is_left_neither_by_an_error_nor_by_an_end() {
        let place = tempfile::tempdir().unwrap();
        let dir = DataDir::open(place.path()).unwrap();
        let storage = FileStorage::open(&dir).unwrap();
        storage.create(START, 4_096).unwrap();
        let before = names(&storage);
        // Where the name is taken by a folder, the last step fails.
        fs::create_dir(storage.thinned(START)).unwrap();
        storage.put_thinned(START, &[7; 100]).unwrap_err();
        fs::remove_dir(storage.thinned(START)).unwrap();
        assert_eq!(names(&storage), before);
        fs::write(storage.folder.join(THINNING), [7; 50]).unwrap();
        let storage = FileStorage::open(&dir).unwrap();
        assert_eq!(names(&storage), before);
        // One that does not count yet goes; one that counts never does.
        storage.put_thinned(START, &[7; 100]).unwrap();
        storage.drop_thinned(START).unwrap();
        assert_eq!(names(&storage), before);
        storage.put_thinned(START, &[7; 100]).unwrap();
        storage.drop_whole(START).unwrap();
        storage.drop_thinned(START).unwrap_err();
        assert_eq!(storage.read_thinned(START).unwrap(), [7; 100]);
    }
}
