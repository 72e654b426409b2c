//! A disk for tests: it forgets what was not synced, writes less than it was given,
//! fills up, breaks, loses power, and remembers everything that was asked of it.
//!
//! What a crash leaves is drawn from a seed: nothing unsynced, a prefix of it, all of
//! it, or any mixture of sectors, as real disks write back in any order.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Arc, Condvar, Mutex, PoisonError},
};

use super::Mark;
use crate::{LogOffset, Segment, Storage, hold::hold};

const SECTOR: usize = 512;

/// A handle on the disk; clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct FaultyDisk(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    disk: Mutex<Disk>,
    /// Woken when held syncs may go on.
    released: Condvar,
}

/// One call that the disk saw, in the order of their ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Happened {
    Created { start: LogOffset },
    Wrote { start: LogOffset, at: u64, len: usize },
    Synced { start: LogOffset },
    Failed,
}

#[derive(Debug, Default)]
struct Disk {
    segments: BTreeMap<LogOffset, Platter>,
    happened: Vec<Happened>,
    calls: u64,
    /// The call at which the power goes.
    power_until: Option<u64>,
    fail_sync_in: Option<u64>,
    fail_write_in: Option<u64>,
    /// How many bytes of new segments still fit.
    room: Option<u64>,
    /// Draws how little a write takes.
    short_writes: Option<Draw>,
    mark: Mark,
    syncs_held: bool,
    syncs_lie: bool,
}

#[derive(Clone, Debug, Default)]
struct Platter {
    /// What a reader sees.
    seen: Vec<u8>,
    /// What is certain to survive.
    kept: Vec<u8>,
    /// Sectors in which the two may differ.
    unsynced: BTreeSet<usize>,
}

/// A small generator of numbers (SplitMix64): the same seed gives the same faults.
#[derive(Clone, Debug)]
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.next().checked_rem(bound).unwrap_or(0)).unwrap_or(0)
    }
}

impl FaultyDisk {
    /// An empty disk without a fault.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cuts the power at the given call from now on: it and all later ones fail.
    pub fn cut_power_in(&self, calls: u64) {
        let mut disk = hold(&self.0.disk);
        disk.power_until = Some(disk.calls.saturating_add(calls));
    }

    /// Whether the power is gone.
    pub fn is_dark(&self) -> bool {
        hold(&self.0.disk).is_dark()
    }

    /// Makes the given sync from now on fail once; 0 is the next one.
    pub fn fail_sync_in(&self, syncs: u64) {
        hold(&self.0.disk).fail_sync_in = Some(syncs);
    }

    /// Makes the given write from now on fail once; 0 is the next one.
    pub fn fail_write_in(&self, writes: u64) {
        hold(&self.0.disk).fail_write_in = Some(writes);
    }

    /// Leaves room for so many bytes of new segments; `None` is a disk without end.
    pub fn set_room(&self, bytes: Option<u64>) {
        hold(&self.0.disk).room = bytes;
    }

    /// Lets writes take fewer bytes than they are given.
    pub fn write_short(&self, seed: u64) {
        hold(&self.0.disk).short_writes = Some(Draw(seed));
    }

    /// Keeps every sync waiting until [`Self::release_syncs`].
    pub fn hold_syncs(&self) {
        hold(&self.0.disk).syncs_held = true;
    }

    /// Lets the waiting syncs and all later ones go on.
    pub fn release_syncs(&self) {
        hold(&self.0.disk).syncs_held = false;
        self.0.released.notify_all();
    }

    /// Makes syncs answer at once and keep nothing, as if nobody had called them.
    pub fn lie_about_syncs(&self) {
        hold(&self.0.disk).syncs_lie = true;
    }

    /// Everything that was asked of the disk so far.
    pub fn happened(&self) -> Vec<Happened> {
        hold(&self.0.disk).happened.clone()
    }

    /// Flips one bit of a segment, in what is seen and in what is kept.
    pub fn rot(&self, start: LogOffset, at: usize) {
        let mut disk = hold(&self.0.disk);
        if let Some(platter) = disk.segments.get_mut(&start) {
            for bytes in [&mut platter.seen, &mut platter.kept] {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 0x10;
                }
            }
        }
    }

    /// The disk that a restart finds if the power goes now and nothing unsynced survives.
    pub fn after_worst_crash(&self) -> Self {
        self.survivor(|_, _| {})
    }

    /// The disk that a restart finds if the power goes now; `seed` draws what survives.
    pub fn after_crash(&self, seed: u64) -> Self {
        let mut draw = Draw(seed);
        self.survivor(|platter, sectors| match draw.below(4) {
            0 => {}
            1 => {
                // Everything up to some byte.
                let cut = draw.below(sectors.len().saturating_mul(SECTOR).saturating_add(1));
                let whole = cut / SECTOR;
                for sector in sectors.get(..whole).unwrap_or_default() {
                    platter.keep(*sector, SECTOR);
                }
                if let Some(sector) = sectors.get(whole) {
                    platter.keep(*sector, cut % SECTOR);
                }
            }
            2 => {
                for sector in sectors {
                    if draw.below(2) == 0 {
                        platter.keep(*sector, SECTOR);
                    }
                }
            }
            _ => {
                for sector in sectors {
                    platter.keep(*sector, SECTOR);
                }
            }
        })
    }

    fn survivor(&self, mut survive: impl FnMut(&mut Platter, &[usize])) -> Self {
        let (segments, mark) = {
            let disk = hold(&self.0.disk);
            (disk.segments.clone(), disk.mark)
        };
        let segments = segments.into_iter().map(|(start, mut platter)| {
            let sectors: Vec<_> = std::mem::take(&mut platter.unsynced).into_iter().collect();
            survive(&mut platter, &sectors);
            platter.seen.clone_from(&platter.kept);
            (start, platter)
        });
        let disk = Disk { segments: segments.collect(), mark, ..Disk::default() };
        Self(Arc::new(Shared { disk: Mutex::new(disk), released: Condvar::new() }))
    }
}

