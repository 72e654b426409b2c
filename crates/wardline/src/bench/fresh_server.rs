//! A server of our own with a folder of its own, both gone when the benchmark is.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::{
    rest::Rest,
    server_process::{ServerProcess, Usage},
};

/// An empty server in a process of its own.
#[derive(Debug)]
pub(super) struct FreshServer {
    process: ServerProcess,
    folder: Folder,
}

/// A folder that is removed when this value is.
#[derive(Debug)]
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left of it is in the way of nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl FreshServer {
    /// Starts one in a new folder below `scratch`, or below the system's own.
    pub(super) async fn start(scratch: Option<&Path>) -> anyhow::Result<Self> {
        let below = scratch.map_or_else(std::env::temp_dir, Path::to_owned);
        let folder = below.join(format!("wardline-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let folder = Folder(folder);
        let process = ServerProcess::start(&folder.0).await?;
        Ok(Self { process, folder })
    }

    /// The administrator, signed in.
    pub(super) async fn admin(&self) -> anyhow::Result<Rest> {
        self.people()?.sign_in_by_click("admin").await
    }

    /// Host and port of MQTT over TLS.
    pub(super) fn mqtt(&self) -> &str {
        &self.process.ready.mqtt
    }

    /// Host and port of HTTPS for devices.
    pub(super) fn https(&self) -> &str {
        &self.process.ready.https
    }

    /// The server's process.
    pub(super) fn pid(&self) -> u32 {
        self.process.ready.pid
    }

    /// Where its data lie.
    pub(super) fn folder(&self) -> &Path {
        &self.folder.0
    }

    /// What the server has used so far.
    pub(super) fn usage(&self) -> anyhow::Result<Usage> {
        self.process.usage()
    }

    /// Kills the server as a power cut would, and starts it again on the same folder.
    pub(super) async fn crash_and_start_again(self) -> anyhow::Result<Self> {
        let Self { process, folder } = self;
        process.stop().await?;
        let process = ServerProcess::start(&folder.0).await?;
        Ok(Self { process, folder })
    }

    /// Ends the server in order, does something with its folder, and starts it again.
    pub(super) async fn start_again_after(
        self,
        work: impl FnOnce(&Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let Self { process, folder } = self;
        process.end_in_order().await?;
        work(&folder.0)?;
        let process = ServerProcess::start(&folder.0).await?;
        Ok(Self { process, folder })
    }

    /// Nobody, at the door for people.
    pub(super) fn people(&self) -> anyhow::Result<Rest> {
        Rest::new(&self.process.ready.people)
    }

    /// Ends the server, or says that it had ended by itself.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        anyhow::ensure!(self.process.is_alive(), "the server ended during the benchmark");
        self.process.stop().await
    }
}
