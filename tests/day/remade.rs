//! Derived state that is made anew beside the live one, and is the same byte for byte.

use std::{path::Path, sync::Arc};

use engine::{Rebuild, Rebuilt};
use store::{
    Compared, DataDir, FileStorage, LogOffset, Records, Scratch, Series, Storage, compare,
};

use crate::node::setup;

fn remake(dir: &DataDir, scratch: &Scratch, until: Option<LogOffset>) -> Rebuilt {
    let storage: Arc<dyn Storage> = Arc::new(FileStorage::open(dir).unwrap());
    let series = Series::open(scratch.series()).unwrap();
    let records = Records::open(&scratch.records()).unwrap();
    let rebuild = Rebuild { storage, series, records, keeps_series: false, setup: setup(), until };
    rebuild.run(&mut |_, _| {}).unwrap()
}

fn newest_checkpoint(dir: &DataDir) -> LogOffset {
    Series::open(dir.series()).unwrap().load_checkpoint().unwrap().unwrap().0
}

/// Makes everything anew of a server that has stopped, compares it, and puts it in place.
pub(crate) fn check(folder: &Path) {
    let dir = DataDir::open(folder).unwrap();
    let scratch = Scratch::begin(&dir).unwrap();
    let rebuilt = remake(&dir, &scratch, Some(newest_checkpoint(&dir)));
    assert_eq!((rebuilt.from, rebuilt.undecided), (LogOffset::default(), 0));
    let found = compare([&dir.records(), &dir.series()], [&scratch.records(), &scratch.series()]);
    let found = found.unwrap();
    let differing: Vec<&Compared> = found.iter().filter(|it| it.difference.is_some()).collect();
    assert!(differing.is_empty(), "{differing:#?}");
    for table in ["alarm", "alarm_life", "association", "score", "audit", "checkpoint", "points"] {
        let it = found.iter().find(|it| it.table == table).unwrap();
        assert!(it.live > 0 || table == "audit", "{table} is empty, so nothing was compared");
    }
    scratch.install().unwrap();
    assert_eq!(newest_checkpoint(&dir), rebuilt.to);
}
