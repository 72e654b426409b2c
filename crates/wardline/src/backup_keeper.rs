//! Keeps the backups of a running server: one every so many hours, each rehearsed, and one
//! whenever somebody asks.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use api::{BackupAsked, BackupDesk, BackupMade, BackupState};
use security::BackupKey;
use store::{BackupError, BackupFolder, Clock, DataDir, Journal, Source};
use tokio::{sync::mpsc, task::JoinHandle};

use crate::config;

/// How often it looks whether a backup is due, and for a folder that could not be opened.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// A folder that takes longer to answer is told of at the desk.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);
/// After a failure the next backup is tried so much later.
const AGAIN_AFTER: Duration = Duration::from_secs(HOUR_S);
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

/// Where the folder and its key are, and how often.
#[derive(Clone)]
struct Place {
    folder: PathBuf,
    key: PathBuf,
    every: Duration,
    data: PathBuf,
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
            folder: folder.clone(),
            key: key.clone(),
            every: Duration::from_secs(config.every_hours.saturating_mul(HOUR_S)),
            data: self.dir.path().to_owned(),
        };
        self.desk.show(place.unseen(None));
        let asks = self.desk.asks();
        Some(tokio::spawn(self.keep(place, asks)))
    }

    async fn keep(self, place: Place, mut asks: mpsc::Receiver<BackupAsked>) {
        let mut looks = tokio::time::interval(self.look_every);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut not_before = self.clock.now();
        let mut reached: Option<Arc<BackupFolder>> = None;
        loop {
            let asked = tokio::select! {
                asked = asks.recv() => match asked {
                    Some(asked) => Some(asked),
                    None => return,
                },
                _ = looks.tick() => None,
            };
            let folder = match &reached {
                Some(folder) => Arc::clone(folder),
                None => match self.reach(&place, asked).await {
                    Some(folder) => Arc::clone(reached.insert(folder)),
                    None => continue,
                },
            };
            let asked = match asked {
                Some(asked) => asked,
                None if self.is_due(&place) && self.clock.now() >= not_before => {
                    BackupAsked::Backup
                }
                None => continue,
            };
            if !self.carry_out(&place, &folder, asked).await {
                not_before = self.clock.now().after(AGAIN_AFTER);
            }
        }
    }

    fn is_due(&self, place: &Place) -> bool {
        let last = self.desk.state().and_then(|it| it.last);
        last.is_none_or(|last| self.clock.now().since(last.at) >= place.every)
    }

    /// Opens the folder and shows what is in it, or why it cannot be opened.
    async fn reach(
        &self,
        place: &Place,
        under_way: Option<BackupAsked>,
    ) -> Option<Arc<BackupFolder>> {
        let wanted = place.clone();
        let opened = self.beside(move || {
            let folder = BackupFolder::open(&wanted.folder, read_key(&wanted.key)?)?;
            let state = wanted.look(&folder, None, under_way);
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

    /// Does what was asked and shows how it went; says whether it went well.
    async fn carry_out(
        &self,
        place: &Place,
        folder: &Arc<BackupFolder>,
        asked: BackupAsked,
    ) -> bool {
        let before = self.desk.state().and_then(|it| it.problem);
        self.look(place, folder, before, Some(asked)).await;
        let (work, opened) = (place.clone(), Arc::clone(folder));
        let (journal, clock) = (self.journal.clone(), self.clock.clone());
        let done =
            tokio::task::spawn_blocking(move || work.carry_out(&opened, asked, &journal, &clock));
        let problem = match done.await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(words_of(&error)),
            Err(_) => Some(BROKE_OFF.to_owned()),
        };
        if let Some(problem) = &problem {
            tracing::error!(what = asked.word(), %problem, "backup_failed");
        }
        let is_well = problem.is_none();
        self.look(place, folder, problem, None).await;
        is_well
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
        let seen = self.beside(move || eyes.look(&opened, told, under_way)).await;
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
        if asked == BackupAsked::Backup {
            let source = Source { root: &self.data, journal: Some(journal) };
            let taken = folder.take(&source, clock.now(), &mut |_| {})?;
            let (bytes, new_bytes) = (taken.manifest.bytes(), taken.new_bytes);
            tracing::info!(bytes, new_bytes, new_blocks = taken.new_blocks, "backup_taken");
        }
        let newest = folder.list()?.pop();
        let newest = newest.ok_or(BackupError::None { path: self.folder.clone() })?;
        let rehearsed = folder.rehearse_below(&newest, &self.data, clock.now(), &mut |_| {})?;
        tracing::info!(files = rehearsed.files, frames = rehearsed.frames, "backup_rehearsed");
        Ok(())
    }

    /// What is known of a folder that nobody has looked into.
    fn unseen(&self, problem: Option<String>) -> BackupState {
        BackupState {
            folder: self.folder.display().to_string(),
            every_hours: self.every.as_secs() / HOUR_S,
            problem,
            ..BackupState::default()
        }
    }

    /// Reads the folder; what cannot be read is the problem that is shown.
    fn look(
        &self,
        folder: &BackupFolder,
        problem: Option<String>,
        under_way: Option<BackupAsked>,
    ) -> BackupState {
        let found = folder.list().and_then(|all| Ok((all.len(), folder.newest()?)));
        let (count, newest, unreadable) = match found {
            Ok((count, newest)) => (count, newest, None),
            Err(error) => (0, None, Some(words_of(&error))),
        };
        BackupState {
            count,
            last: newest.map(|it| BackupMade { at: it.taken_at(), bytes: it.bytes() }),
            rehearsed: folder.last_rehearsal(),
            under_way,
            ..self.unseen(problem.or(unreadable))
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

/// Reads a key file.
pub(crate) fn read_key(path: &std::path::Path) -> anyhow::Result<BackupKey> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the backup key {}", path.display()))?;
    BackupKey::parse(&text).with_context(|| format!("{} is not used", path.display()))
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path, process::Command};

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
            every_hours: 24,
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
        assert_eq!((state.count, state.every_hours), (0, 24));
        let text = BackupKey::text_of(&[7; 32]);
        fs::write(place.path().join("key"), &text).unwrap();
        shows(&desk, says("mnt/backup cannot be read or written: ")).await;
        fs::remove_file(place.path().join("mnt")).unwrap();
        let state = shows(&desk, is_rehearsed).await;
        assert_eq!(state.count, 1);
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
}
