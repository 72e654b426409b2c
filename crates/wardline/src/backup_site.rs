//! Where backups are, as the configuration or the command line says it: a folder, or
//! `s3://bucket/prefix` with the store's address and who we are to it.

use std::{
    fs::File,
    io::Read as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use rusty_s3::Credentials;
use security::BackupKey;
use serde::Deserialize;
use store::{BackupFolder, BackupPlace, Clock, FolderPlace};

use crate::s3_place::{Address, S3Place};

/// A file of credentials is not longer, in bytes.
const CREDENTIALS_LEN_MAX: u64 = 64 << 10;

/// How a store that speaks S3 is reached. Who we are to it is never said on the command line.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct S3 {
    /// The address of the S3 store, such as <https://s3.example.org>; Amazon's if it is left out.
    #[arg(long, value_name = "URL", env = "AWS_ENDPOINT_URL")]
    pub(crate) endpoint: Option<String>,
    /// The region of the bucket; us-east-1 if it is left out beside an endpoint.
    #[arg(long, value_name = "NAME", env = "AWS_REGION")]
    pub(crate) region: Option<String>,
    /// The file with access_key and secret_key, which only its owner may read; without it they
    /// are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of the environment.
    #[arg(long, value_name = "FILE")]
    pub(crate) credentials: Option<PathBuf>,
}

/// Where backups are.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// A folder, or `s3://bucket/prefix`.
    pub(crate) place: PathBuf,
    /// How a store is reached, if it is one.
    pub(crate) s3: S3,
}

/// What a file of credentials says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CredentialsFile {
    access_key: String,
    secret_key: String,
    session_token: Option<String>,
}

impl Site {
    /// Opens it with the key in this file, or makes it; waits for a disk or a network.
    pub(crate) fn open(&self, key: &Path, clock: &Clock) -> anyhow::Result<BackupFolder> {
        let key = read_key(key)?;
        Ok(BackupFolder::open_at(self.reach(clock)?, key)?)
    }

    /// The same for a place of backups that is there already: a mistyped one would become a new
    /// one otherwise.
    pub(crate) fn open_used(&self, key: &Path, clock: &Clock) -> anyhow::Result<BackupFolder> {
        let key = read_key(key)?;
        if self.bucket().is_none() {
            ensure!(self.place.exists(), "{} is no folder of backups", self.place.display());
        }
        let place = self.reach(clock)?;
        if place.is_unused().with_context(|| format!("{} cannot be read", self.place.display()))? {
            bail!("{} has no backups", self.place.display());
        }
        Ok(BackupFolder::open_at(place, key)?)
    }

    /// The place itself.
    pub(crate) fn reach(&self, clock: &Clock) -> anyhow::Result<Box<dyn BackupPlace>> {
        let Some(bucket) = self.bucket() else {
            let unusable = || format!("{} cannot be read or written", self.place.display());
            return Ok(Box::new(FolderPlace::open(&self.place).with_context(unusable)?));
        };
        let credentials = match &self.s3.credentials {
            Some(file) => read_credentials(file)?,
            None => Credentials::from_env().context(
                "no credentials for the S3 store: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a file of credentials",
            )?,
        };
        let (endpoint, region) = (self.s3.endpoint.as_deref(), self.s3.region.as_deref());
        let address = Address { bucket, endpoint, region };
        Ok(Box::new(S3Place::new(&address, credentials, clock.clone())?))
    }

    fn bucket(&self) -> Option<&str> {
        self.place.to_str()?.strip_prefix("s3://")
    }
}

/// Reads a file of credentials that nobody else may read.
fn read_credentials(path: &Path) -> anyhow::Result<Credentials> {
    let unread = || format!("cannot read the credentials {}", path.display());
    let file = File::open(path).with_context(unread)?;
    let mode = file.metadata().with_context(unread)?.permissions().mode();
    ensure!(
        mode & 0o077 == 0,
        "the credentials {} may be read by others; run chmod 600 {}",
        path.display(),
        path.display()
    );
    let mut text = String::new();
    file.take(CREDENTIALS_LEN_MAX).read_to_string(&mut text).with_context(unread)?;
    // An error would show the line, and with it a secret.
    let Ok(said) = toml::from_str::<CredentialsFile>(&text) else {
        bail!(
            "the credentials {} are not understood; they are two lines, access_key = \"…\" and secret_key = \"…\"",
            path.display()
        );
    };
    Ok(match said.session_token {
        Some(token) => Credentials::new_with_token(said.access_key, said.secret_key, token),
        None => Credentials::new(said.access_key, said.secret_key),
    })
}

/// Reads a key file.
pub(crate) fn read_key(path: &Path) -> anyhow::Result<BackupKey> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the backup key {}", path.display()))?;
    BackupKey::parse(&text).with_context(|| format!("{} is not used", path.display()))
}
