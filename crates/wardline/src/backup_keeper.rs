//! Keeps the backups of a running server: one every so many hours, each rehearsed, and one
//! whenever somebody asks.

use std::{path::PathBuf, sync::Arc, time::Duration};

use api::{BackupAsked, BackupDesk, BackupMade, BackupState};
use model::Timestamp;
use store::{BackupError, BackupFolder, Clock, DataDir, Journal, Keep, Source};
use tokio::{sync::mpsc, task::JoinHandle};

use crate::{
    backup_site::{S3, Site},
    config,
};

/// How often it looks whether a backup is due, and for a folder that could not be opened.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// With an interval of minutes it looks so often within one.
const LOOKS_WITHIN: u32 = 6;
/// A folder that takes longer to answer is told of at the desk.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);
/// After a failure the next backup is tried so much later, or after its interval.
const AGAIN_AFTER: Duration = Duration::from_secs(HOUR_S);
/// How often old backups are thinned out at most.
const THINS_EVERY: Duration = Duration::from_secs(HOUR_S);
/// While others work in the place it is tried again so much later: one that is believed to be
/// dead and lives has ended its last deletion by then, with all its tries.
const BUSY_AGAIN_AFTER: Duration = Duration::from_secs(300);
/// Others may keep old backups from being thinned out for so long before it is told.
const UNTHINNED_MAX: Duration = Duration::from_secs(48 * HOUR_S);
const HOUR_S: u64 = 3_600;

/// What the keeper works with.
pub(crate) struct BackupKeeper {
    clock: Clock,
    journal: Journal,
    dir: DataDir,
    desk: BackupDesk,
    look_every: Duration,
    answers_within: Duration,
}

/// Where the folder and its key are, how often, and what stays.
#[derive(Clone)]
struct Place {
    site: Site,
    key: PathBuf,
    every: Duration,
    rehearse_every: Duration,
    keep: Keep,
    data: PathBuf,
}

/// What the keeper knows from one look to the next.
struct Course {
    /// The open place. One with which something went wrong is opened anew: its disk may be gone,
    /// or its credentials may have changed.
    reached: Option<Arc<BackupFolder>>,
    /// Whether it was open once. Then it has to be there: an empty one is another disk's.
    was_reached: bool,
    /// What our own counter showed when the last backup was begun.
    tried: Option<Duration>,
    not_before: Timestamp,
    thins_at: Timestamp,
    /// When old backups were last thinned out, or else when this began.
    thinned: Timestamp,
    /// Why the last backup or rehearsal failed.
    failed: Option<String>,
    /// Why old backups were not thinned out.
    unthinned: Option<String>,
}

impl Course {
    const fn new(now: Timestamp) -> Self {
        Self {
            reached: None,
            was_reached: false,
            tried: None,
            not_before: now,
            thins_at: now,
            thinned: now,
            failed: None,
            unthinned: None,
        }
    }

    /// What is shown until it goes well.
    fn problem(&self) -> Option<String> {
        self.failed.clone().or_else(|| self.unthinned.clone())
    }
}

impl BackupKeeper {
    /// A keeper for this server, which asks at the desk.
    pub(crate) fn new(clock: &Clock, journal: &Journal, dir: &DataDir, desk: BackupDesk) -> Self {
        Self {
            clock: clock.clone(),
            journal: journal.clone(),
            dir: dir.clone(),
            desk,
            look_every: LOOK_EVERY,
            answers_within: ANSWERS_WITHIN,
        }
    }

    /// Goes on in the background. A folder that cannot be reached is no reason not to alarm:
    /// the desk tells of it, and it is tried again and again.
    pub(crate) fn start(self, config: &config::Backup) -> Option<JoinHandle<()>> {
        let (Some(folder), Some(key)) = (&config.folder, &config.key) else { return None };
        let place = Place {
            site: Site {
                place: folder.clone(),
                s3: S3 {
                    endpoint: config.endpoint.clone(),
                    region: config.region.clone(),
                    credentials: config.credentials.clone(),
                },
            },
            key: key.clone(),
            every: Duration::from_secs(match config.every_minutes {
                Some(minutes) => minutes.saturating_mul(60),
                None => config.every_hours.saturating_mul(HOUR_S),
            }),
            rehearse_every: Duration::from_secs(config.rehearse_every_hours.saturating_mul(HOUR_S)),
            keep: Keep {
                daily: config.keep_daily,
                weekly: config.keep_weekly,
                monthly: config.keep_monthly,
            },
            data: self.dir.path().to_owned(),
        };
        self.desk.show(place.unseen(None));
        let asks = self.desk.asks();
        Some(tokio::spawn(self.keep(place, asks)))
    }

