//! What one backup holds: its moment, where its journal ends, and each file with its blocks.

use model::Timestamp;
use security::ObjectName;
use serde::{Deserialize, Serialize};

use crate::LogOffset;

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
