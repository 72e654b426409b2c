//! A disk for tests: it forgets what was not synced, writes less than it was given,
//! fills up, breaks, loses power, and remembers everything that was asked of it.
//!
//! What a crash leaves is drawn from a seed: nothing unsynced, a prefix of it, all of
//! it, or any mixture of sectors, as real disks write back in any order.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use super::{Draw, Form, Mark};
use crate::{LogOffset, Segment, Storage, hold::hold};

const SECTOR: usize = 512;

/// A kind of fault that the disk can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// A write took fewer bytes than it was given.
    ShortWrite,
    /// A write failed with EIO.
    WriteError,
    /// A sync failed with EIO; the pages look clean from then on.
    SyncError,
    /// A read failed with EIO.
    ReadError,
    /// A segment could not be made, with EIO.
    CreateError,
    /// There was no room for a segment: ENOSPC.
    FullOnCreate,
    /// There was no room in the middle of a write: ENOSPC.
    FullOnWrite,
    /// The mark could not be put down, with EIO.
    MarkError,
    /// A bit was flipped.
    BitFlip,
    /// The power went.
    PowerCut,
    /// A crash took something that had been written and not synced.
    LostWrites,
    /// A crash kept a sector that was written after one that it took.
    ReorderedWrites,
    /// A crash kept the first part of a sector.
    TornSector,
    /// A whole segment was gone.
    LostSegment,
}

impl Fault {
    /// All of them, in the order of a report.
    pub const ALL: [Self; 14] = [
        Self::ShortWrite,
        Self::WriteError,
        Self::SyncError,
        Self::ReadError,
        Self::CreateError,
        Self::FullOnCreate,
        Self::FullOnWrite,
        Self::MarkError,
        Self::BitFlip,
        Self::PowerCut,
        Self::LostWrites,
        Self::ReorderedWrites,
        Self::TornSector,
        Self::LostSegment,
    ];

    /// Its name in a report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ShortWrite => "short write",
            Self::WriteError => "EIO on write",
            Self::SyncError => "EIO on sync",
            Self::ReadError => "EIO on read",
            Self::CreateError => "EIO on create",
            Self::FullOnCreate => "ENOSPC on create",
            Self::FullOnWrite => "ENOSPC on write",
            Self::MarkError => "EIO on mark",
            Self::BitFlip => "bit flip",
            Self::PowerCut => "power cut",
            Self::LostWrites => "lost writes",
            Self::ReorderedWrites => "reordered writes",
            Self::TornSector => "torn sector",
            Self::LostSegment => "lost segment",
        }
    }
}

/// A handle on the disk; clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct FaultyDisk(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    disk: Mutex<Disk>,
    /// Woken when held syncs may go on, when one begins to wait, and when a call fails.
    stirred: Condvar,
}

/// One call that the disk saw, in the order of their ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Happened {
    Created { start: LogOffset },
    Wrote { start: LogOffset, at: u64, len: usize },
    Synced { start: LogOffset },
    Thinned { start: LogOffset, len: usize },
    Dropped { start: LogOffset },
    Failed,
}

#[derive(Debug, Default)]
struct Disk {
    segments: BTreeMap<LogOffset, Platter>,
    /// Thinned forms, whole and synced.
    thinned: BTreeMap<LogOffset, Arc<Vec<u8>>>,
    /// Whole forms that were taken away, which a crash may bring back.
    dropped: BTreeMap<LogOffset, Platter>,
    happened: Vec<Happened>,
    calls: u64,
    /// The call at which the power goes.
    power_until: Option<u64>,
    /// Faults that wait for their call, each with how many calls of its kind come before.
    armed: BTreeMap<Fault, u64>,
    fired: BTreeMap<Fault, u64>,
    /// How many bytes of new segments still fit.
    room: Option<u64>,
    /// Draws how little a write takes.
    short_writes: Option<Draw>,
    mark: Mark,
    syncs_held: bool,
    /// How many syncs wait to be released.
    syncs_waiting: u64,
    /// How many calls failed since syncs were held.
    failed_since_held: u64,
    marks_held: bool,
    /// Marks that wait to be released.
    marks_waiting: u64,
    syncs_lie: bool,
}