    async fn keep(self, place: Place, mut asks: mpsc::Receiver<BackupAsked>) {
        let mut looks = tokio::time::interval(self.look_every.min(place.every / LOOKS_WITHIN));
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut course = Course::new(self.clock.now());
        loop {
            let asked = tokio::select! {
                asked = asks.recv() => match asked {
                    Some(asked) => Some(asked),
                    None => return,
                },
                _ = looks.tick() => None,
            };
            self.step(&place, asked, &mut course).await;
        }
    }

    /// Does what was asked, or what is due.
    async fn step(&self, place: &Place, asked: Option<BackupAsked>, course: &mut Course) {
        let folder = match &course.reached {
            Some(folder) => Arc::clone(folder),
            None => match self.reach(place, asked, course).await {
                Some(folder) => Arc::clone(course.reached.insert(folder)),
                None => return,
            },
        };
        course.was_reached = true;
        let asked = match asked {
            Some(asked) => asked,
            None if self.is_due(place, course.tried) && self.clock.now() >= course.not_before => {
                BackupAsked::Backup
            }
            None => return,
        };
        if asked == BackupAsked::Backup {
            course.tried = Some(self.clock.elapsed());
        }
        if let Some(later) = self.carry_out(place, &folder, asked, course).await {
            course.not_before = self.clock.now().after(later);
            course.tried = None;
            course.reached = None;
        } else if !place.keep.is_nothing() && self.clock.now() >= course.thins_at {
            if !self.thin_out(place, &folder, course).await {
                course.reached = None;
            }
            course.thins_at = self.clock.now().after(THINS_EVERY);
        }
    }

    /// Whether it is time for the next one. A backup that was dated by a clock that was ahead
    /// does not say so, but `tried`, which is what our own counter showed at the last one.
    fn is_due(&self, place: &Place, tried: Option<Duration>) -> bool {
        let (last, now) = (self.desk.state().and_then(|it| it.last), self.clock.now());
        let age = match last {
            Some(last) if BackupFolder::is_ahead(last.at, now) => {
                tried.map(|tried| self.clock.elapsed().saturating_sub(tried))
            }
            last => last.map(|last| now.since(last.at)),
        };
        age.is_none_or(|age| age >= place.every)
    }

    /// Opens the folder and shows what is in it, or why it cannot be opened.
    async fn reach(
        &self,
        place: &Place,
        under_way: Option<BackupAsked>,
        course: &Course,
    ) -> Option<Arc<BackupFolder>> {
        let (wanted, clock) = (place.clone(), self.clock.clone());
        let (was_reached, problem) = (course.was_reached, course.problem());
        let opened = self.beside(move || {
            let folder = if was_reached {
                wanted.site.open_used(&wanted.key, &clock)?
            } else {
                wanted.site.open(&wanted.key, &clock)?
            };
            let state = wanted.look(&folder, problem, under_way, clock.now());
            anyhow::Ok((Arc::new(folder), state))
        });
        let opened = opened.await.and_then(|it| it.map_err(|error| words_of(error.as_ref())));
        match opened {
            Ok((folder, state)) => {
                self.desk.show(state);
                Some(folder)
            }
            Err(problem) => {
                let known = self.desk.state().and_then(|it| it.problem);
                // Once is enough for the log; the desk says it all the time.
                if known.as_ref() != Some(&problem) {
                    tracing::error!(%problem, "backup_folder_unreachable");
                }
                self.desk.show(place.unseen(Some(problem)));
                None
            }
        }
    }

