//! Which PostgreSQL holds the records: by flag, environment or configuration, and where its
//! password comes from.

use std::{env, fmt, fs, os::unix::fs::PermissionsExt as _, path::PathBuf, sync::Arc};

use anyhow::{Context as _, ensure};
use model::OrgId;
use serde::Deserialize;
use store::{DataDir, FileStorage, PostgresPlace, begins_at, replay};

/// The variable that may hold the address, password and all.
const VARIABLE: &str = "WARDLINE_RECORDS";

/// An address as somebody wrote it; it may hold a password, and is not printed.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub(crate) struct Address(String);

impl fmt::Debug for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("‹redacted›")
    }
}

impl Address {
    /// What the command line says, else the environment.
    pub(crate) fn asked(flag: Option<&str>) -> anyhow::Result<Option<Self>> {
        let Some(text) = flag else { return Ok(from_environment()) };
        ensure!(
            !PostgresPlace::parse(text)?.has_password(),
            "everybody on this machine can read a password on the command line; put the address into {VARIABLE}, or the password into ~/.pgpass"
        );
        Ok(Some(Self(text.to_owned())))
    }

    /// Whether a password stands in it.
    pub(crate) fn has_password(&self) -> bool {
        PostgresPlace::parse(&self.0).is_ok_and(|place| place.has_password())
    }

    /// The place, with a password of the file of passwords if it has none itself.
    pub(crate) fn place(&self) -> anyhow::Result<PostgresPlace> {
        with_password(PostgresPlace::parse(&self.0)?)
    }
}

fn from_environment() -> Option<Address> {
    env::var(VARIABLE).ok().filter(|text| !text.is_empty()).map(Address)
}

/// Whose journal a data directory has that nobody holds, as its oldest record says.
pub(crate) fn org_of(dir: &DataDir) -> anyhow::Result<Option<OrgId>> {
    let storage = FileStorage::open(dir).context("the journal cannot be opened")?;
    let begins = begins_at(&storage).context("the journal's segments cannot be listed")?;
    let oldest = replay(Arc::new(storage), begins)?.next().transpose();
    Ok(oldest.context("the journal's oldest record cannot be read")?.map(|it| it.frame.org))
}

/// The PostgreSQL that holds the records of a data directory, if its file does not.
pub(crate) fn noted(dir: &DataDir) -> anyhow::Result<Option<PostgresPlace>> {
    let Some(at) = store::records_elsewhere(dir)? else { return Ok(None) };
    if let Some(said) = from_environment() {
        let place = said.place()?;
        if place.to_string() == at {
            return Ok(Some(place));
        }
    }
    Ok(Some(with_password(PostgresPlace::parse(&at)?)?))
}

fn with_password(place: PostgresPlace) -> anyhow::Result<PostgresPlace> {
    let named = env::var_os("PGPASSFILE").map(PathBuf::from);
    let in_home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".pgpass"));
    let Some(path) = named.or_else(in_home).filter(|path| path.is_file()) else {
        return Ok(place);
    };
    if place.has_password() {
        return Ok(place);
    }
    let what = || format!("the file of passwords {}", path.display());
    let mode = fs::metadata(&path).with_context(what)?.permissions().mode();
    ensure!(mode & 0o077 == 0, "{} can be read by others; chmod 600 it", what());
    Ok(place.with_password_of(&fs::read_to_string(&path).with_context(what)?))
}

#[test]
fn a_password_is_refused_on_the_command_line_and_never_printed() {
    let refused = Address::asked(Some("postgres://ward:secret@localhost/it")).unwrap_err();
    assert!(!refused.to_string().contains("secret"), "{refused}");
    let taken = Address::asked(Some("postgres://ward@localhost/it")).unwrap().unwrap();
    assert_eq!(format!("{taken:?}"), "‹redacted›");
    assert!(Address::asked(Some("sqlite:x")).is_err());
}
