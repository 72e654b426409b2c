//! Where a table of clinical numbers comes from; no such number stands without it.

use model::Date;

/// The provenance of a versioned table; every default is one that a site must approve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edition {
    /// Names the table in records and on screens.
    pub table: &'static str,
    /// Counts up with every change of a number.
    pub version: u16,
    /// The standard, chart or manual, with its own edition.
    pub source: &'static str,
    /// The day from which this version holds.
    pub effective_from: Date,
    /// Whether every number was compared with the source itself.
    pub verified: bool,
}

impl Edition {
    /// The first version of a table, which holds from the first release on.
    pub(crate) const fn first(table: &'static str, source: &'static str, verified: bool) -> Self {
        let effective_from = Date { year: 2026, month: 11, day: 21 };
        Self { table, version: 1, source, effective_from, verified }
    }
}
