//! `wardline standby`: a directory at a second site that follows the newest backup, and becomes
//! the data directory of a server when the first site is lost.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use model::Timestamp;
use serde_json::json;
use store::{BackupFolder, Clock, Promoted, Shipped, Standby};

use crate::{
    backup_site::{S3, Site, read_key},
    serve::StopSignals,
    store_command::{named, size, time},
};

/// Whoever took a backup so short a time ago may well go on receiving.
const LIVES_FOR: Duration = Duration::from_secs(600);

/// Follows backups, or takes over.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wardline standby --from /mnt/backup --data /var/lib/wardline-standby --key backup.key
  wardline standby --from s3://ward/backups --endpoint https://s3.example.org --data standby --key backup.key
  wardline standby --from /mnt/backup --data standby --key backup.key --promote --first-site-is-off")]
pub(crate) struct Arguments {
    /// The folder of backups, or s3://bucket/prefix; to promote it may be left out.
    #[arg(long, value_name = "FOLDER", required_unless_present = "promote")]
    from: Option<PathBuf>,
    #[command(flatten)]
    s3: S3,
    /// The directory that follows; it must be a standby already, empty, or not there.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The file with the key of the backups.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// How often it looks for a newer backup.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    every_s: u64,
    /// Looks once and ends; an error if the backups cannot be reached.
    #[arg(long)]
    once: bool,
    /// Fetches what can still be reached, and makes it a data directory that a server starts on.
    #[arg(long, conflicts_with = "once")]
    promote: bool,
    /// Promotes although the newest backup is younger than ten minutes or one is being taken:
    /// somebody made sure that the first site's server is off and stays off.
    #[arg(long, requires = "promote")]
    first_site_is_off: bool,
    /// Say it as JSON objects, one a line.
    #[arg(long)]
    json: bool,
}

/// What follows, from where, and what was said last.
struct Follower {
    standby: Standby,
    folder: Option<BackupFolder>,
    site: Option<Site>,
    key: PathBuf,
    clock: Clock,
    as_json: bool,
    /// The age that was told last.
    told: Duration,
    /// What our own counter showed when something new came.
    came: Duration,
    problem: Option<String>,
}

/// Runs until SIGINT or SIGTERM, or once.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let clock = Clock::system();
    let Arguments { from, s3, data, key, every_s, once, promote, first_site_is_off, json } =
        arguments;
    let secret = read_key(&key)?;
    let standby = tokio::task::block_in_place(|| Standby::open(&data, &secret))?;
    let site = from.map(|place| Site { place, s3 });
    let mut follower = Follower {
        standby,
        folder: None,
        site,
        key,
        came: clock.elapsed(),
        clock,
        as_json: json,
        told: Duration::ZERO,
        problem: None,
    };
    if once {
        return tokio::task::block_in_place(|| follower.follow());
    }
    if promote {
        return tokio::task::block_in_place(|| follower.promote(first_site_is_off));
    }
    let mut looks = tokio::time::interval(Duration::from_secs(every_s));
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut stop = StopSignals::listen()?;
    loop {
        tokio::select! {
            () = stop.told() => return Ok(()),
            _ = looks.tick() => tokio::task::block_in_place(|| follower.look()),
        }
    }
}

impl Follower {
    /// Follows; what goes wrong is told once, for the next look may go well.
    fn look(&mut self) {
        let problem = self.follow().err().map(|error| format!("{error:#}"));
        if problem.is_some() && problem != self.problem {
            eprintln!("not followed: {}", problem.as_deref().unwrap_or_default());
        }
        self.problem = problem;
        self.tell_age();
    }

    fn follow(&mut self) -> anyhow::Result<()> {
        let site = self.site.as_ref().context("say by --from where the backups are")?;
        let folder = match self.folder.take() {
            Some(folder) => folder,
            None => site.open_used(&self.key, &self.clock)?,
        };
        let before = self.standby.taken_at();
        let shipped = self.standby.follow(&folder, &mut |_| {}).map_err(named)?;
        self.folder = Some(folder);
        if shipped.new_blocks > 0 || before != Some(shipped.taken_at) {
            self.tell(&shipped);
        }
        Ok(())
    }