#[derive(Clone, Debug, Default)]
struct Platter {
    /// What a reader sees.
    seen: Arc<Vec<u8>>,
    /// What is certain to survive.
    kept: Arc<Vec<u8>>,
    /// Whether a failed sync left the two different in sectors that look clean.
    differs: bool,
    /// Sectors in which the two may differ.
    unsynced: BTreeSet<usize>,
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
        self.fail_in(Fault::SyncError, syncs);
    }

    /// Makes the given write from now on fail once; 0 is the next one.
    pub fn fail_write_in(&self, writes: u64) {
        self.fail_in(Fault::WriteError, writes);
    }

    /// Makes a call fail once, after so many others of its kind. Only faults of single
    /// calls can be ordered so: errors of reading, writing, syncing, making and marking.
    pub fn fail_in(&self, fault: Fault, calls: u64) {
        hold(&self.0.disk).armed.insert(fault, calls);
    }

    /// Takes back every fault that was ordered and has not fired, and the power cut.
    pub fn disarm(&self) {
        let mut disk = hold(&self.0.disk);
        disk.armed.clear();
        disk.power_until = None;
    }

    /// Takes back one kind of fault that was ordered and has not fired.
    pub fn forget(&self, fault: Fault) {
        hold(&self.0.disk).armed.remove(&fault);
    }

    /// How often each fault fired, on this disk and on those it came from by crashes.
    pub fn fired(&self) -> BTreeMap<Fault, u64> {
        hold(&self.0.disk).fired.clone()
    }

    /// Leaves room for so many bytes of new segments; `None` is a disk without end.
    pub fn set_room(&self, bytes: Option<u64>) {
        hold(&self.0.disk).room = bytes;
    }

    /// Lets writes take fewer bytes than they are given.
    pub fn write_short(&self, seed: u64) {
        hold(&self.0.disk).short_writes = Some(Draw::from_seed(seed));
    }

    /// Keeps every sync waiting until [`Self::release_syncs`].
    pub fn hold_syncs(&self) {
        let mut disk = hold(&self.0.disk);
        (disk.syncs_held, disk.failed_since_held) = (true, 0);
    }

    /// Blocks until a sync waits to be released, or a call failed since syncs are held, and
    /// says whether a sync waits; `None` if neither came within `patience`.
    pub fn wait_for_a_held_sync(&self, patience: Duration) -> Option<bool> {
        let neither = |disk: &mut Disk| disk.syncs_waiting == 0 && disk.failed_since_held == 0;
        let waited = self.0.stirred.wait_timeout_while(hold(&self.0.disk), patience, neither);
        let (disk, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        (!timeout.timed_out()).then_some(disk.syncs_waiting > 0)
    }

    /// Lets the waiting syncs and all later ones go on.
    pub fn release_syncs(&self) {
        hold(&self.0.disk).syncs_held = false;
        self.0.stirred.notify_all();
    }

    /// Keeps whoever puts a mark down waiting until [`Self::release_marks`].
    pub fn hold_marks(&self) {
        hold(&self.0.disk).marks_held = true;
    }

    /// Blocks until a mark waits to be released; `false` if none came within `patience`.
    pub fn wait_for_a_held_mark(&self, patience: Duration) -> bool {
        let none = |disk: &mut Disk| disk.marks_waiting == 0;
        let waited = self.0.stirred.wait_timeout_while(hold(&self.0.disk), patience, none);
        let (disk, _) = waited.unwrap_or_else(PoisonError::into_inner);
        disk.marks_waiting > 0
    }

    /// Lets the waiting marks and all later ones go on.
    pub fn release_marks(&self) {
        hold(&self.0.disk).marks_held = false;
        self.0.stirred.notify_all();
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
                if let Some(byte) = Arc::make_mut(bytes).get_mut(at) {
                    *byte ^= 0x10;
                }
            }
            disk.count(Fault::BitFlip);
        } else if let Some(bytes) = disk.thinned.get_mut(&start) {
            if let Some(byte) = Arc::make_mut(bytes).get_mut(at) {
                *byte ^= 0x10;
            }
            disk.count(Fault::BitFlip);
        }
    }

    /// Takes a whole segment away, as a file that somebody deleted or forgot to copy.
    pub fn lose(&self, start: LogOffset) {
        let mut disk = hold(&self.0.disk);
        let whole = disk.segments.remove(&start).is_some();
        if disk.thinned.remove(&start).is_some() || whole {
            disk.count(Fault::LostSegment);
        }
    }

    /// A disk of the same content with its own fate, as a backup would be.
    pub fn copy(&self) -> Self {
        self.survivor(false, |platter, sectors, _| {
            for sector in sectors {
                platter.keep(*sector, SECTOR);
            }
        })
    }

    /// The disk that a restart finds if the power goes now and nothing unsynced survives.
    pub fn after_worst_crash(&self) -> Self {
        self.power_cut();
        self.survivor(true, |_, _, _| {})
    }

    /// The disk that a restart finds if the power goes now; `seed` draws what survives.
    pub fn after_crash(&self, seed: u64) -> Self {
        self.power_cut();
        let mut draw = Draw::from_seed(seed);
        let comes_back = Draw::from_seed(!seed).once_in(2);
        self.survivor(comes_back, |platter, sectors, fired| {
            let mut fire = |fault| count(fired, fault);
            match draw.below(4) {
                0 if sectors.is_empty() => {}
                0 => fire(Fault::LostWrites),
                1 => {
                    // Everything up to some byte.
                    let cut = draw.below(sectors.len().saturating_mul(SECTOR).saturating_add(1));
                    let whole = cut / SECTOR;
                    for sector in sectors.get(..whole).unwrap_or_default() {
                        platter.keep(*sector, SECTOR);
                    }
                    if let Some(sector) = sectors.get(whole) {
                        platter.keep(*sector, cut % SECTOR);
                        fire(Fault::LostWrites);
                        if !cut.is_multiple_of(SECTOR) {
                            fire(Fault::TornSector);
                        }
                    }
                }
                2 => {
                    let (mut lost, mut reordered) = (false, false);
                    for sector in sectors {
                        if draw.below(2) == 0 {
                            platter.keep(*sector, SECTOR);
                            reordered |= lost;
                        } else {
                            lost = true;
                        }
                    }
                    if lost {
                        fire(Fault::LostWrites);
                    }
                    if reordered {
                        fire(Fault::ReorderedWrites);
                    }
                }
                _ => {
                    for sector in sectors {
                        platter.keep(*sector, SECTOR);
                    }
                }
            }
        })
    }

    fn power_cut(&self) {
        hold(&self.0.disk).count(Fault::PowerCut);
    }

    /// `comes_back` says whether a name that was taken away and not synced is there again.
    fn survivor(
        &self,
        comes_back: bool,
        mut survive: impl FnMut(&mut Platter, &[usize], &mut BTreeMap<Fault, u64>),
    ) -> Self {
        let (mut segments, thinned, mark, mut fired, dropped) = {
            let disk = hold(&self.0.disk);
            let Disk { segments, thinned, mark, fired, dropped, .. } = &*disk;
            (segments.clone(), thinned.clone(), *mark, fired.clone(), dropped.clone())
        };
        if comes_back {
            segments.extend(dropped);
        }
        let segments = segments.into_iter().map(|(start, mut platter)| {
            if platter.unsynced.is_empty() && !platter.differs {
                return (start, platter);
            }
            let sectors: Vec<_> = std::mem::take(&mut platter.unsynced).into_iter().collect();
            survive(&mut platter, &sectors, &mut fired);
            platter.seen.clone_from(&platter.kept);
            platter.differs = false;
            (start, platter)
        });
        let segments = segments.collect();
        let disk = Disk { segments, thinned, mark, fired, ..Disk::default() };
        Self(Arc::new(Shared { disk: Mutex::new(disk), stirred: Condvar::new() }))
    }
}

