//! What one backup holds: its moment, where its journal ends, and each file with its blocks.

use std::collections::BTreeMap;

use model::Timestamp;
use security::ObjectName;
use serde::{Deserialize, Serialize};

use super::BackupError;
use crate::{Ends, LogOffset, limits::BACKUP_BLOCK_LEN};

/// The form that this program writes; it reads no other.
const VERSION: u32 = 1;

/// A file of a data directory, as a backup keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Its place below the data directory, such as `journal/00000000000000000000.seg`.
    pub path: String,
    /// Its length in bytes; behind its content there are zeros.
    pub len: u64,
    /// How many bytes of it are content.
    pub used: u64,
    /// SHA-256 of the content, in hexadecimal digits.
    pub sha256: String,
    /// Names of its blocks, in order.
    pub blocks: Vec<String>,
}

impl Kept {
    /// Names of its blocks; `None` stands for one that is no name.
    pub(super) fn names(&self) -> impl Iterator<Item = Option<ObjectName>> + '_ {
        self.blocks.iter().map(|text| ObjectName::parse(text))
    }

    /// Whether it begins as `older` is, as far as whole blocks say it; only the last segment of
    /// a journal becomes longer.
    fn goes_on_from(&self, older: &Self, is_last: bool) -> bool {
        if self.used == older.used {
            return self.sha256 == older.sha256;
        }
        let block_len = u64::try_from(BACKUP_BLOCK_LEN).unwrap_or(u64::MAX);
        let whole = older.used.checked_div(block_len).unwrap_or_default();
        let whole = usize::try_from(whole).unwrap_or(usize::MAX);
        is_last
            && self.used > older.used
            && self.blocks.iter().take(whole).eq(older.blocks.iter().take(whole))
    }
}

/// One backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    version: u32,
    taken_at_ms: i64,
    journal_begins: u64,
    journal_ends: u64,
    checkpoint: Option<u64>,
    /// Every file, `FORMAT` last.
    pub files: Vec<Kept>,
}

impl Manifest {
    pub(super) fn new(
        taken_at: Timestamp,
        journal: (LogOffset, LogOffset),
        checkpoint: Option<LogOffset>,
        files: Vec<Kept>,
    ) -> Self {
        let (begins, ends) = journal;
        Self {
            version: VERSION,
            taken_at_ms: taken_at.unix_millis(),
            journal_begins: begins.bytes(),
            journal_ends: ends.bytes(),
            checkpoint: checkpoint.map(LogOffset::bytes),
            files,
        }
    }

