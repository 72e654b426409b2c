//! Keeps the backups of a running server: one every so many hours, each rehearsed, and one
//! whenever somebody asks.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use api::{BackupAsked, BackupDesk, BackupMade, BackupState};
use security::BackupKey;
use store::{BackupError, BackupFolder, Clock, DataDir, Journal, Source};
use tokio::{sync::mpsc, task::JoinHandle};

use crate::config;

/// How often it looks whether a backup is due.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// What the keeper works with.
pub(crate) struct BackupKeeper {
    clock: Clock,
    journal: Journal,
    dir: DataDir,
    desk: BackupDesk,
}

/// The folder, open, with how often and where.
struct Place {
    folder: BackupFolder,
    every: Duration,
    data: PathBuf,
    shown: PathBuf,
}

impl BackupKeeper {
    /// A keeper for this server, which asks at the desk.
    pub(crate) fn new(clock: &Clock, journal: &Journal, dir: &DataDir, desk: BackupDesk) -> Self {
        Self { clock: clock.clone(), journal: journal.clone(), dir: dir.clone(), desk }
    }

    /// Opens the folder, and goes on in the background; a folder that cannot be opened now is
    /// an error, so that nobody finds out when it is needed.
    pub(crate) fn start(self, config: &config::Backup) -> anyhow::Result<Option<JoinHandle<()>>> {
        let (Some(folder), Some(key)) = (&config.folder, &config.key) else { return Ok(None) };
        let place = Place {
            folder: BackupFolder::open(folder, read_key(key)?)?,
            every: Duration::from_secs(config.every_hours.saturating_mul(3_600)),
            data: self.dir.path().to_owned(),
            shown: folder.clone(),
        };
        let place = Arc::new(place);
        self.desk.show(look(&place, None, None));
        let asks = self.desk.asks();
        Ok(Some(tokio::spawn(self.keep(place, asks))))
    }

    async fn keep(self, place: Arc<Place>, mut asks: mpsc::Receiver<BackupAsked>) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // After a failure the next one is tried an hour later.
        let mut not_before = self.clock.now();
        loop {
            let asked = tokio::select! {
                asked = asks.recv() => match asked {
                    Some(asked) => asked,
                    None => return,
                },
                _ = looks.tick() => {
                    let now = self.clock.now();
                    let last = self.desk.state().and_then(|it| it.last);
                    let is_due = last.is_none_or(|last| now.since(last.at) >= place.every);
                    if !is_due || now < not_before {
                        continue;
                    }
                    BackupAsked::Backup
                }
            };
            let before = self.desk.state().and_then(|it| it.problem);
            self.desk.show(look(&place, before, Some(asked)));
            let (work, journal, clock) =
                (Arc::clone(&place), self.journal.clone(), self.clock.clone());
            let done = tokio::task::spawn_blocking(move || work.carry_out(asked, &journal, &clock));
            let problem = match done.await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(words_of(&error)),
                Err(_) => Some("it broke off".to_owned()),
            };
            if let Some(problem) = &problem {
                tracing::error!(what = asked.word(), %problem, "backup_failed");
                not_before = self.clock.now().after(Duration::from_secs(3_600));
            }
            self.desk.show(look(&place, problem, None));
        }
    }
}

impl Place {
    fn carry_out(
        &self,
        asked: BackupAsked,
        journal: &Journal,
        clock: &Clock,
    ) -> Result<(), BackupError> {
        if asked == BackupAsked::Backup {
            let source = Source { root: &self.data, journal: Some(journal) };
            let taken = self.folder.take(&source, clock.now(), &mut |_| {})?;
            let (bytes, new_bytes) = (taken.manifest.bytes(), taken.new_bytes);
            tracing::info!(bytes, new_bytes, new_blocks = taken.new_blocks, "backup_taken");
        }
        let newest = self.folder.list()?.pop();
        let newest = newest.ok_or(BackupError::None { path: self.shown.clone() })?;
        let rehearsed =
            self.folder.rehearse_below(&newest, &self.data, clock.now(), &mut |_| {})?;
        tracing::info!(files = rehearsed.files, frames = rehearsed.frames, "backup_rehearsed");
        Ok(())
    }
}

/// Reads the folder; what cannot be read is the problem that is shown.
fn look(place: &Place, problem: Option<String>, under_way: Option<BackupAsked>) -> BackupState {
    let found = place.folder.list().and_then(|all| Ok((all.len(), place.folder.newest()?)));
    let (count, newest, unreadable) = match found {
        Ok((count, newest)) => (count, newest, None),
        Err(error) => (0, None, Some(words_of(&error))),
    };
    BackupState {
        folder: place.shown.display().to_string(),
        every_hours: place.every.as_secs() / 3_600,
        count,
        last: newest.map(|it| BackupMade { at: it.taken_at(), bytes: it.bytes() }),
        rehearsed: place.folder.last_rehearsal(),
        problem: problem.or(unreadable),
        under_way,
    }
}

/// An error with its causes, and the first of what is damaged.
fn words_of(error: &BackupError) -> String {
    let mut words = error.to_string();
    if let BackupError::Damaged { problems } = error
        && let Some(first) = problems.first()
    {
        words.push_str(&format!("; the first: {first}"));
    }
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        words.push_str(&format!(": {error}"));
        cause = error.source();
    }
    words
}

/// Reads a key file.
pub(crate) fn read_key(path: &std::path::Path) -> anyhow::Result<BackupKey> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the backup key {}", path.display()))?;
    BackupKey::parse(&text).with_context(|| format!("{} is not used", path.display()))
}
