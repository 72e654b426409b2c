//! Where the records are kept if not in a file: the address of a PostgreSQL, its password aside.

use std::{
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio_postgres::config::{Config, Host, SslMode};

use super::RecordsError;

/// How long one attempt to connect may take, unless the address says otherwise.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const PORT: u16 = 5_432;

/// The address of a PostgreSQL on this machine; it is printed without its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresPlace(Config);

impl PostgresPlace {
    /// Reads an address such as `postgres://ward@localhost/ward` or
    /// `postgres://ward@%2Frun%2Fpostgresql/ward`. What goes through a network is refused, as
    /// it would go unencrypted.
    pub fn parse(text: &str) -> Result<Self, RecordsError> {
        let refuse = |why: &str| RecordsError::Place { why: why.to_owned() };
        if !["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)) {
            return Err(refuse("it begins with postgres://"));
        }
        // What it says of an address may hold a password, and is not told on.
        let mut config: Config =
            text.parse().map_err(|_| refuse("write it as postgres://user@host:port/database"))?;
        if config.get_user().is_none() {
            return Err(refuse("it names no user"));
        }
        if config.get_hosts().len() > 1 || config.get_hostaddrs().len() > 1 {
            return Err(refuse("it names several machines"));
        }
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(refuse("it names no machine"));
        }
        if !config.get_hosts().is_empty() && !config.get_hostaddrs().is_empty() {
            return Err(refuse("it names a machine and an address; one of both is enough"));
        }
        if config.get_ssl_mode() == SslMode::Require {
            return Err(refuse("it asks for encryption, which the connection does not have"));
        }
        let is_here = config.get_hosts().iter().all(is_here)
            && config.get_hostaddrs().iter().all(IpAddr::is_loopback);
        if !is_here {
            return Err(refuse(
                "it is of another machine, and patients' data would go there unencrypted; \
                 use a UNIX socket, or a tunnel that ends on this machine's loopback",
            ));
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_WITHIN);
        }
        config.application_name("wardline");
        Ok(Self(config))
    }

    /// Whether the address brings a password along.
    pub fn has_password(&self) -> bool {
        self.0.get_password().is_some()
    }

    /// The same with the password that a file of passwords (`~/.pgpass`) has for it, if it has
    /// none itself. A line reads `host:port:database:user:password`, with `*` for any.
    #[must_use]
    pub fn with_password_of(mut self, passwords: &str) -> Self {
        let port = self.port().to_string();
        let host = self.host();
        let asked = [host.as_str(), &port, self.database(), self.user()];
        let fits = |line: &Vec<String>| {
            line.len() == 5 && line.iter().zip(asked).all(|(has, is)| has == "*" || has == is)
        };
        let lines = passwords.lines().filter(|line| !line.starts_with('#')).map(fields);
        let password = lines.filter(|line| fits(line)).find_map(|mut line| line.pop());
        if let Some(password) = password.filter(|_| !self.has_password()) {
            self.0.password(password);
        }
        self
    }

    pub(super) const fn config(&self) -> &Config {
        &self.0
    }

    fn user(&self) -> &str {
        self.0.get_user().unwrap_or_default()
    }

    fn database(&self) -> &str {
        self.0.get_dbname().unwrap_or_else(|| self.user())
    }

    fn port(&self) -> u16 {
        self.0.get_ports().first().copied().unwrap_or(PORT)
    }

    /// As files of passwords have it: a folder with the socket counts as this machine.
    fn host(&self) -> String {
        match (self.0.get_hosts().first(), self.0.get_hostaddrs().first()) {
            (Some(Host::Tcp(name)), _) => name.clone(),
            (None, Some(address)) => address.to_string(),
            _ => "localhost".to_owned(),
        }
    }

    fn socket(&self) -> Option<&PathBuf> {
        self.0.get_hosts().iter().find_map(|host| match host {
            Host::Unix(path) => Some(path),
            Host::Tcp(_) => None,
        })
    }
}

