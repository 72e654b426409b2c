//! The configuration file: listeners and paths. Everything else is set on screens
//! and journalled.

use std::{
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde::Deserialize;

use crate::records_place::Address;

/// What `wardline serve --config FILE` reads; each part has a sensible default.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Where everything is kept; one program at a time holds it.
    pub(crate) data: PathBuf,
    /// The name of the organization, used at the first start.
    pub(crate) organization: String,
    /// Screens and API for people.
    pub(crate) people: People,
    /// Doors for devices.
    pub(crate) devices: Devices,
    /// `/metrics`, on loopback.
    pub(crate) metrics: SocketAddr,
    /// Where backups go; none are taken without it.
    pub(crate) backup: Backup,
    /// The PostgreSQL that holds the records; without it a file of the data directory does.
    pub(crate) records: Option<Address>,
    /// How long waveforms stay whole in the journal; for ever without it.
    pub(crate) retention: Retention,
}

/// How long waveform blocks stay whole in the journal; afterwards the series have their samples.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Retention {
    /// So many days after their receipt.
    pub(crate) keep_waves_days: Option<u64>,
    /// As long as the journal has no more than so many GiB.
    pub(crate) keep_waves_gib: Option<u64>,
}

/// Backups of the running server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Backup {
    /// The folder, best on another machine, or `s3://bucket/prefix`.
    pub(crate) folder: Option<PathBuf>,
    /// The address of the S3 store; Amazon's if it is left out.
    pub(crate) endpoint: Option<String>,
    /// The region of the bucket.
    pub(crate) region: Option<String>,
    /// The file of credentials for the S3 store; the environment has them without it.
    pub(crate) credentials: Option<PathBuf>,
    /// The file with the folder's key, as `wardline store backup --new-key` makes it.
    pub(crate) key: Option<PathBuf>,
    /// Hours from one backup to the next.
    pub(crate) every_hours: u64,
    /// Minutes from one backup to the next, in place of hours, for a standby that follows.
    pub(crate) every_minutes: Option<u64>,
    /// A backup is restored and compared if the last one that was is so many hours older; each
    /// one with 0.
    pub(crate) rehearse_every_hours: u64,
    /// Of so many days the newest backup stays when old ones are thinned out.
    pub(crate) keep_daily: u32,
    /// Of so many weeks.
    pub(crate) keep_weekly: u32,
    /// Of so many months; all stay with 0 for all three.
    pub(crate) keep_monthly: u32,
}

impl Default for Backup {
    fn default() -> Self {
        Self {
            folder: None,
            endpoint: None,
            region: None,
            credentials: None,
            key: None,
            every_hours: 24,
            every_minutes: None,
            rehearse_every_hours: 0,
            keep_daily: 0,
            keep_weekly: 0,
            keep_monthly: 0,
        }
    }
}

/// The people's listener.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct People {
    /// Where it listens.
    pub(crate) listen: SocketAddr,
    /// Whether it speaks TLS; plain HTTP is taken on loopback only.
    pub(crate) tls: bool,
    /// Names and addresses in its certificate.
    pub(crate) names: Vec<String>,
}

/// The devices' listener.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Devices {
    /// Where MQTT over TLS listens.
    pub(crate) mqtt: SocketAddr,
    /// Where HTTPS for devices listens, MQTT over WebSocket with it.
    pub(crate) https: SocketAddr,
    /// The name that devices are told to connect to.
    pub(crate) host: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("wardline-data"),
            organization: "My hospital".to_owned(),
            people: People::default(),
            devices: Devices::default(),
            metrics: SocketAddr::from((Ipv4Addr::LOCALHOST, 9_464)),
            backup: Backup::default(),
            records: None,
            retention: Retention::default(),
        }
    }
}

impl Default for People {
    fn default() -> Self {
        let listen = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8_443));
        Self { listen, tls: true, names: vec!["localhost".to_owned(), "127.0.0.1".to_owned()] }
    }
}

impl Default for Devices {
    fn default() -> Self {
        let mqtt = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8_883));
        let https = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8_444));
        Self { mqtt, https, host: "localhost".to_owned() }
    }
}

impl Config {
    /// Reads a file, or the defaults without one; an unknown key is an error with its line.
    pub(crate) fn read(file: Option<&Path>) -> anyhow::Result<Self> {
        let Some(file) = file else { return Ok(Self::default()) };
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read the configuration file {}", file.display()))?;
        let config: Self = toml::from_str(&text).map_err(|error| {
            // The line itself stays where it is: it may hold a password.
            let before = error.span().and_then(|at| text.get(..at.start)).unwrap_or_default();
            anyhow::anyhow!(
                "the configuration file {} is not understood in line {}: {}",
                file.display(),
                before.split('\n').count(),
                error.message()
            )
        })?;
        config.refuse_open_password(file)?;
        config.checked()
    }

