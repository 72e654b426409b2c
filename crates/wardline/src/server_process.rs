//! A server of our own in a process of its own, for checks and benchmarks.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

/// A start that takes longer is a fault; one with a long journal takes seconds.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// A server that was asked to end is gone by then.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// What a started server says on its first line of output.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Ready {
    /// Address of screens and API, such as `http://localhost:8080`.
    pub(crate) people: String,
    /// Host and port of MQTT over TLS.
    pub(crate) mqtt: String,
    /// Host and port of HTTPS for devices.
    pub(crate) https: String,
    /// Where `/metrics` is.
    pub(crate) metrics: String,
    /// The process.
    pub(crate) pid: u32,
}

/// A child that is ended with this value.
#[derive(Debug)]
pub(crate) struct ServerProcess {
    child: Child,
    /// What it said.
    pub(crate) ready: Ready,
}

/// CPU time and memory of a process, read from `/proc`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// User and system time so far, in microseconds.
    pub(crate) cpu_us: u64,
    /// Resident memory, in KiB.
    pub(crate) rss_kib: u64,
}

impl ServerProcess {
    /// Starts `wardline demo --empty` on free ports with this data directory and waits until it serves.
    pub(crate) async fn start(data: &Path) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let mut child = Command::new(program)
            .args(["demo", "--empty", "--port", "0", "--json", "--data"])
            .arg(data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the server")?;
        let output = child.stdout.take().context("the server has no output")?;
        let mut lines = BufReader::new(output).lines();
        let line = tokio::time::timeout(READY_WITHIN, lines.next_line()).await;
        let line = line.with_context(|| {
            format!("the server did not say within {} s that it is ready", READY_WITHIN.as_secs())
        })??;
        let line = line.context("the server ended before it was ready")?;
        let ready =
            line.strip_prefix("ready ").context("the server's first line is not `ready …`")?;
        let ready =
            serde_json::from_str(ready).context("the server's ready line is not understood")?;
        Ok(Self { child, ready })
    }

    /// What the server has used so far.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        usage_of(self.ready.pid)
    }

    /// Whether the server is still there.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks the server to end, as an administrator would, and waits until it has.
    pub(crate) async fn end_in_order(mut self) -> anyhow::Result<()> {
        let pid = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let pid = pid.context("the server had ended before it was asked to")?;
        kill_process(pid, Signal::TERM).context("the server cannot be asked to end")?;
        let ended = tokio::time::timeout(ENDS_WITHIN, self.child.wait()).await;
        let status = ended.context("the server did not end when it was asked to")??;
        anyhow::ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }

    /// Ends the server and waits until it is gone.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("the server could not be ended")
    }
}

/// What a process has used so far.
pub(crate) fn usage_of(pid: u32) -> anyhow::Result<Usage> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    // The name in parentheses may hold blanks; the numbers follow it. A tick is 10 ms.
    let fields: Vec<u64> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .map(|field| field.parse().unwrap_or(0))
        .collect();
    let cpu_us = fields.get(11..13).map_or(0, |ticks| ticks.iter().sum::<u64>() * 10_000);
    let rss = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok());
    Ok(Usage { cpu_us, rss_kib: rss.context("no resident size in /proc")? })
}