    /// Does what was asked and shows how it went; says how much later it is to be tried again
    /// if it did not go well.
    async fn carry_out(
        &self,
        place: &Place,
        folder: &Arc<BackupFolder>,
        asked: BackupAsked,
        course: &mut Course,
    ) -> Option<Duration> {
        self.look(place, folder, course.problem(), Some(asked)).await;
        let (work, opened) = (place.clone(), Arc::clone(folder));
        let (journal, clock) = (self.journal.clone(), self.clock.clone());
        let done =
            tokio::task::spawn_blocking(move || work.carry_out(&opened, asked, &journal, &clock));
        let again_after = AGAIN_AFTER.min(place.every);
        let failed = match done.await {
            Ok(Ok(())) => None,
            Ok(Err(error @ BackupError::Busy { .. })) => Some((words_of(&error), BUSY_AGAIN_AFTER)),
            Ok(Err(error)) => Some((words_of(&error), again_after)),
            Err(_) => Some((BROKE_OFF.to_owned(), again_after)),
        };
        if let Some((problem, _)) = &failed {
            tracing::error!(what = asked.word(), %problem, "backup_failed");
        }
        let (failed, later) = failed.unzip();
        course.failed = failed;
        self.look(place, folder, course.problem(), None).await;
        later
    }

    /// Deletes the backups that need not stay; says whether nothing went wrong. What cannot be
    /// deleted now is deleted later, and is shown: nothing is lost but room.
    async fn thin_out(
        &self,
        place: &Place,
        folder: &Arc<BackupFolder>,
        course: &mut Course,
    ) -> bool {
        let (opened, clock, keep) = (Arc::clone(folder), self.clock.clone(), place.keep);
        let done = tokio::task::spawn_blocking(move || opened.prune(keep, &clock)).await;
        let now = self.clock.now();
        let problem = match done {
            Ok(Ok(it)) => {
                let (goes, objects, bytes) = (it.goes.len(), it.objects, it.bytes);
                tracing::info!(goes, objects, bytes, "backups_thinned_out");
                course.thinned = now;
                None
            }
            // Somebody else takes or thins out; there is a next time, if it is not always so.
            Ok(Err(BackupError::Busy { .. })) if now.since(course.thinned) <= UNTHINNED_MAX => None,
            Ok(Err(error)) => Some(words_of(&error)),
            Err(_) => Some(BROKE_OFF.to_owned()),
        };
        if let Some(problem) = &problem {
            tracing::error!(%problem, "backups_not_thinned_out");
        }
        course.unthinned = problem.map(|it| format!("old backups are not thinned out: {it}"));
        self.look(place, folder, course.problem(), None).await;
        course.unthinned.is_none()
    }

    /// Shows what is in the folder now.
    async fn look(
        &self,
        place: &Place,
        folder: &Arc<BackupFolder>,
        problem: Option<String>,
        under_way: Option<BackupAsked>,
    ) {
        let (eyes, opened, told) = (place.clone(), Arc::clone(folder), problem.clone());
        let now = self.clock.now();
        let seen = self.beside(move || eyes.look(&opened, told, under_way, now)).await;
        let unseen = |broken| BackupState { under_way, ..place.unseen(problem.or(Some(broken))) };
        self.desk.show(seen.unwrap_or_else(unseen));
    }

    /// Does what waits for a disk or a network beside everything else. While it gets no answer
    /// the desk says so: a network folder may keep whoever reads it waiting for ever.
    async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, String> {
        let mut work = tokio::task::spawn_blocking(work);
        let done = match tokio::time::timeout(self.answers_within, &mut work).await {
            Ok(done) => done,
            Err(_) => {
                let state = self.desk.state().unwrap_or_default();
                let problem = Some("the folder or its key does not answer".to_owned());
                self.desk.show(BackupState { problem, ..state });
                work.await
            }
        };
        done.map_err(|_| BROKE_OFF.to_owned())
    }
}

/// What is said of work that ended without saying why.
const BROKE_OFF: &str = "it broke off";