    fn tell(&mut self, shipped: &Shipped) {
        let Shipped { taken_at, journal_ends, new_blocks, new_bytes, is_other } = *shipped;
        let behind = behind(taken_at, self.clock.now());
        self.told = behind.unwrap_or_default();
        self.came = self.clock.elapsed();
        let behind_s = behind.map(|it| it.as_secs());
        if self.as_json {
            let json = json!({ "taken_at": time(taken_at), "behind_s": behind_s, "journal_ends": journal_ends.bytes(), "new_blocks": new_blocks, "new_bytes": new_bytes, "is_other": is_other });
            println!("{json}");
        } else {
            let (at, new) = (time(taken_at), size(new_bytes));
            let behind = behind_s.map_or_else(|| AHEAD.to_owned(), |it| format!("{it} s behind"));
            println!("as of {at}, {behind}; {new} were new");
        }
        if is_other {
            eprintln!(
                "its journal does not go on from the one of before: the first site was restored, or another one writes to its place"
            );
        }
    }

    /// Says how far behind it is, each time that is twice as far as was said last.
    fn tell_age(&mut self) {
        let Some(taken_at) = self.standby.taken_at() else { return };
        let known = behind(taken_at, self.clock.now());
        let behind = known.unwrap_or_else(|| self.clock.elapsed().saturating_sub(self.came));
        if behind < self.told.saturating_mul(2).max(Duration::from_secs(60)) {
            return;
        }
        self.told = behind;
        let (at, behind_s) = (time(taken_at), behind.as_secs());
        match (self.as_json, known) {
            (true, _) => {
                let behind_s = known.map(|it| it.as_secs());
                println!("{}", json!({ "taken_at": at, "behind_s": behind_s }));
            }
            (false, Some(_)) => println!("as of {at}, {behind_s} s behind; nothing newer came"),
            (false, None) => println!("as of {at}, {AHEAD}; nothing newer came for {behind_s} s"),
        }
    }

    /// Takes over, with what is here if nothing can be reached any more.
    fn promote(mut self, is_first_site_off: bool) -> anyhow::Result<()> {
        let (now, mut newest, mut is_taken) = (self.clock.now(), self.standby.taken_at(), false);
        if let Some(site) = &self.site {
            let signs = || {
                let folder = site.open_used(&self.key, &self.clock)?;
                let newest = folder.list()?.last().map(|it| it.at);
                anyhow::Ok((newest, folder.is_taken_now(now)?, folder))
            };
            match signs() {
                Ok((found, is_taken_now, folder)) => {
                    (newest, is_taken) = (newest.max(found), is_taken_now);
                    self.folder = Some(folder);
                }
                Err(error) => eprintln!("nothing newer could be fetched: {error:#}"),
            }
        }
        if let Some(sign) = sign_of_life(newest, is_taken, now).filter(|_| !is_first_site_off) {
            bail!(
                "the first site may be alive: {sign}. Two servers with one ward are worse than none for a minute: make sure that the first one is off and stays off, and then say --first-site-is-off"
            );
        }
        if self.folder.is_some()
            && let Err(error) = self.follow()
        {
            eprintln!("nothing newer could be fetched: {error:#}");
        }
        let Self { standby, clock, as_json, .. } = self;
        tell_promoted(&standby.promote().map_err(named)?, clock.now(), as_json)
    }
}

/// What is said in place of an age.
const AHEAD: &str = "which is later than it is here: one of the two clocks is wrong, and how far it is behind cannot be told";

/// How far behind a backup is; `None` if it is dated later than it is here.
fn behind(taken_at: Timestamp, now: Timestamp) -> Option<Duration> {
    (!BackupFolder::is_ahead(taken_at, now)).then(|| now.since(taken_at))
}