    /// When it was taken, to the millisecond.
    pub const fn taken_at(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.taken_at_ms)
    }

    /// Where its journal begins.
    pub const fn journal_begins(&self) -> LogOffset {
        LogOffset::from_bytes(self.journal_begins)
    }

    /// From where on its journal has everything that it ever had: its beginning, or the end of
    /// the newest segment that was thinned.
    pub fn whole_from(&self) -> LogOffset {
        let mut segments: Vec<(u64, bool)> = self.files.iter().filter_map(segment).collect();
        segments.sort_unstable();
        let behind = segments.iter().rposition(|(_, is_thinned)| *is_thinned);
        let next = behind.and_then(|last| segments.get(last.saturating_add(1)));
        match (behind, next) {
            (None, _) => self.journal_begins(),
            (Some(_), Some((start, _))) => LogOffset::from_bytes(*start),
            (Some(_), None) => self.journal_ends(),
        }
    }

    /// Refuses it if its journal was thinned further than its series come: it has neither form
    /// of the samples between, and whatever is made of it would lack them unsaid.
    pub(super) fn make_sure_of_samples(&self) -> Result<(), BackupError> {
        let is_thinned = self.files.iter().filter_map(segment).any(|(_, it)| it);
        let thinned = if is_thinned { self.whole_from() } else { LogOffset::default() };
        let ends = Ends { thinned, checkpoint: self.checkpoint(), ..Ends::default() };
        match ends.lacks().into_iter().find(|lack| lack.is_of_samples()) {
            None => Ok(()),
            Some(lack) => Err(BackupError::NotWhole { at: self.taken_at(), lack }),
        }
    }

    /// Whether its journal is that of an older backup and what came in since, as far as it can be
    /// told without reading: the content of segments that were over, and the whole blocks of
    /// the last one. What was thinned or trimmed since says nothing.
    pub(super) fn goes_on_from(&self, older: &Self) -> bool {
        let by_start = |it: &Self| -> BTreeMap<u64, (usize, bool)> {
            let places = it.files.iter().enumerate();
            let segments = places.filter_map(|(place, file)| {
                segment(file).map(|(start, is_thinned)| (start, (place, is_thinned)))
            });
            segments.collect()
        };
        let (now, then) = (by_start(self), by_start(older));
        let last = then.keys().next_back();
        let is_kept = |(start, (place, was_thinned)): (&u64, &(usize, bool))| {
            let Some((at, is_thinned)) = now.get(start) else {
                return *start < self.journal_begins;
            };
            let (Some(file), Some(was)) = (self.files.get(*at), older.files.get(*place)) else {
                return false;
            };
            *was_thinned || *is_thinned || file.goes_on_from(was, Some(start) == last)
        };
        older.journal_ends <= self.journal_ends && then.iter().all(is_kept)
    }

    /// The segment of its journal that more was added to; none if that was thinned.
    pub(super) fn tail(&self) -> Option<&Kept> {
        let segments = self.files.iter().filter_map(|file| Some((segment(file)?, file)));
        let last = segments.max_by_key(|((start, _), _)| *start);
        last.filter(|((_, is_thinned), _)| !is_thinned).map(|(_, file)| file)
    }

    /// Where its journal ends.
    pub const fn journal_ends(&self) -> LogOffset {
        LogOffset::from_bytes(self.journal_ends)
    }

    /// Where its checkpoint stands.
    pub fn checkpoint(&self) -> Option<LogOffset> {
        self.checkpoint.map(LogOffset::from_bytes)
    }

    /// Bytes of content of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.used).fold(0, u64::saturating_add)
    }

    pub(super) fn write(&self) -> Vec<u8> {
        // Numbers and texts alone cannot fail to become JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let found: serde_json::Value =
            serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let version = found.get("version").and_then(serde_json::Value::as_u64);
        if version != Some(VERSION.into()) {
            return Err(format!("its version is {version:?}, and this program reads {VERSION}"));
        }
        let manifest: Self = serde_json::from_value(found).map_err(|error| error.to_string())?;
        match manifest.files.iter().find(|file| !is_inside(&file.path)) {
            Some(file) => Err(format!("the path `{}` leads outside", file.path)),
            None => Ok(manifest),
        }
    }
}

/// Where a segment of the journal begins, and whether it was thinned.
fn segment(file: &Kept) -> Option<(u64, bool)> {
    let (start, end) = file.path.strip_prefix("journal/")?.split_once('.')?;
    let is_thinned = match end {
        "seg" => false,
        "thin" => true,
        _ => return None,
    };
    Some((start.parse().ok()?, is_thinned))
}

/// Whether a path stays below the directory that it is put into.
fn is_inside(path: &str) -> bool {
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    path.split('/').all(plain) && !path.contains(['\\', '\0'])
}

#[test]
fn paths_that_lead_outside_and_other_versions_are_refused() {
    for (path, inside) in [
        ("FORMAT", true),
        ("keys/ca.key", true),
        ("../x", false),
        ("/etc/passwd", false),
        ("a//b", false),
        ("a/./b", false),
        ("", false),
    ] {
        assert_eq!(is_inside(path), inside, "{path}");
        let file = Kept {
            path: path.to_owned(),
            len: 1,
            used: 1,
            sha256: String::new(),
            blocks: Vec::new(),
        };
        let at = Timestamp::from_unix_millis(5);
        let ends = (LogOffset::default(), LogOffset::from_bytes(9));
        let manifest = Manifest::new(at, ends, None, vec![file]);
        let read = Manifest::read(&manifest.write());
        assert_eq!(read.is_ok(), inside, "{read:?}");
        let newer = Manifest { version: 2, ..manifest };
        let refused = Manifest::read(&newer.write()).unwrap_err();
        assert!(refused.contains("this program reads 1"), "{refused}");
    }
}