impl Place {
    fn carry_out(
        &self,
        folder: &BackupFolder,
        asked: BackupAsked,
        journal: &Journal,
        clock: &Clock,
    ) -> Result<(), BackupError> {
        let newest = if asked == BackupAsked::Backup {
            let source = Source { root: &self.data, journal: Some(journal) };
            let taken = folder.take(&source, clock.now(), &mut |_| {})?;
            let (bytes, new_bytes) = (taken.manifest.bytes(), taken.new_bytes);
            tracing::info!(bytes, new_bytes, new_blocks = taken.new_blocks, "backup_taken");
            taken.listed
        } else {
            let none = || BackupError::None { path: self.site.place.clone() };
            folder.list()?.pop().ok_or_else(none)?
        };
        let now = clock.now();
        // One that is dated ahead of now is no rehearsal of late.
        let is_rehearsed = folder
            .last_rehearsal()
            .is_some_and(|(at, _)| at <= now && now.since(at) < self.rehearse_every);
        // Whoever takes the trouble to ask wants to know.
        if asked == BackupAsked::Backup && is_rehearsed {
            return Ok(());
        }
        let rehearsed = folder.rehearse_below(&newest, &self.data, clock.now(), &mut |_| {})?;
        tracing::info!(files = rehearsed.files, frames = rehearsed.frames, "backup_rehearsed");
        Ok(())
    }

    /// What is known of a folder that nobody has looked into.
    fn unseen(&self, problem: Option<String>) -> BackupState {
        BackupState {
            folder: self.site.place.display().to_string(),
            every: self.every,
            problem,
            ..BackupState::default()
        }
    }

    /// Reads the folder; what cannot be read, or is dated later than it is, is the problem that is
    /// shown.
    fn look(
        &self,
        folder: &BackupFolder,
        problem: Option<String>,
        under_way: Option<BackupAsked>,
        now: Timestamp,
    ) -> BackupState {
        let found = folder.list().and_then(|all| {
            let dated = folder.make_sure_of_dates(&all, now);
            Ok((all.len(), folder.newest()?, dated.err().map(|it| words_of(&it))))
        });
        let (count, newest, trouble) =
            found.unwrap_or_else(|error| (0, None, Some(words_of(&error))));
        BackupState {
            count,
            last: newest.map(|it| BackupMade { at: it.taken_at(), bytes: it.bytes() }),
            rehearsed: folder.last_rehearsal(),
            under_way,
            ..self.unseen(problem.or(trouble))
        }
    }
}

/// An error with its causes, and the first of what is damaged.
fn words_of(error: &(dyn std::error::Error + 'static)) -> String {
    let mut words = error.to_string();
    if let Some(BackupError::Damaged { problems }) = error.downcast_ref()
        && let Some(first) = problems.first()
    {
        words.push_str(&format!("; the first: {first}"));
    }
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push_str(&format!(": {error}"));
        cause = error.source();
    }
    words
}

