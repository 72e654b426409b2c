//! Writes to a segment past the page cache, in whole sectors: what a small commit costs the
//! disk is the sectors that it touches, and not the pages.
//!
//! Blocks that were only reserved cost a note of the file system's own with the first write
//! to each. So a small write goes on with zeros for a stretch, and the ones after it find
//! blocks that are written already ([`AHEAD`]). A large one is not made longer.
//!
//! A file system that cannot do this, or a file whose length is no multiple of a page, is
//! written through the page cache as before.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{OFlags, fdatasync},
    io::Errno,
};

/// Lengths of a sector that are tried, the shortest first.
const SECTORS: [usize; 2] = [512, 4_096];
/// Where memory begins that a disk may read from, and what a file's length must be a multiple of.
const PAGE: usize = 4_096;
/// How far a small write makes blocks ready, at the most.
const AHEAD: u64 = 256 << 10;
/// A write from this length on is not made longer.
const LARGE_LEN: usize = 32 << 10;
/// More than this is given back after a large write.
const KEPT_LEN_MAX: usize = 8 << 20;

/// A segment that is written from its beginning to its end.
#[derive(Debug)]
pub(super) struct SectorFile {
    path: PathBuf,
    file: File,
    len: u64,
    /// The length of a sector; none if writes go through the page cache.
    sector: Option<usize>,
    buffer: Aligned,
    /// Where the last write ended, and what stands in its last sector before that.
    end: Option<(u64, Vec<u8>)>,
    /// Up to here blocks were written since the file was opened.
    ready_to: u64,
}

impl SectorFile {
    /// Opens a file for writing, past the page cache if its file system allows that.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let len = path.metadata()?.len();
        let pages = len > 0 && len.is_multiple_of(count(PAGE));
        match pages.then(|| Self::direct(path, len)).flatten() {
            Some(direct) => Ok(direct),
            None => Self::cached(path, len),
        }
    }

    fn cached(path: &Path, len: u64) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).open(path)?;
        Ok(Self::over(path, file, len, None))
    }

    fn direct(path: &Path, len: u64) -> Option<Self> {
        let flag = i32::try_from(OFlags::DIRECT.bits()).ok()?;
        let file = OpenOptions::new().read(true).write(true).custom_flags(flag).open(path).ok()?;
        let mut buffer = Aligned::default();
        // Which lengths it takes is told by trying.
        let takes = |sector: &usize| {
            let room = buffer.room(*sector);
            room.and_then(|room| file.read_at(room, 0)).is_ok_and(|read| read == *sector)
        };
        let sector = SECTORS.into_iter().find(takes)?;
        Some(Self::over(path, file, len, Some(sector)))
    }

    fn over(path: &Path, file: File, len: u64, sector: Option<usize>) -> Self {
        let path = path.to_owned();
        Self { path, file, len, sector, buffer: Aligned::default(), end: None, ready_to: 0 }
    }

    /// Writes all of `bytes` at `at`. What stands behind them may become zeros.
    pub(super) fn write(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let Some(sector) = self.sector else { return self.file.write_all_at(bytes, at) };
        let end = at.saturating_add(count(bytes.len()));
        if end > self.len {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it ends behind the segment"));
        }
        let until = self.until(end, bytes.len(), sector);
        match self.write_between(floor(at, sector), until, sector, (at, bytes)) {
            Ok(()) => {
                self.ready_to = self.ready_to.max(until);
                Ok(())
            }
            // What it lets be read it need not let be written.
            Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {
                self.end = None;
                self.step_down(sector)?;
                self.write(at, bytes)
            }
            Err(error) => {
                self.end = None;
                Err(error)
            }
        }
    }

    /// Goes on with longer sectors, or through the page cache.
    fn step_down(&mut self, sector: usize) -> io::Result<()> {
        match SECTORS.into_iter().find(|longer| *longer > sector) {
            Some(longer) => self.sector = Some(longer),
            None => *self = Self::cached(&self.path, self.len)?,
        }
        Ok(())
    }

    /// Returns when a crash can no longer lose what was written.
    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(fdatasync(&self.file)?)
    }

    /// Where a write ends that has `len` bytes before `end`.
    fn until(&self, end: u64, len: usize, sector: usize) -> u64 {
        let whole = end.next_multiple_of(count(sector));
        if len >= LARGE_LEN || whole <= self.ready_to {
            return whole;
        }
        end.next_multiple_of(AHEAD).min(self.len)
    }

    fn write_between(
        &mut self,
        first: u64,
        until: u64,
        sector: usize,
        (at, bytes): (u64, &[u8]),
    ) -> io::Result<()> {
        let room = self.buffer.room(length(until, first)?)?;
        room.fill(0);
        let (before, rest) = room.split_at_mut_checked(length(at, first)?).ok_or_else(short)?;
        match &self.end {
            Some((end, known)) if *end == at => before.copy_from_slice(known),
            Some(_) | None if before.is_empty() => {}
            Some(_) | None => {
                let mut found = Aligned::default();
                let found = found.room(sector)?;
                self.file.read_exact_at(found, first)?;
                before.copy_from_slice(found.get(..before.len()).ok_or_else(short)?);
            }
        }
        rest.get_mut(..bytes.len()).ok_or_else(short)?.copy_from_slice(bytes);
        self.file.write_all_at(room, first)?;
        let end = at.saturating_add(count(bytes.len()));
        let last = length(floor(end, sector), first)?;
        let known = room.get(last..length(end, first)?).ok_or_else(short)?;
        self.end = Some((end, known.to_vec()));
        self.buffer.shrink();
        Ok(())
    }
}

