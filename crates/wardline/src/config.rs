//! The configuration file: listeners and paths. Everything else is set on screens
//! and journalled.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde::Deserialize;

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
}

/// Backups of the running server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Backup {
    /// The folder, best on another machine.
    pub(crate) folder: Option<PathBuf>,
    /// The file with the folder's key, as `wardline store backup --new-key` makes it.
    pub(crate) key: Option<PathBuf>,
    /// Hours from one backup to the next.
    pub(crate) every_hours: u64,
}

impl Default for Backup {
    fn default() -> Self {
        Self { folder: None, key: None, every_hours: 24 }
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
        let config: Self = toml::from_str(&text).with_context(|| {
            format!("the configuration file {} is not understood", file.display())
        })?;
        config.checked()
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
        let Backup { folder, key, every_hours } = &self.backup;
        anyhow::ensure!(
            folder.is_some() == key.is_some() && *every_hours > 0,
            "backup needs folder and key, and every_hours of at least 1"
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
        assert!(check("colour = \"red\"").unwrap_err().contains("colour"));
    }
}