fn is_here(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|it: IpAddr| it.is_loopback())
        }
    }
}

/// The fields of a line of passwords, in which a backslash takes its meaning from `:` and itself.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        let taken = match letter {
            ':' if fields.len() < 5 => {
                fields.push(String::new());
                continue;
            }
            '\\' => letters.next().unwrap_or('\\'),
            other => other,
        };
        if let Some(field) = fields.last_mut() {
            field.push(taken);
        }
    }
    fields
}

impl fmt::Display for PostgresPlace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let socket = self.socket().map(PathBuf::as_path).map(Path::display);
        let host = match socket {
            Some(path) => encoded(&path.to_string()),
            None => match self.host() {
                name if name.contains(':') => format!("[{name}]"),
                name => name,
            },
        };
        let (user, port, database) = (encoded(self.user()), self.port(), encoded(self.database()));
        write!(out, "postgres://{user}@{host}:{port}/{database}")
    }
}

/// A part of an address, in which all but plain letters and digits stand as their bytes.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_on_this_machine_only_and_printed_without_its_password() {
        for (text, shown) in [
            ("postgres://ward:secret@localhost/it", "postgres://ward@localhost:5432/it"),
            ("postgresql://ward@127.0.0.1:5433", "postgres://ward@127.0.0.1:5433/ward"),
            ("postgres://ward@%2Frun%2Fpg/it", "postgres://ward@%2Frun%2Fpg:5432/it"),
            ("postgres://ward@%2Frun%2Fa%20b/it", "postgres://ward@%2Frun%2Fa%20b:5432/it"),
            ("postgres://ward@[::1]/it", "postgres://ward@[::1]:5432/it"),
            ("postgres://ward@/it?hostaddr=::1", "postgres://ward@[::1]:5432/it"),
            (
                "postgres://a%40b%2F%25@localhost/x%3Fy",
                "postgres://a%40b%2F%25@localhost:5432/x%3Fy",
            ),
        ] {
            let place = PostgresPlace::parse(text).unwrap();
            assert_eq!(place.to_string(), shown);
            let again = PostgresPlace::parse(shown).unwrap();
            assert_eq!(again.to_string(), shown);
            assert_eq!((again.user(), again.database()), (place.user(), place.database()));
            assert!(!format!("{place:?}").contains("secret"), "{place:?}");
        }
        for (text, why) in [
            ("sqlite", "begins with"),
            ("postgres://ward:secret@localhost:port/it", "write it as"),
            ("postgres://localhost/it", "no user"),
            ("postgres://ward@/it", "no machine"),
            ("postgres://ward@localhost,127.0.0.1/it", "several"),
            ("postgres://ward:secret@db.example.org/it", "another machine"),
            ("postgres://ward@localhost/it?hostaddr=192.0.2.7", "an address"),
            ("postgres://ward@localhost/it?hostaddr=127.0.0.1", "an address"),
            ("postgres://ward@/it?hostaddr=192.0.2.7", "another machine"),
            ("postgres://ward@localhost/it?sslmode=require", "encryption"),
        ] {
            let error = PostgresPlace::parse(text).unwrap_err().to_string();
            assert!(error.contains(why) && !error.contains("secret"), "{text}: {error}");
        }
    }

    #[test]
    fn the_first_line_of_passwords_that_fits_gives_the_password() {
        let file = "# mine\nlocalhost:5432:other:*:no\n*:*:it:ward:a\\:b\\\\c:d\n*:*:*:*:late\n";
        let password = |text: &str| {
            let place = PostgresPlace::parse(text).unwrap().with_password_of(file);
            String::from_utf8(place.config().get_password().unwrap().to_vec()).unwrap()
        };
        assert_eq!(password("postgres://ward@localhost/it"), "a:b\\c:d");
        assert_eq!(password("postgres://ward@%2Frun%2Fpg/it"), "a:b\\c:d");
        assert_eq!(password("postgres://ward@localhost/x"), "late");
        assert_eq!(password("postgres://ward:own@localhost/it"), "own");
    }
}