impl Platter {
    /// Lets the first `len` bytes of a sector reach the disk.
    fn keep(&mut self, sector: usize, len: usize) {
        let from = sector.saturating_mul(SECTOR);
        let to = from.saturating_add(len).min(self.seen.len());
        if let (Some(kept), Some(seen)) = (self.kept.get_mut(from..to), self.seen.get(from..to)) {
            kept.copy_from_slice(seen);
        }
    }
}

impl Disk {
    fn is_dark(&self) -> bool {
        self.power_until.is_some_and(|until| self.calls >= until)
    }

    /// Counts a call and says whether there is still power.
    fn call(&mut self) -> io::Result<()> {
        self.calls = self.calls.saturating_add(1);
        if self.is_dark() {
            self.happened.push(Happened::Failed);
            return Err(io::Error::other("the power is gone"));
        }
        Ok(())
    }

    fn platter(&mut self, start: LogOffset) -> io::Result<&mut Platter> {
        self.segments.get_mut(&start).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// Counts down to a fault; true when it is due.
fn due(countdown: &mut Option<u64>) -> bool {
    let now = *countdown == Some(0);
    *countdown = countdown.and_then(|left| left.checked_sub(1));
    now
}

impl Storage for FaultyDisk {
    fn segments(&self) -> io::Result<Vec<Segment>> {
        let disk = hold(&self.0.disk);
        let segment = |(start, platter): (&LogOffset, &Platter)| Segment {
            start: *start,
            len: u64::try_from(platter.seen.len()).unwrap_or(u64::MAX),
        };
        Ok(disk.segments.iter().map(segment).collect())
    }

    fn create(&self, start: LogOffset, len: u64) -> io::Result<()> {
        let mut disk = hold(&self.0.disk);
        disk.call()?;
        if let Some(room) = disk.room {
            let left = room.checked_sub(len);
            disk.room = Some(left.ok_or(io::ErrorKind::StorageFull)?);
        }
        if disk.segments.contains_key(&start) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let zeros = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        let platter = Platter { seen: zeros.clone(), kept: zeros, unsynced: BTreeSet::new() };
        disk.segments.insert(start, platter);
        disk.happened.push(Happened::Created { start });
        Ok(())
    }

    fn prepare(&self, _len: u64) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, start: LogOffset, at: u64, bytes: &[u8]) -> io::Result<usize> {
        let mut disk = hold(&self.0.disk);
        disk.call()?;
        if due(&mut disk.fail_write_in) {
            disk.happened.push(Happened::Failed);
            return Err(io::Error::other("the disk reports an input/output error"));
        }
        let draw = disk.short_writes.as_mut();
        let len = draw
            .map_or(bytes.len(), |draw| draw.below(bytes.len()).saturating_add(1).min(bytes.len()));
        let platter = disk.platter(start)?;
        let from = usize::try_from(at).unwrap_or(usize::MAX);
        let to = from.saturating_add(len);
        match (platter.seen.get_mut(from..to), bytes.get(..len)) {
            (Some(seen), Some(bytes)) => seen.copy_from_slice(bytes),
            _ => return Err(io::Error::other("a write beyond the end of its segment")),
        }
        platter.unsynced.extend(from / SECTOR..to.div_ceil(SECTOR));
        disk.happened.push(Happened::Wrote { start, at, len });
        Ok(len)
    }

    fn sync(&self, start: LogOffset) -> io::Result<()> {
        let mut disk = hold(&self.0.disk);
        while disk.syncs_held {
            disk = self.0.released.wait(disk).unwrap_or_else(PoisonError::into_inner);
        }
        disk.call()?;
        if due(&mut disk.fail_sync_in) {
            disk.happened.push(Happened::Failed);
            // As kernels do it: the pages look clean from now on, and were not written.
            disk.platter(start)?.unsynced.clear();
            return Err(io::Error::other("the disk reports an input/output error"));
        }
        if disk.syncs_lie {
            return Ok(());
        }
        let platter = disk.platter(start)?;
        for sector in std::mem::take(&mut platter.unsynced) {
            platter.keep(sector, SECTOR);
        }
        disk.happened.push(Happened::Synced { start });
        Ok(())
    }

    fn read(&self, start: LogOffset, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut disk = hold(&self.0.disk);
        let platter = disk.platter(start)?;
        let from = usize::try_from(at).unwrap_or(usize::MAX).min(platter.seen.len());
        let to = from.saturating_add(into.len()).min(platter.seen.len());
        let bytes = platter.seen.get(from..to).unwrap_or_default();
        if let Some(into) = into.get_mut(..bytes.len()) {
            into.copy_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn mark(&self) -> io::Result<Mark> {
        Ok(hold(&self.0.disk).mark)
    }

    fn put_mark(&self, mark: &Mark) -> io::Result<()> {
        let mut disk = hold(&self.0.disk);
        if disk.is_dark() {
            return Err(io::Error::other("the power is gone"));
        }
        disk.mark = *mark;
        Ok(())
    }
}
