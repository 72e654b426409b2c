//! What a calm ward costs the disk: bytes that are written for each byte that devices sent.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path, time::Duration};

use anyhow::{Context as _, ensure};
use store::Clock;

use super::{
    Writes,
    figure::Sheet,
    fresh_server::FreshServer,
    ingest::{connect, stage},
    paced::{Plan, pace},
    progress,
    publisher::Publisher,
    template::READINGS,
};
use crate::percentile::percentile;

/// No more than this may be written for a byte of payload.
const TIMES_MAX: f64 = 3.0;
/// What a start writes late is written by then, and not counted.
const SETTLES_WITHIN: Duration = Duration::from_secs(35);
/// The unit of `/proc/diskstats`, whatever a disk's own sector is.
const DISKSTATS_SECTOR: u64 = 512;

/// What has been written so far.
#[derive(Clone, Copy, Debug)]
struct Written {
    /// By the server's process, as the kernel counts it.
    process: u64,
    /// To the disk that holds its folder, by everybody; none if there is no such disk.
    disk: Option<u64>,
}

/// Sends steadily from each device, and compares what it sent with what was written.
pub(super) async fn measure(
    asked: &Writes,
    scratch: Option<&Path>,
    sheet: &mut Sheet,
) -> anyhow::Result<()> {
    let clock = Clock::system();
    let server = FreshServer::start(scratch).await?;
    let admin = server.admin().await?;
    let (hospital, _, devices) = stage(&admin, asked.devices as usize).await?;
    progress(
        "starting anew, so that the building of the hospital is on the disk and does not count",
    );
    let server = server.start_again_after(|_| Ok(())).await?;
    let publishers = connect(&devices, &hospital, &server, &clock).await?;
    let payload_len = publishers.first().map_or(0, Publisher::payload_len);
    tokio::time::sleep(SETTLES_WITHIN).await;
    let from = clock.now().after(Duration::from_millis(200));
    let plan = Plan {
        from,
        until: from.after(Duration::from_secs(asked.seconds)),
        every: Duration::from_secs(1),
        racing: 0,
        devices: asked.devices as usize,
    };
    progress(&format!("sending {} messages a second for {} s", asked.devices, asked.seconds));
    let before = written(server.pid(), server.folder())?;
    let mut paced = pace(publishers, &plan, &clock).await?;
    let after = written(server.pid(), server.folder())?;
    let payload = (paced.sent.len() as u64).saturating_mul(payload_len as u64);
    ensure!(payload > 0, "nothing was sent");
    sheet.condition("devices", asked.devices);
    sheet.condition("seconds", asked.seconds);
    sheet.condition("readings_per_message", READINGS);
    sheet.condition("payload_bytes", payload_len);
    let times = |from: u64, to: u64| to.saturating_sub(from) as f64 / payload as f64;
    sheet.add("writes.process_per_payload", times(before.process, after.process), "1");
    let worst = match (before.disk, after.disk) {
        (Some(from), Some(to)) => {
            sheet.add("writes.disk_per_payload", times(from, to), "1");
            times(from, to)
        }
        _ => times(before.process, after.process),
    };
    for (word, share) in [("p50", 0.5), ("p99", 0.99)] {
        let value = percentile(&mut paced.ack_ms, share).context("no acknowledgement")?;
        sheet.add(&format!("writes.publish_to_ack_{word}"), value, "ms");
    }
    if worst > TIMES_MAX {
        sheet.breaks(format!(
            "{worst:.1} bytes were written for each that devices sent; {TIMES_MAX} are promised"
        ));
    }
    server.stop().await
}

fn written(pid: u32, folder: &Path) -> anyhow::Result<Written> {
    let io = fs::read_to_string(format!("/proc/{pid}/io")).context("what the server wrote")?;
    let process = by_process(&io).context("what the server wrote is not told")?;
    let device = folder.metadata().with_context(|| format!("{}", folder.display()))?.dev();
    let disks = fs::read_to_string("/proc/diskstats").unwrap_or_default();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    Ok(Written { process, disk: by_disk(&disks, major, minor) })
}

/// `write_bytes` of `/proc/PID/io`, see proc(5).
fn by_process(io: &str) -> Option<u64> {
    io.lines().find_map(|line| line.strip_prefix("write_bytes:"))?.trim().parse().ok()
}

/// The sectors written of one disk in `/proc/diskstats`, in bytes; its tenth field.
fn by_disk(disks: &str, major: u32, minor: u32) -> Option<u64> {
    let numbers = [major.to_string(), minor.to_string()];
    let line = disks.lines().find(|line| {
        let mut fields = line.split_whitespace();
        numbers.iter().all(|number| fields.next() == Some(number))
    })?;
    let sectors: u64 = line.split_whitespace().nth(9)?.parse().ok()?;
    Some(sectors.saturating_mul(DISKSTATS_SECTOR))
}

#[test]
fn what_was_written_is_found_in_the_kernels_own_words() {
    assert_eq!(by_process("rchar: 1\nwrite_bytes: 4096\ncancelled_write_bytes: 7\n"), Some(4_096));
    assert_eq!(by_process("rchar: 1\n"), None);
    let disks = "   7  0 loop0 1 0 8 0 2 0 16 0\n 254 0 vda 5 1 9 2 6 3 24 4 0 9 9\n";
    assert_eq!(by_disk(disks, 254, 0), Some(24 * 512));
    assert_eq!(by_disk(disks, 254, 1), None);
}