    /// Refuses a password in a file that everybody on the machine can read.
    fn refuse_open_password(&self, file: &Path) -> anyhow::Result<()> {
        if !self.records.as_ref().is_some_and(Address::has_password) {
            return Ok(());
        }
        let mode = std::fs::metadata(file)
            .with_context(|| format!("cannot look at the configuration file {}", file.display()))?
            .permissions()
            .mode();
        anyhow::ensure!(
            mode & 0o007 == 0,
            "the configuration file {} holds a password, and everybody on this machine can read it; chmod 640 it",
            file.display()
        );
        Ok(())
    }

    /// Refuses what would show patients' data to anybody on the network.
    pub(crate) fn checked(self) -> anyhow::Result<Self> {
        let plain_outside = !self.people.tls && !self.people.listen.ip().is_loopback();
        anyhow::ensure!(
            !plain_outside,
            "people.listen is {} without TLS; use tls = true, or an address on loopback",
            self.people.listen
        );
        let metrics_outside = !self.metrics.ip().is_loopback();
        anyhow::ensure!(
            !metrics_outside,
            "metrics is {}; it has no sign-in, so it listens on loopback only",
            self.metrics
        );
        let Backup { folder, key, every_hours, every_minutes, .. } = &self.backup;
        anyhow::ensure!(
            folder.is_some() == key.is_some() && *every_hours > 0 && *every_minutes != Some(0),
            "backup needs folder and key, and every_hours or every_minutes of at least 1"
        );
        let Retention { keep_waves_days, keep_waves_gib } = self.retention;
        anyhow::ensure!(
            [keep_waves_days, keep_waves_gib].iter().all(|it| *it != Some(0)),
            "keep_waves_days and keep_waves_gib are at least 1; leave them out to keep everything"
        );
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<Config, String> {
        let config: Config = toml::from_str(text).map_err(|error| error.to_string())?;
        config.checked().map_err(|error| error.to_string())
    }

    #[test]
    fn a_password_of_a_configuration_is_never_told_and_nobody_else_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("wardline.toml");
        let read = |text: &str, mode| {
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            Config::read(Some(&file)).map_err(|error| format!("{error:?}"))
        };
        let good = "records = \"postgres://ward:secret@localhost/ward\"\n";
        let unfinished = read(&good.replace("\"\n", "\n"), 0o600).unwrap_err();
        assert!(unfinished.contains("in line 1"), "{unfinished}");
        assert!(!unfinished.contains("secret"), "{unfinished}");
        let line = read(&format!("data = \"x\"\n\n[people]\n{good}"), 0o600).unwrap_err();
        assert!(line.contains("in line 4: unknown field `records`"), "{line}");
        assert!(!line.contains("secret"), "{line}");
        let open = read(good, 0o644).unwrap_err();
        assert!(open.contains("everybody on this machine can read it"), "{open}");
        assert!(!open.contains("secret"), "{open}");
        read(good, 0o640).unwrap();
        read("records = \"postgres://ward@localhost/ward\"\n", 0o644).unwrap();
    }

    #[test]
    fn a_configuration_is_read_or_refused_by_name() {
        assert_eq!(check("").unwrap().people.listen.port(), 8_443);
        let config =
            check("data = \"/var/lib/wardline\"\n[devices]\nmqtt = \"0.0.0.0:18883\"").unwrap();
        assert_eq!((config.devices.mqtt.port(), config.devices.https.port()), (18_883, 8_444));
        assert!(
            check("[people]\nlisten = \"0.0.0.0:80\"\ntls = false")
                .unwrap_err()
                .contains("without TLS")
        );
        assert!(check("[people]\nlisten = \"127.0.0.1:80\"\ntls = false").is_ok());
        assert!(check("metrics = \"0.0.0.0:9464\"").unwrap_err().contains("loopback only"));
        let config = check("[backup]\nfolder = \"/b\"\nkey = \"/k\"").unwrap();
        assert_eq!(config.backup.every_hours, 24);
        for half in ["folder = \"/b\"", "folder = \"/b\"\nkey = \"/k\"\nevery_hours = 0"] {
            assert!(check(&format!("[backup]\n{half}")).unwrap_err().contains("backup needs"));
        }
        assert_eq!(check("").unwrap().retention.keep_waves_days, None);
        let config = check("[retention]\nkeep_waves_days = 30\nkeep_waves_gib = 200").unwrap();
        assert_eq!(config.retention.keep_waves_gib, Some(200));
        for nothing in ["keep_waves_days = 0", "keep_waves_gib = 0"] {
            assert!(check(&format!("[retention]\n{nothing}")).unwrap_err().contains("at least 1"));
        }
        assert!(check("colour = \"red\"").unwrap_err().contains("colour"));
    }
}
