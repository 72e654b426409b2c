//! Directories as each release left them, committed below `tests/golden/`: this program starts
//! on all of them from their checkpoints, and says of them what was said when they were made.
//!
//! ```text
//! whole.tar.gz     FORMAT `wardline 1`, stopped in the middle, its checkpoint half a minute old
//! thinned.tar.gz   the same later, FORMAT `wardline 2`, with segments that gave up their samples
//! backup.tar.gz    a backup of the whole one
//! whole.txt, thinned.txt   what is said of them
//! ```
//!
//! A release's directory is made once, by `UPDATE=1`, and is never made again: it stands for
//! what lies on the disks of hospitals ([decision 0043](../../docs/adr/0043-what-an-older-release-wrote-is-taken-up.md)).

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use engine::{AlarmScope, Core, EngineHandle};
use model::{Subject, Timestamp};
use security::BackupKey;
use sim::{Act, Deed, Fidelity, Hospital};
use store::{
    AlarmFilter, BackupFolder, Clock, DataDir, FileStorage, JournalLimits, LogOffset, Question,
    Record, Records, RollRule, Series, Source,
};

use crate::{
    node::{Kept, Node, setup},
    stage::{self, ORG, START, id, second},
};

mod says;

/// The release that this program is or becomes.
const RELEASE: &str = env!("CARGO_PKG_VERSION");
/// Small enough for a journal of many segments in a minute.
const SEGMENT_LEN: u64 = 32 << 10;
const CHECKPOINT_S: u64 = 40;
const WHOLE_S: u64 = 50;
const THINNED_S: u64 = 55;
/// These devices send; their patients have all that the script does to the ward in a minute.
const SENDING: [usize; 5] = [2, 3, 5, 6, 11];
/// This one sends a waveform too: of a heart that stops.
const WITH_WAVES: usize = 5;
/// The most that is committed of a directory, and of a backup, which cannot be compressed.
const PACKED_LEN_MAX: u64 = 200 << 10;
const BACKUP_LEN_MAX: u64 = 850 << 10;

/// What was made of every release.
const FORMS: [&str; 2] = ["whole", "thinned"];

fn golden() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn key() -> BackupKey {
    BackupKey::of(&[7; 32]).unwrap()
}

fn limits() -> JournalLimits {
    JournalLimits { segment_len: SEGMENT_LEN, ..JournalLimits::default() }
}

fn tar(arguments: &[&str]) {
    let run = Command::new("tar").args(arguments).output().unwrap();
    assert!(run.status.success(), "tar: {}", String::from_utf8_lossy(&run.stderr));
}

fn pack(folder: &Path, archive: &Path) {
    let [folder, archive] = [folder, archive].map(|path| path.to_str().unwrap());
    let owner = ["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0"];
    tar(&[
        &owner[..],
        &["--exclude=./LOCK", "--exclude=*-shm", "-czf", archive, "-C", folder, "."],
    ]
    .concat());
}

fn unpack(archive: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    tar(&["-xzf", archive.to_str().unwrap(), "-C", folder.path().to_str().unwrap()]);
    folder
}

fn is_sent(deed: &Deed) -> bool {
    let is_wave = matches!(&deed.act, Act::Send(sent) if sent.wave_samples > 0);
    let device = deed.device_index;
    stage::is_delivered(deed) && SENDING.contains(&device) && (!is_wave || device == WITH_WAVES)
}

/// The ward lives on, and is watched by a nurse who answers once.
async fn live(node: &mut Node, ward: &mut Hospital, clock: &Clock, (from, until): (u64, u64)) {
    for lived in (from..until).step_by(5) {
        let mut deeds = Vec::new();
        while ward.next_at() <= second(lived + 5) {
            deeds.extend(ward.step().into_iter().filter(is_sent));
        }
        node.live(&deeds, lived, lived + 5).await;
        clock.advance_to(second(lived + 5));
    }
}

/// Makes what stands for a release.
async fn make(place: &Path) {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::manual(START));
    let script = stage::ward();
    let mut node = Node::open_with(folder.path(), &clock, limits()).await;
    stage::build(&mut node, &script).await;
    let (devices, hearts) = (stage::enrolled(&script), stage::recordings());
    let mut ward = Hospital::new(1, START, script, devices, &hearts, &Fidelity::default());
    live(&mut node, &mut ward, &clock, (0, CHECKPOINT_S)).await;
    stage::answer_all(&node, CHECKPOINT_S).await;
    drop(node.stop().await);
    let mut node = Node::open_with(folder.path(), &clock, limits()).await;
    node.watch().await;
    live(&mut node, &mut ward, &clock, (CHECKPOINT_S, WHOLE_S)).await;
    node.crash().await;
    fs::create_dir_all(place).unwrap();
    pack(folder.path(), &place.join("whole.tar.gz"));

    let backups = tempfile::tempdir().unwrap();
    let into = BackupFolder::open(backups.path(), key()).unwrap();
    let source = Source { root: folder.path(), journal: None };
    into.take(&source, second(WHOLE_S), &mut |_| {}).unwrap();
    pack(backups.path(), &place.join("backup.tar.gz"));

    let node = Node::open_with(folder.path(), &clock, limits()).await;
    drop(node.stop().await);
    let mut node = Node::open_with(folder.path(), &clock, limits()).await;
    node.watch().await;
    assert!(node.thin().await >= 2, "too few segments were thinned");
    live(&mut node, &mut ward, &clock, (WHOLE_S, THINNED_S)).await;
    node.crash().await;
    pack(folder.path(), &place.join("thinned.tar.gz"));
    for form in FORMS {
        let copy = unpack(&place.join(format!("{form}.tar.gz")));
        let said = says::all(copy.path()).await;
        fs::write(place.join(format!("{form}.txt")), said).unwrap();
    }
}