/// Why the first site may not be lost: when the newest backup was taken, and whether one is being
/// taken.
fn sign_of_life(newest: Option<Timestamp>, is_taken: bool, now: Timestamp) -> Option<String> {
    match behind(newest?, now) {
        _ if is_taken => {
            Some("somebody takes a backup, or was killed at it within the last day".to_owned())
        }
        None => Some("the newest backup is dated later than it is here".to_owned()),
        Some(age) if age < LIVES_FOR => {
            Some(format!("the newest backup was taken {} s ago", age.as_secs()))
        }
        Some(_) => None,
    }
}

/// Says what a promoted standby is and lacks; an error if no server should start on it unseen.
fn tell_promoted(promoted: &Promoted, now: Timestamp, as_json: bool) -> anyhow::Result<()> {
    let Promoted { taken_at, journal_ends, bytes, damage, lacks } = promoted;
    let (at, behind_s) = (time(*taken_at), behind(*taken_at, now).map(|it| it.as_secs()));
    let gone: Vec<String> = lacks.iter().map(ToString::to_string).collect();
    if as_json {
        let json = json!({ "taken_at": at, "behind_s": behind_s, "journal_ends": journal_ends.bytes(), "bytes": bytes, "damage": damage, "gone": gone });
        println!("{json}");
    } else {
        let since = behind_s.map_or_else(
            || format!("since then, {AHEAD},"),
            |it| format!("in the {it} s since then"),
        );
        println!("promoted, {} as of {at}: what came {since} is not in it", size(*bytes));
        println!(
            "what of that was acknowledged is lost where a device has dropped it: it is not sent again"
        );
    }
    damage.iter().for_each(|it| eprintln!("DAMAGED: {it}"));
    gone.iter().for_each(|it| eprintln!("GONE: {it}"));
    ensure!(
        gone.is_empty(),
        "promoted, but no server starts on it: what is gone was so already when it was backed up; restore an older backup by `wardline store restore --at`"
    );
    ensure!(
        damage.is_empty(),
        "promoted, but it was damaged already when it was backed up, or cannot be read"
    );
    Ok(())
}

#[test]
fn a_first_site_is_believed_to_be_alive_until_its_backups_are_old_and_nobody_takes_one() {
    let at = |second: u64| Timestamp::from_unix_millis(0).after(Duration::from_secs(second));
    let sign = |is_taken, now: u64| sign_of_life(Some(at(1_000)), is_taken, at(now));
    for (is_taken, now, lives) in [
        (false, 1_000, true),
        (false, 1_599, true),
        (false, 1_600, false),
        (true, 90_000, true),
        // A clock that is behind says nothing about an age.
        (false, 500, true),
    ] {
        assert_eq!(sign(is_taken, now).is_some(), lives, "{is_taken}, {now}");
    }
    assert_eq!(sign_of_life(None, true, at(5)), None);
    assert_eq!(behind(at(1_000), at(939)), None);
    assert_eq!(behind(at(1_000), at(940)), Some(Duration::ZERO));
}

#[test]
fn what_was_promoted_and_is_not_whole_is_an_error_that_says_that_it_was_promoted() {
    let whole = Promoted {
        taken_at: Timestamp::from_unix_millis(0),
        journal_ends: store::LogOffset::default(),
        bytes: 1,
        damage: Vec::new(),
        lacks: Vec::new(),
    };
    let now = whole.taken_at;
    tell_promoted(&whole, now, false).unwrap();
    let gone = store::Lack::Beginning { begins: store::LogOffset::from_bytes(7) };
    for broken in [
        Promoted { lacks: vec![gone], ..whole.clone() },
        Promoted { damage: vec!["series".to_owned()], ..whole },
    ] {
        let said = tell_promoted(&broken, now, true).unwrap_err().to_string();
        assert!(said.starts_with("promoted, but"), "{said}");
    }
}
