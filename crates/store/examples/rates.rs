//! How many groups a second the journal makes durable, how long a sync takes, and how
//! fast a log opens and is read: `cargo run --release -p store --example rates -- <folder>`.

use std::{path::PathBuf, sync::Arc, time::Duration};

use model::{OrgId, PartitionId, Timestamp};
use store::{Clock, Entry, FileStorage, Journal, JournalLimits, LogOffset};

const WRITERS: u64 = 2_000;
const BODY_LEN: usize = 300;

fn entry(now: Timestamp, writer: u64) -> Entry {
    Entry {
        kind: 1,
        body_version: 1,
        org: OrgId::v7(Timestamp::from_unix_nanos(0), 1),
        partition: PartitionId::v7(Timestamp::from_unix_nanos(0), u128::from(writer % 8)),
        received_at: now,
        key_id: 0,
        body: vec![0x5a; BODY_LEN],
    }
}

async fn append_for(journal: Journal, clock: Clock, span: Duration) {
    let until = clock.elapsed().saturating_add(span);
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (journal, clock) = (journal.clone(), clock.clone());
            tokio::spawn(async move {
                while clock.elapsed() < until {
                    if let Err(error) = journal.append(vec![entry(clock.now(), writer)]).await {
                        println!("{error}");
                        return;
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        drop(writer.await);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).map_or_else(|| "rates-journal".into(), PathBuf::from);
    std::fs::create_dir_all(&folder)?;
    let clock = Clock::system();
    let limits = JournalLimits::default();
    let begun = clock.elapsed();
    let (journal, recovery) = Journal::open(FileStorage::folder(&folder)?, clock.clone(), limits)?;
    let opened = clock.elapsed().saturating_sub(begun);
    println!("opened {} bytes in {} segments in {opened:?}", recovery.end, recovery.segments);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let span = Duration::from_secs(5);
    runtime.block_on(append_for(journal.clone(), clock.clone(), span));
    let status = journal.status();
    println!(
        "{:.0} groups/s, {} commits, fsync p50 {} us, p99 {} us",
        status.groups as f64 / span.as_secs_f64(),
        status.commits,
        status.fsync_p50_us,
        status.fsync_p99_us
    );
    let end = journal.end();
    journal.close();
    let begun = clock.elapsed();
    let count = store::replay(Arc::new(FileStorage::folder(&folder)?), LogOffset::default())?
        .filter(Result::is_ok)
        .count();
    let read = clock.elapsed().saturating_sub(begun);
    println!("read {count} records, {end} bytes, in {read:?}");
    Ok(())
}