/// Every release of which there is something, oldest first.
fn releases() -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(golden()).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter(|entry| entry.path().is_dir())
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.path()))
        .collect();
    found.sort();
    found
}

/// Fails with what is lacking and what is there instead. A newer program may have more tables.
fn compare(what: &str, expected: &str, said: &str) {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (expected, said) = (lines(expected), lines(said));
    let lacking: Vec<_> = expected.iter().filter(|line| !said.contains(line)).collect();
    let new = |line: &&String| !line.starts_with("rows ") && !expected.contains(line);
    let other: Vec<_> = said.iter().filter(new).collect();
    assert!(
        lacking.is_empty() && other.is_empty(),
        "{what} says otherwise than when it was made.\nIt said {lacking:#?}\nand says {other:#?}"
    );
}

/// The checkpoint of a directory, which this program must be able to take up.
fn take_up_checkpoint(what: &str, folder: &Path) -> LogOffset {
    let dir = DataDir::open(folder).unwrap();
    let (place, bytes) = Series::open(dir.series()).unwrap().load_checkpoint().unwrap().unwrap();
    let refused = Core::restore(setup(), &bytes).err().map(|error| error.to_string());
    assert_eq!(
        refused, None,
        "{what}: a hospital would read its whole journal before it has an alarm again. Keep a \
         reader for that version in crates/engine/src/core/restore.rs, and leave what stands in \
         tests/golden/ as it is (docs/adr/0043)"
    );
    place
}

/// Takes the oldest segment away: nothing but the checkpoint says what stood in it.
fn lose_the_beginning(folder: &Path, checkpoint: LogOffset) {
    let mut segments: Vec<_> =
        fs::read_dir(folder.join("journal")).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.retain(|path| path.extension().is_some_and(|it| it == "seg" || it == "thin"));
    segments.sort();
    fs::remove_file(&segments[0]).unwrap();
    let begins = store::begins_at(&FileStorage::open(&DataDir::open(folder).unwrap()).unwrap());
    let begins = begins.unwrap();
    assert!(LogOffset::default() < begins && begins <= checkpoint, "{begins} {checkpoint}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_release_left_something_that_this_one_starts_on_and_says_the_same_of() {
    let own = golden().join(RELEASE);
    if std::env::var_os("UPDATE").is_some() && !own.exists() {
        make(&own).await;
    }
    let make_it = format!(
        "there is nothing of release {RELEASE}; once its format is settled make it by \
         `UPDATE=1 cargo test -p e2e --test day golden`"
    );
    assert!(own.is_dir(), "{make_it}");
    for (release, place) in releases() {
        for form in FORMS {
            let what = format!("the {form} directory of release {release}");
            let archive = place.join(format!("{form}.tar.gz"));
            let expected = fs::read_to_string(place.join(format!("{form}.txt"))).unwrap();
            let copy = unpack(&archive);
            let checkpoint = take_up_checkpoint(&what, copy.path());
            compare(&what, &expected, &says::all(copy.path()).await);
            // Its own newest checkpoint is as good, and nothing is said twice.
            compare(&format!("{what}, once more"), &expected, &says::all(copy.path()).await);

            let copy = unpack(&archive);
            lose_the_beginning(copy.path(), checkpoint);
            let standing = says::only_standing(&expected);
            assert!(standing.lines().count() > 20, "{standing}");
            let what = format!("{what}, which has its checkpoint and no beginning,");
            compare(&what, &standing, &says::standing_on(copy.path()).await);
        }
        let what = format!("the journal alone of release {release}");
        let expected = fs::read_to_string(place.join("whole.txt")).unwrap();
        let copy = unpack(&place.join("whole.tar.gz"));
        fs::remove_file(copy.path().join("records.sqlite")).unwrap();
        fs::remove_dir_all(copy.path().join("series")).unwrap();
        compare(&what, &expected, &says::all(copy.path()).await);

        let what = format!("what a backup of release {release} is restored to");
        let backups = unpack(&place.join("backup.tar.gz"));
        let target = tempfile::tempdir().unwrap();
        let folder = BackupFolder::open(backups.path(), key()).unwrap();
        let restored = folder.restore(&target.path().join("data"), None, &mut |_| {}).unwrap();
        assert!(restored.has_derived, "{restored:?}");
        compare(&what, &expected, &says::all(&target.path().join("data")).await);
    }
}

#[test]
fn what_is_committed_of_a_release_is_small() {
    for (release, place) in releases() {
        for (name, most) in
            [("whole", PACKED_LEN_MAX), ("thinned", PACKED_LEN_MAX), ("backup", BACKUP_LEN_MAX)]
        {
            let len = fs::metadata(place.join(format!("{name}.tar.gz"))).unwrap().len();
            assert!(len <= most, "{name} of {release} has {len} bytes");
        }
    }
}
