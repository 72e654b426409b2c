//! Imports that were begun and not ended: their parts come from who began them, for the same
//! device and out of the same file, so that what the journal says of them was not made up.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use model::{DeviceId, ImportId, UserId};

use super::part::Source;
use crate::limits::IMPORTS_BEGUN_MAX;

/// Whose an import is, where it goes, and what it is of.
pub(crate) type ImportOf = (UserId, DeviceId, Source);

/// Those since the server's last start; of too many the oldest are forgotten.
#[derive(Debug, Default)]
pub(crate) struct BegunImports(Mutex<BTreeMap<ImportId, ImportOf>>);

impl BegunImports {
    fn all(&self) -> MutexGuard<'_, BTreeMap<ImportId, ImportOf>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn put(&self, import: ImportId, of: ImportOf) {
        let mut all = self.all();
        all.insert(import, of);
        while all.len() > IMPORTS_BEGUN_MAX {
            all.pop_first();
        }
    }

    /// Whether it was begun as this and not ended.
    pub(crate) fn has(&self, import: ImportId, of: &ImportOf) -> bool {
        self.all().get(&import) == Some(of)
    }

    pub(crate) fn end(&self, import: ImportId) {
        self.all().remove(&import);
    }
}

#[test]
fn a_part_of_another_person_device_or_file_is_of_no_import_that_was_begun() {
    let at = model::Timestamp::default();
    let id = |number| ImportId::v7(at, number);
    let source = |file: &str, sum: &str| Source {
        file: file.to_owned(),
        form: "csv".to_owned(),
        sha256: sum.repeat(64),
    };
    let (user, device) = (UserId::v7(at, 1), DeviceId::v7(at, 2));
    let begun = BegunImports::default();
    let own = (user, device, source("a.csv", "0"));
    begun.put(id(7), own.clone());
    assert!(begun.has(id(7), &own));
    for other in [
        (UserId::v7(at, 3), device, source("a.csv", "0")),
        (user, DeviceId::v7(at, 3), source("a.csv", "0")),
        (user, device, source("a.csv", "1")),
        (user, device, source("b.csv", "0")),
    ] {
        assert!(!begun.has(id(7), &other), "{other:?}");
    }
    assert!(!begun.has(id(8), &own));
    begun.end(id(7));
    assert!(!begun.has(id(7), &own), "what was ended takes no more parts");
    for number in 0..=u128::try_from(IMPORTS_BEGUN_MAX).unwrap() {
        begun.put(id(number), own.clone());
    }
    assert!(!begun.has(id(0), &own) && begun.has(id(1), &own));
}
