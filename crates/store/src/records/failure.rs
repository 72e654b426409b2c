//! What PostgreSQL says of a failure, without the values that it quotes.

use std::{
    error::Error as _,
    fmt::{self, Debug, Display},
};

/// A failure of PostgreSQL or of the connection to it. Of what the database answered, only the
/// code and the message are told: its detail quotes rows, and patients with them.
pub struct PostgresFailure(pub(super) tokio_postgres::Error);

impl Display for PostgresFailure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(said) = self.0.as_db_error() {
            return write!(out, "{}: {}", said.code().code(), said.message());
        }
        let mut told = self.0.to_string();
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let more = error.to_string();
            if !told.contains(&more) {
                told = format!("{told}: {more}");
            }
            cause = error.source();
        }
        out.write_str(&told)
    }
}

impl Debug for PostgresFailure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, out)
    }
}

impl std::error::Error for PostgresFailure {}

impl From<tokio_postgres::Error> for PostgresFailure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self(error)
    }
}

impl From<tokio_postgres::Error> for super::RecordsError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(PostgresFailure(error))
    }
}
