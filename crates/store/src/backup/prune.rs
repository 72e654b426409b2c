//! Thinning out old backups: first the manifests that nobody needs, then the objects that no
//! manifest names any more, so that an end at any moment leaves only whole backups.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::{civil::Date, tz::TimeZone};
use model::Timestamp;
use security::ObjectName;

use super::{
    BACKUPS, BackupError, BackupFolder, Kept, Listed, OBJECTS, object, objects_of,
    place::UNFINISHED,
    work_note::{Work, WorkNote},
};
use crate::Clock;

/// How long it deletes at most; what is left goes the next time. Far less than after which it is
/// believed to be dead. That is a courtesy: what keeps a backup from beginning beside a deletion
/// is the look for our note before each one, for no two clocks need be right.
const THINS_FOR: Duration = Duration::from_secs(600);

/// Which backups stay: the newest of each of so many days, weeks and months that have one. Days
/// begin at midnight of UTC, weeks on Monday. The newest of all stays, and the one that was last
/// rehearsed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Days with a backup, counted from the newest.
    pub daily: u32,
    /// Weeks with a backup.
    pub weekly: u32,
    /// Months with a backup.
    pub monthly: u32,
}

/// What goes and what stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Backups that stay, by when they were taken, the oldest first.
    pub stays: Vec<Timestamp>,
    /// Backups that go.
    pub goes: Vec<Timestamp>,
    /// Objects that no staying backup names.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Objects of these that are left for the next time.
    pub left: u64,
}

/// Which day, week or month a date is in.
type SpanOf = fn(Date) -> (i16, i16);

/// What would be deleted.
struct Plan {
    stays: Vec<Listed>,
    goes: Vec<Listed>,
    objects: BTreeMap<ObjectName, u64>,
    /// What backups left that were cut short; nobody takes one now.
    unfinished: Vec<String>,
}

impl Plan {
    fn told(&self) -> Pruned {
        let times = |all: &[Listed]| all.iter().map(|it| it.at).collect();
        Pruned {
            stays: times(&self.stays),
            goes: times(&self.goes),
            objects: self.objects.len().try_into().unwrap_or(u64::MAX),
            bytes: self.objects.values().copied().fold(0, u64::saturating_add),
            left: 0,
        }
    }
}

impl Keep {
    /// Whether nothing was said.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Which of these moments stay by the rule, and the newest of them.
    fn of(&self, moments: impl IntoIterator<Item = Timestamp>) -> BTreeSet<Timestamp> {
        let moments: BTreeSet<Timestamp> = moments.into_iter().collect();
        let mut stays: BTreeSet<Timestamp> = moments.last().copied().into_iter().collect();
        let spans: [(u32, SpanOf); 3] = [
            (self.daily, |date| (date.year(), date.day_of_year())),
            (self.weekly, |date| {
                let week = date.iso_week_date();
                (week.year(), week.week().into())
            }),
            (self.monthly, |date| (date.year(), date.month().into())),
        ];
        for (count, span_of) in spans {
            let mut seen = BTreeSet::new();
            for at in moments.iter().rev() {
                let span = span_of(date_of(*at));
                if seen.len() < usize::try_from(count).unwrap_or(usize::MAX) && seen.insert(span) {
                    stays.insert(*at);
                }
            }
        }
        stays
    }
}

fn date_of(at: Timestamp) -> Date {
    jiff::Timestamp::from_nanosecond(at.unix_nanos().into())
        .unwrap_or_default()
        .to_zoned(TimeZone::UTC)
        .date()
}

impl BackupFolder {
    /// What [`Self::prune`] would do.
    pub fn would_prune(&self, keep: Keep) -> Result<Pruned, BackupError> {
        Ok(self.plan(keep)?.told())
    }

    /// Deletes what is outside of the rule. A staying backup that cannot be read stops it before
    /// anything is deleted, as does a backup that is being taken, or one that is dated later than
    /// it is: which one is the newest of a day cannot be told then.
    pub fn prune(&self, keep: Keep, clock: &Clock) -> Result<Pruned, BackupError> {
        let (began, began_at) = (clock.elapsed(), clock.now());
        let note = WorkNote::begin(self, Work::Thinning, began_at)?;
        let plan = self.plan(keep)?;
        self.make_sure_of_dates(&plan.stays, began_at)?;
        // While a machine sleeps the one stands still, and after that the other one leaps.
        let is_over = || {
            let by_counter = clock.elapsed().saturating_sub(began);
            by_counter.max(clock.now().since(began_at)) >= THINS_FOR
        };
        match self.delete(&plan, &note, &is_over) {
            Ok(left) => Ok(Pruned { left, ..plan.told() }),
            Err(error) => {
                note.stay();
                Err(error)
            }
        }
    }

    /// Deletes while nobody believes that we are dead and there is time; says how many objects
    /// are left.
    fn delete(
        &self,
        plan: &Plan,
        note: &WorkNote<'_>,
        is_over: &dyn Fn() -> bool,
    ) -> Result<u64, BackupError> {
        let delete = |name: &str| {
            note.is_there()?;
            self.place.delete(name).map_err(self.io_of(name))
        };
        plan.goes.iter().try_for_each(|listed| delete(&listed.place()))?;
        // A loss of power may not bring a manifest back whose objects are gone.
        self.settle(BACKUPS)?;
        let mut left = 0_u64;
        for name in plan.objects.keys() {
            if is_over() {
                left = left.saturating_add(1);
            } else {
                delete(&object(*name))?;
            }
        }
        for name in &plan.unfinished {
            if !is_over() {
                delete(name)?;
            }
        }
        self.settle(OBJECTS)?;
        Ok(left)
    }

    fn plan(&self, keep: Keep) -> Result<Plan, BackupError> {
        // First the objects: what a backup adds from here on is not among them.
        let stored = self.place.list(OBJECTS).map_err(self.io_of(OBJECTS))?;
        let mut objects = objects_of(&stored);
        let unfinished = stored.into_iter().map(|it| it.name);
        let unfinished = unfinished.filter(|name| name.ends_with(UNFINISHED)).collect();
        let listed = self.list()?;
        let mut stays = keep.of(listed.iter().map(|it| it.at));
        stays.extend(self.rehearsal()?.map(|(_, of)| of));
        let (stays, goes): (Vec<_>, Vec<_>) =
            listed.into_iter().partition(|it| stays.contains(&it.at));
        for listed in &stays {
            for name in self.manifest(listed)?.files.iter().flat_map(Kept::names).flatten() {
                objects.remove(&name);
            }
        }
        Ok(Plan { stays, goes, objects, unfinished })
    }
}