#[test]
fn a_journal_is_whole_from_the_end_of_its_newest_thinned_segment_on() {
    let place = LogOffset::from_bytes;
    for (names, from) in [
        (&["journal/0.seg", "journal/50.seg", "series/series.sqlite"][..], 10),
        (&["journal/0.thin", "journal/50.seg", "journal/80.seg"], 50),
        (&["journal/80.seg", "journal/50.thin", "journal/0.seg"], 80),
        (&["journal/0.thin", "FORMAT"], 90),
    ] {
        let kept = |path: &&str| Kept {
            path: (*path).to_owned(),
            len: 1,
            used: 1,
            sha256: String::new(),
            blocks: Vec::new(),
        };
        let files = names.iter().map(kept).collect();
        let at = Timestamp::from_unix_millis(5);
        let manifest = Manifest::new(at, (place(10), place(90)), None, files);
        assert_eq!(manifest.whole_from(), place(from), "{names:?}");
    }
}

#[test]
fn a_journal_goes_on_from_an_older_one_only_if_it_begins_with_all_of_it() {
    let whole = u64::try_from(BACKUP_BLOCK_LEN).unwrap();
    // A file's path, its content in bytes, and its blocks.
    let manifest = |begins: u64, ends: u64, files: &[(&str, u64, &[&str])]| {
        let kept = |(path, used, blocks): &(&str, u64, &[&str])| Kept {
            path: (*path).to_owned(),
            len: *used,
            used: *used,
            sha256: blocks.join("+"),
            blocks: blocks.iter().map(|it| (*it).to_owned()).collect(),
        };
        let journal = (LogOffset::from_bytes(begins), LogOffset::from_bytes(ends));
        let files = files.iter().map(kept).collect();
        Manifest::new(Timestamp::from_unix_millis(5), journal, None, files)
    };
    let older: &[(&str, u64, &[&str])] =
        &[("journal/0.seg", 50, &["a"]), ("journal/50.seg", whole + 5, &["b", "c"])];
    let older = manifest(0, whole + 55, older);
    let ends = 3 * whole;
    for (begins, ends, files, goes_on) in [
        (
            0,
            whole + 55,
            &[("journal/0.seg", 50, &["a"][..]), ("journal/50.seg", whole + 5, &["b", "c"])][..],
            true,
        ),
        // The last block that was begun has another name once it is longer.
        (
            0,
            ends,
            &[("journal/0.seg", 50, &["a"]), ("journal/50.seg", whole + 9, &["b", "d"])],
            true,
        ),
        (
            0,
            ends,
            &[("journal/0.seg", 50, &["a"]), ("journal/50.seg", whole + 9, &["x", "c"])],
            false,
        ),
        (
            0,
            ends,
            &[("journal/0.seg", 50, &["x"]), ("journal/50.seg", whole + 9, &["b", "d"])],
            false,
        ),
        (
            0,
            ends,
            &[("journal/0.seg", 60, &["a"]), ("journal/50.seg", whole + 9, &["b", "d"])],
            false,
        ),
        (0, ends, &[("journal/0.seg", 50, &["a"]), ("journal/50.seg", whole, &["b"])], false),
        (0, ends, &[("journal/0.seg", 50, &["a"])], false),
        // What was trimmed or thinned since says nothing.
        (50, ends, &[("journal/50.seg", whole + 9, &["b", "d"])], true),
        (0, ends, &[("journal/50.seg", whole + 9, &["b", "d"])], false),
        (
            0,
            ends,
            &[("journal/0.thin", 9, &["x"]), ("journal/50.seg", whole + 9, &["b", "d"])],
            true,
        ),
        // One that went back.
        (
            0,
            whole + 54,
            &[("journal/0.seg", 50, &["a"]), ("journal/50.seg", whole + 5, &["b", "c"])],
            false,
        ),
    ] {
        assert_eq!(manifest(begins, ends, files).goes_on_from(&older), goes_on, "{files:?}");
    }
    assert_eq!(older.tail().map(|it| it.used), Some(whole + 5));
}