/// Memory that begins where a disk may read from.
#[derive(Debug, Default)]
struct Aligned(Vec<u8>);

impl Aligned {
    fn room(&mut self, len: usize) -> io::Result<&mut [u8]> {
        let whole = len.saturating_add(PAGE);
        if self.0.len() < whole {
            self.0.resize(whole, 0);
        }
        let from = self.0.as_ptr().align_offset(PAGE);
        self.0.get_mut(from..from.saturating_add(len)).ok_or_else(short)
    }

    fn shrink(&mut self) {
        if self.0.len() > KEPT_LEN_MAX {
            self.0 = Vec::new();
        }
    }
}

/// How many bytes stand from `from` to `to`.
fn length(to: u64, from: u64) -> io::Result<usize> {
    usize::try_from(to.saturating_sub(from)).map_err(io::Error::other)
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// Where the sector begins in which `at` stands.
fn floor(at: u64, sector: usize) -> u64 {
    at.saturating_sub(at.checked_rem(count(sector)).unwrap_or(0))
}

fn short() -> io::Error {
    io::Error::other("a buffer is shorter than what is written")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LEN: u64 = 1 << 20;

    fn file() -> (tempfile::TempDir, std::path::PathBuf) {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.seg");
        File::create(&path).unwrap().set_len(LEN).unwrap();
        (place, path)
    }

    /// A file on a file system that takes whole sectors; where none does, nothing is shown.
    fn direct(path: &Path) -> Option<SectorFile> {
        let direct = SectorFile::direct(path, LEN);
        if direct.is_none() {
            eprintln!("NOT RUN: the file system of {} takes no direct writes", path.display());
        }
        direct
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// As a journal does it: on and on, now and then from an earlier place, and opened anew.
        #[test]
        fn what_is_written_in_sectors_is_what_is_written_through_the_cache(
            steps in prop::collection::vec((0_usize..70_000, 0_usize..1_500, 0_u8..8), 1..24)
        ) {
            let ((_a, plain), (_b, path)) = (file(), file());
            let mut cached = SectorFile::cached(&plain, LEN).unwrap();
            let Some(mut sectors) = direct(&path) else { return Ok(()) };
            let (mut at, mut behind) = (0_u64, 0_u64);
            for (number, (long, short, what)) in steps.into_iter().enumerate() {
                let bytes = vec![number as u8 + 1; if what == 0 { long } else { short }];
                if what == 1 {
                    at = at.saturating_sub(short as u64);
                }
                if what == 2 {
                    sectors = direct(&path).unwrap();
                }
                if at + bytes.len() as u64 > LEN {
                    break;
                }
                // What stands behind an earlier place may become zeros, and does not count.
                cached.write(at, &vec![0; length(behind, at).unwrap()]).unwrap();
                cached.write(at, &bytes).unwrap();
                sectors.write(at, &bytes).unwrap();
                at += bytes.len() as u64;
                behind = behind.max(at);
                let read = |path: &Path| std::fs::read(path).unwrap();
                let (want, got) = (read(&plain), read(&path));
                prop_assert_eq!(want.len(), got.len());
                prop_assert!(want[..at as usize] == got[..at as usize]);
                // Behind the end stand zeros or what stood there.
                let rest = |bytes: &[u8]| bytes[at as usize..].iter().all(|byte| *byte == 0);
                prop_assert!(rest(&want));
                prop_assert!(what == 1 || behind > at || rest(&got));
            }
        }
    }

    #[test]
    fn a_small_write_makes_blocks_ready_and_a_large_one_does_not() {
        let (_place, path) = file();
        let Some(mut file) = direct(&path) else { return };
        file.write(0, &[1; 600]).unwrap();
        assert_eq!(file.ready_to, AHEAD);
        file.write(600, &[1; 600]).unwrap();
        assert_eq!(file.ready_to, AHEAD);
        file.write(1_200, &vec![1; AHEAD as usize]).unwrap();
        assert_eq!(file.ready_to, (1_200 + AHEAD).next_multiple_of(512));
        file.write(1_200 + AHEAD, &[1; 600]).unwrap();
        assert_eq!(file.ready_to, 2 * AHEAD);
    }

    #[test]
    fn nothing_is_written_behind_the_end_of_a_segment() {
        let (_place, path) = file();
        let Some(mut file) = direct(&path) else { return };
        file.write(LEN - 100, &[1; 100]).unwrap();
        assert_eq!(file.ready_to, LEN);
        file.write(LEN - 100, &[1; 101]).unwrap_err();
        assert_eq!(path.metadata().unwrap().len(), LEN);
    }

    #[test]
    fn what_a_disk_does_not_take_is_written_in_longer_sectors_and_then_through_the_cache() {
        let (_place, path) = file();
        let Some(mut file) = direct(&path) else { return };
        file.write(0, &[1; 600]).unwrap();
        let first = file.sector.unwrap();
        while let Some(sector) = file.sector {
            file.end = None;
            file.step_down(sector).unwrap();
            assert!(file.sector.is_none_or(|longer| longer > first));
            file.write(600, &[2; 600]).unwrap();
        }
        let read = std::fs::read(&path).unwrap();
        assert!(read[..600] == [1; 600] && read[600..1_200] == [2; 600]);
        assert!(read[1_200..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn an_odd_length_is_written_through_the_cache() {
        let (_place, path) = file();
        File::options().write(true).open(&path).unwrap().set_len(LEN - 1).unwrap();
        let mut file = SectorFile::open(&path).unwrap();
        assert_eq!(file.sector, None);
        file.write(LEN - 4, &[1; 3]).unwrap();
        assert_eq!(path.metadata().unwrap().len(), LEN - 1);
    }
}