impl Platter {
    /// Lets the first `len` bytes of a sector reach the disk.
    fn keep(&mut self, sector: usize, len: usize) {
        let from = sector.saturating_mul(SECTOR);
        let to = from.saturating_add(len).min(self.seen.len());
        let kept = Arc::make_mut(&mut self.kept).get_mut(from..to);
        if let (Some(kept), Some(seen)) = (kept, self.seen.get(from..to)) {
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
            self.failed();
            return Err(io::Error::other("the power is gone"));
        }
        Ok(())
    }

    fn count(&mut self, fault: Fault) {
        count(&mut self.fired, fault);
    }

    fn failed(&mut self) {
        self.happened.push(Happened::Failed);
        self.failed_since_held = self.failed_since_held.saturating_add(1);
    }

    /// Counts down to a fault of this kind, and fires it when it is due.
    fn due(&mut self, fault: Fault) -> bool {
        match self.armed.get_mut(&fault) {
            None => false,
            Some(0) => {
                self.armed.remove(&fault);
                self.count(fault);
                true
            }
            Some(left) => {
                *left = left.saturating_sub(1);
                false
            }
        }
    }

    fn platter(&mut self, start: LogOffset) -> io::Result<&mut Platter> {
        self.segments.get_mut(&start).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

fn count(fired: &mut BTreeMap<Fault, u64>, fault: Fault) {
    let count = fired.entry(fault).or_insert(0);
    *count = count.saturating_add(1);
}

fn broken() -> io::Error {
    io::Error::other("the disk reports an input/output error")
}

impl FaultyDisk {
    /// Does a call; whoever waits for a failure learns of it.
    fn call<T>(&self, call: impl FnOnce(&mut Disk) -> io::Result<T>) -> io::Result<T> {
        let mut disk = hold(&self.0.disk);
        let done = disk.call().and_then(|()| call(&mut disk));
        drop(disk);
        if done.is_err() {
            self.0.stirred.notify_all();
        }
        done
    }
}

impl Storage for FaultyDisk {
    fn segments(&self) -> io::Result<Vec<Segment>> {
        let disk = hold(&self.0.disk);
        let segment = |start: &LogOffset, len: usize, form| {
            let len = u64::try_from(len).unwrap_or(u64::MAX);
            Segment { start: *start, len, form }
        };
        let whole = disk.segments.iter();
        let whole = whole.map(|(start, it)| segment(start, it.seen.len(), Form::Whole));
        let thinned = disk.thinned.iter().filter(|(at, _)| !disk.segments.contains_key(at));
        let thinned = thinned.map(|(start, it)| segment(start, it.len(), Form::Thinned));
        let mut all: Vec<Segment> = whole.chain(thinned).collect();
        all.sort_unstable_by_key(|it| it.start);
        Ok(all)
    }

    fn create(&self, start: LogOffset, len: u64) -> io::Result<()> {
        self.call(|disk| {
            if disk.due(Fault::CreateError) {
                disk.failed();
                return Err(broken());
            }
            if let Some(room) = disk.room {
                let Some(left) = room.checked_sub(len) else {
                    disk.count(Fault::FullOnCreate);
                    disk.failed();
                    return Err(io::ErrorKind::StorageFull.into());
                };
                disk.room = Some(left);
            }
            if disk.segments.contains_key(&start) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            let zeros = Arc::new(vec![0; usize::try_from(len).unwrap_or(usize::MAX)]);
            let (seen, kept) = (Arc::clone(&zeros), zeros);
            let platter = Platter { seen, kept, differs: false, unsynced: BTreeSet::new() };
            disk.segments.insert(start, platter);
            disk.happened.push(Happened::Created { start });
            Ok(())
        })
    }

    fn prepare(&self, _len: u64) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, start: LogOffset, at: u64, bytes: &[u8]) -> io::Result<usize> {
        self.call(|disk| {
            if disk.due(Fault::WriteError) {
                disk.failed();
                return Err(broken());
            }
            if disk.due(Fault::FullOnWrite) {
                disk.failed();
                return Err(io::ErrorKind::StorageFull.into());
            }
            let draw = disk.short_writes.as_mut();
            let len = draw.map_or(bytes.len(), |draw| {
                draw.below(bytes.len()).saturating_add(1).min(bytes.len())
            });
            if len < bytes.len() {
                disk.count(Fault::ShortWrite);
            }
            let platter = disk.platter(start)?;
            let from = usize::try_from(at).unwrap_or(usize::MAX);
            let to = from.saturating_add(len);
            match (Arc::make_mut(&mut platter.seen).get_mut(from..to), bytes.get(..len)) {
                (Some(seen), Some(bytes)) => seen.copy_from_slice(bytes),
                _ => return Err(io::Error::other("a write beyond the end of its segment")),
            }
            platter.unsynced.extend(from / SECTOR..to.div_ceil(SECTOR));
            disk.happened.push(Happened::Wrote { start, at, len });
            Ok(len)
        })
    }

    fn sync(&self, start: LogOffset) -> io::Result<()> {
        let mut disk = hold(&self.0.disk);
        disk.syncs_waiting = disk.syncs_waiting.saturating_add(1);
        self.0.stirred.notify_all();
        while disk.syncs_held {
            disk = self.0.stirred.wait(disk).unwrap_or_else(PoisonError::into_inner);
        }
        disk.syncs_waiting = disk.syncs_waiting.saturating_sub(1);
        drop(disk);
        self.call(|disk| {
            if disk.due(Fault::SyncError) {
                disk.failed();
                // As kernels do it: the pages look clean from now on, and were not written.
                let platter = disk.platter(start)?;
                platter.unsynced.clear();
                platter.differs = true;
                return Err(broken());
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
        })
    }

    fn read(&self, start: LogOffset, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut disk = hold(&self.0.disk);
        if disk.due(Fault::ReadError) {
            return Err(broken());
        }
        let platter = disk.platter(start)?;
        let from = usize::try_from(at).unwrap_or(usize::MAX).min(platter.seen.len());
        let to = from.saturating_add(into.len()).min(platter.seen.len());
        let bytes = platter.seen.get(from..to).unwrap_or_default();
        if let Some(into) = into.get_mut(..bytes.len()) {
            into.copy_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn read_thinned(&self, start: LogOffset) -> io::Result<Vec<u8>> {
        let mut disk = hold(&self.0.disk);
        if disk.due(Fault::ReadError) {
            return Err(broken());
        }
        let bytes = disk.thinned.get(&start).ok_or(io::ErrorKind::NotFound)?;
        Ok(bytes.to_vec())
    }

    fn put_thinned(&self, start: LogOffset, bytes: &[u8]) -> io::Result<()> {
        // Under a name of its own first: written, synced, and only then named.
        for fault in [Fault::WriteError, Fault::SyncError] {
            self.call(|disk| {
                if disk.due(fault) {
                    disk.failed();
                    return Err(broken());
                }
                Ok(())
            })?;
        }
        self.call(|disk| {
            disk.thinned.insert(start, Arc::new(bytes.to_vec()));
            disk.happened.push(Happened::Thinned { start, len: bytes.len() });
            Ok(())
        })
    }

    fn drop_thinned(&self, start: LogOffset) -> io::Result<()> {
        self.call(|disk| {
            if !disk.segments.contains_key(&start) {
                return Err(io::ErrorKind::NotFound.into());
            }
            disk.thinned.remove(&start);
            Ok(())
        })
    }

    fn drop_whole(&self, start: LogOffset) -> io::Result<()> {
        self.call(|disk| {
            if !disk.thinned.contains_key(&start) {
                return Err(io::ErrorKind::NotFound.into());
            }
            let platter = disk.segments.remove(&start).ok_or(io::ErrorKind::NotFound)?;
            disk.dropped.insert(start, platter);
            disk.happened.push(Happened::Dropped { start });
            Ok(())
        })?;
        self.call(|disk| {
            disk.dropped.remove(&start);
            Ok(())
        })
    }

    fn mark(&self) -> io::Result<Mark> {
        Ok(hold(&self.0.disk).mark)
    }

    fn put_mark(&self, mark: &Mark) -> io::Result<()> {
        let mut disk = hold(&self.0.disk);
        disk.marks_waiting = disk.marks_waiting.saturating_add(1);
        self.0.stirred.notify_all();
        while disk.marks_held {
            disk = self.0.stirred.wait(disk).unwrap_or_else(PoisonError::into_inner);
        }
        disk.marks_waiting = disk.marks_waiting.saturating_sub(1);
        if disk.is_dark() {
            return Err(io::Error::other("the power is gone"));
        }
        if disk.due(Fault::MarkError) {
            return Err(broken());
        }
        disk.mark = *mark;
        Ok(())
    }
}