/// Removes what a backup that was cut short left in the data directory; if it stays, it takes
/// room and is in nobody's way.
pub(crate) fn clear_leftovers(dir: &DataDir) {
    if let Err(error) = store::clear_leftovers(dir) {
        tracing::warn!(problem = words_of(&error), "backup_leftovers_stay");
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path, process::Command};

    use security::BackupKey;
    use store::{FileStorage, JournalLimits};

    use super::*;

    /// A keeper that looks often, and where it works.
    fn keeper(place: &Path) -> (BackupKeeper, config::Backup, BackupDesk) {
        let dir = DataDir::open(place.join("data")).unwrap();
        let clock = Clock::system();
        let storage = FileStorage::open(&dir).unwrap();
        let (journal, _) = Journal::open(storage, clock.clone(), JournalLimits::default()).unwrap();
        let desk = BackupDesk::default();
        let keeper = BackupKeeper {
            look_every: Duration::from_millis(10),
            answers_within: Duration::from_millis(20),
            ..BackupKeeper::new(&clock, &journal, &dir, desk.clone())
        };
        let config = config::Backup {
            folder: Some(place.join("mnt/backup")),
            key: Some(place.join("key")),
            ..config::Backup::default()
        };
        (keeper, config, desk)
    }

    async fn shows(desk: &BackupDesk, what: impl Fn(&BackupState) -> bool) -> BackupState {
        let wait = async {
            loop {
                if let Some(state) = desk.state().filter(&what) {
                    return state;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(60), wait).await;
        assert!(waited.is_ok(), "the desk shows {:?}", desk.state());
        waited.unwrap()
    }

    fn says(word: &'static str) -> impl Fn(&BackupState) -> bool {
        move |state| state.problem.as_ref().is_some_and(|it| it.contains(word))
    }

    fn is_rehearsed(state: &BackupState) -> bool {
        state.rehearsed.is_some() && state.problem.is_none() && state.under_way.is_none()
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_reached_stops_nobody_and_is_tried_until_it_can() {
        let place = tempfile::tempdir().unwrap();
        let (keeper, config, desk) = keeper(place.path());
        // Where the folder's disk should be there is something else.
        fs::write(place.path().join("mnt"), "").unwrap();
        let task = keeper.start(&config).unwrap();
        let state = shows(&desk, says("cannot read the backup key")).await;
        assert_eq!((state.count, state.every), (0, Duration::from_secs(24 * HOUR_S)));
        let text = BackupKey::text_of(&[7; 32]);
        fs::write(place.path().join("key"), &text).unwrap();
        shows(&desk, says("mnt/backup cannot be read or written: ")).await;
        fs::remove_file(place.path().join("mnt")).unwrap();
        let state = shows(&desk, is_rehearsed).await;
        assert_eq!(state.count, 1);
        task.abort();
    }

    #[tokio::test]
    async fn a_backup_that_a_clock_dated_ahead_is_told_of_and_the_next_one_comes_in_time() {
        let place = tempfile::tempdir().unwrap();
        let (keeper, config, desk) = keeper(place.path());
        let text = BackupKey::text_of(&[7; 32]);
        fs::write(place.path().join("key"), &text).unwrap();
        let key = BackupKey::of(&[7; 32]).unwrap();
        let folder = BackupFolder::open(&place.path().join("mnt/backup"), key).unwrap();
        let (clock, data) = (keeper.clock.clone(), place.path().join("data"));
        let source = Source { root: &data, journal: Some(&keeper.journal) };
        let ahead = clock.now().after(Duration::from_secs(86_400));
        folder.take(&source, ahead, &mut |_| {}).unwrap();
        // One is taken at once, as nobody knows how old the newest is, and then none for a day.
        let config = config::Backup { every_hours: 24, ..config };
        let task = keeper.start(&config).unwrap();
        let state = shows(&desk, |it| it.count == 2 && it.under_way.is_none()).await;
        assert!(says("later than it is here")(&state), "{state:?}");
        assert!(state.last.is_some_and(|it| it.at > ahead));
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(desk.state().map(|it| it.count), Some(2));
        task.abort();
    }

    #[tokio::test]
    async fn a_folder_that_does_not_answer_keeps_nobody_waiting_and_the_desk_says_so() {
        let place = tempfile::tempdir().unwrap();
        let (keeper, config, desk) = keeper(place.path());
        let key = place.path().join("key");
        // Whoever reads a pipe waits until somebody writes.
        assert!(Command::new("mkfifo").arg(&key).status().unwrap().success());
        let task = keeper.start(&config).unwrap();
        shows(&desk, says("does not answer")).await;
        let text = BackupKey::text_of(&[7; 32]);
        tokio::task::spawn_blocking(move || fs::write(key, text)).await.unwrap().unwrap();
        shows(&desk, is_rehearsed).await;
        task.abort();
    }

    /// A place that takes a backup whenever it is asked to and keeps those of a day.
    fn asked_place(config: &config::Backup, keeper: &BackupKeeper) -> Place {
        let s3 = S3::default();
        Place {
            site: Site { place: config.folder.clone().unwrap(), s3 },
            key: config.key.clone().unwrap(),
            every: Duration::from_secs(HOUR_S),
            rehearse_every: Duration::from_secs(HOUR_S),
            keep: Keep { daily: 1, ..Keep::default() },
            data: keeper.dir.path().to_owned(),
        }
    }

    #[tokio::test]
    async fn a_disk_that_is_unmounted_under_the_server_gets_no_backup_until_it_is_there_again() {
        let temporary = tempfile::tempdir().unwrap();
        let (keeper, config, desk) = keeper(temporary.path());
        let (place, mut course) = (asked_place(&config, &keeper), Course::new(keeper.clock.now()));
        fs::write(&place.key, BackupKey::text_of(&[7; 32])).unwrap();
        let asked = Some(BackupAsked::Backup);
        keeper.step(&place, asked, &mut course).await;
        assert!(is_rehearsed(&desk.state().unwrap()), "{:?}", desk.state());
        let (mounted, away) = (&place.site.place, temporary.path().join("away"));
        fs::rename(mounted, &away).unwrap();
        fs::create_dir(mounted).unwrap();
        for what in ["is not the place", "has no backups"] {
            keeper.step(&place, asked, &mut course).await;
            assert!(says(what)(&desk.state().unwrap()), "{:?}", desk.state());
        }
        assert_eq!(fs::read_dir(mounted).unwrap().count(), 0);
        fs::remove_dir(mounted).unwrap();
        fs::rename(away, mounted).unwrap();
        // What failed is shown until one goes well.
        keeper.step(&place, None, &mut course).await;
        assert!(says("is not the place")(&desk.state().unwrap()), "{:?}", desk.state());
        keeper.step(&place, asked, &mut course).await;
        let state = desk.state().unwrap();
        assert!(is_rehearsed(&state), "{state:?}");
    }

    #[tokio::test]
    async fn a_place_with_which_something_went_wrong_is_opened_anew_with_what_is_said_by_then() {
        let temporary = tempfile::tempdir().unwrap();
        let (keeper, config, desk) = keeper(temporary.path());
        let (place, mut course) = (asked_place(&config, &keeper), Course::new(keeper.clock.now()));
        let asked = Some(BackupAsked::Backup);
        fs::write(&place.key, BackupKey::text_of(&[7; 32])).unwrap();
        keeper.step(&place, asked, &mut course).await;
        // The backups begin anew, with another key.
        fs::remove_dir_all(&place.site.place).unwrap();
        fs::write(&place.key, BackupKey::text_of(&[8; 32])).unwrap();
        place.site.open(&place.key, &keeper.clock).unwrap();
        keeper.step(&place, asked, &mut course).await;
        assert!(says("is not the place")(&desk.state().unwrap()), "{:?}", desk.state());
        keeper.step(&place, asked, &mut course).await;
        assert!(is_rehearsed(&desk.state().unwrap()), "{:?}", desk.state());
    }

    #[tokio::test]
    async fn old_backups_that_others_keep_from_being_thinned_out_are_told_of_after_two_days() {
        let temporary = tempfile::tempdir().unwrap();
        let (keeper, config, desk) = keeper(temporary.path());
        let (place, now) = (asked_place(&config, &keeper), keeper.clock.now());
        let mut course = Course::new(now);
        fs::write(&place.key, BackupKey::text_of(&[7; 32])).unwrap();
        let folder = Arc::new(place.site.open(&place.key, &keeper.clock).unwrap());
        let work = place.site.place.join("work");
        fs::create_dir(&work).unwrap();
        let note = work.join(format!("{:020}-taking", now.unix_nanos()));
        fs::write(&note, "taking").unwrap();
        assert!(keeper.thin_out(&place, &folder, &mut course).await);
        assert_eq!(desk.state().unwrap().problem, None);
        course.thinned = Timestamp::from_unix_nanos(now.unix_nanos() - 172_801 * 1_000_000_000);
        assert!(!keeper.thin_out(&place, &folder, &mut course).await);
        let problem = desk.state().unwrap().problem.unwrap();
        assert!(problem.starts_with("old backups are not thinned out: "), "{problem}");
        fs::remove_file(note).unwrap();
        assert!(keeper.thin_out(&place, &folder, &mut course).await);
        assert_eq!((desk.state().unwrap().problem, course.thinned >= now), (None, true));
    }
}
