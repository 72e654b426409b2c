//! One connection to PostgreSQL, its prepared statements, and what it does in one go.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
};

use futures_util::future::try_join_all;
use tokio::sync::Mutex;
use tokio_postgres::{Client, NoTls, Row, Statement, error::SqlState, types::ToSql};

use super::{Home, Val};
use crate::{
    limits::{POSTGRES_PIPELINED_MAX, POSTGRES_SCANNED_ROWS, POSTGRES_STATEMENTS_MAX},
    records::{PostgresFailure, RecordsError, schema::POSTGRES_MIGRATIONS},
    row_sum,
};

/// How long a writer waits until the connection that was there before it has let go.
const LOCK_WAIT: &str = "SET lock_timeout TO '5s'";
/// The first half of the number of the lock of whoever writes; the second is of the schema.
const LOCK: u32 = 0x5741_5244;

/// A statement that changes something, with all it needs.
#[derive(Debug)]
pub(super) struct Owned {
    pub(super) sql: String,
    pub(super) values: Vec<Val>,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Session {
    client: Client,
    home: Arc<Home>,
    statements: Mutex<HashMap<String, Statement>>,
}

/// Whether an error says that the connection is gone, and another may do better.
pub(super) fn is_lost(error: &RecordsError) -> bool {
    let RecordsError::Postgres(PostgresFailure(error)) = error else { return false };
    let ends = [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN];
    error.is_closed() || error.code().is_none_or(|code| ends.contains(code))
}

fn newer(found: usize, known: usize) -> RecordsError {
    let [found, known] = [found, known].map(|version| u32::try_from(version).unwrap_or(u32::MAX));
    RecordsError::Newer { found, known }
}

impl Session {
    async fn connect(home: Arc<Home>) -> Result<Self, RecordsError> {
        let (client, connection) = home.place.config().connect(NoTls).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                let error = PostgresFailure(error);
                tracing::warn!(error = &error as &dyn std::error::Error, "records_connection_lost");
            }
        });
        client.batch_execute(&format!("SET search_path TO {}", home.schema)).await?;
        Ok(Self { client, home, statements: Mutex::default() })
    }

    /// A connection that changes nothing.
    pub(super) async fn to_read(home: Arc<Home>) -> Result<Self, RecordsError> {
        let session = Self::connect(home).await?;
        session.client.batch_execute("SET default_transaction_read_only TO on").await?;
        Ok(session)
    }

    /// The one connection of all programs that writes; refused while another has it, and if
    /// the database does not have what we committed to it.
    pub(super) async fn to_write(home: Arc<Home>) -> Result<Self, RecordsError> {
        let session = Self::connect(home).await?;
        session.make_sure_of_characters().await?;
        // Whoever said that commits need not be durable was thinking of other data.
        let durable = "SELECT set_config('synchronous_commit', 'on', false) \
                       WHERE current_setting('synchronous_commit') = 'off'";
        session.client.batch_execute(durable).await?;
        let of_schema = crc32c::crc32c(session.home.schema.as_bytes());
        let [class, schema] = [LOCK, of_schema].map(u32::cast_signed);
        let lock = format!("{LOCK_WAIT}; SELECT pg_advisory_lock({class}, {schema})");
        session.client.batch_execute(&lock).await.map_err(|error| match error.code() {
            Some(&SqlState::LOCK_NOT_AVAILABLE) => {
                RecordsError::Held { place: session.home.place.to_string() }
            }
            _ => error.into(),
        })?;
        let committed = session.home.committed.load(Ordering::Relaxed);
        if committed > 0 && session.applied().await? < committed {
            return Err(RecordsError::Older { place: session.home.place.to_string() });
        }
        Ok(session)
    }

    /// Refuses a database that would not take every name: a row that never goes in holds up all
    /// that come after it.
    async fn make_sure_of_characters(&self) -> Result<(), RecordsError> {
        let ask = "SELECT current_setting('server_encoding')";
        let encoding: String = self.client.query_one(ask, &[]).await?.try_get(0)?;
        if encoding == "UTF8" {
            return Ok(());
        }
        Err(RecordsError::Encoding { place: self.home.place.to_string(), encoding })
    }

    /// Refuses tables of another version, or none, for whoever may change nothing.
    pub(super) async fn make_sure_of_version(&self) -> Result<(), RecordsError> {
        let ask = "SELECT count(*) FROM pg_tables WHERE schemaname = $1 \
                   AND tablename = 'schema_version'";
        let there: i64 = self.client.query_one(ask, &[&self.home.schema]).await?.try_get(0)?;
        if there == 0 {
            return Err(RecordsError::Nothing { place: self.home.place.to_string() });
        }
        let ask = "SELECT coalesce(max(version), 0) FROM schema_version";
        let found: i64 = self.client.query_one(ask, &[]).await?.try_get(0)?;
        let done = usize::try_from(found).unwrap_or(usize::MAX);
        let known = POSTGRES_MIGRATIONS.len();
        match done.cmp(&known) {
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Greater => Err(newer(done, known)),
            std::cmp::Ordering::Less => {
                Err(RecordsError::Unreadable { what: "tables of an older version".to_owned() })
            }
        }
    }

    pub(super) fn is_open(&self) -> bool {
        !self.client.is_closed()
    }

    async fn applied(&self) -> Result<i64, RecordsError> {
        let statement = self.statement("SELECT log_offset FROM applied").await?;
        Ok(self.client.query_one(&statement, &[]).await?.try_get(0)?)
    }

    async fn statement(&self, sql: &str) -> Result<Statement, RecordsError> {
        let mut statements = self.statements.lock().await;
        if let Some(statement) = statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        if statements.len() >= POSTGRES_STATEMENTS_MAX {
            statements.clear();
        }
        statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    pub(super) async fn query(&self, sql: &str, values: &[Val]) -> Result<Vec<Row>, RecordsError> {
        let statement = self.statement(sql).await?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|it| it as _).collect();
        Ok(self.client.query(&statement, &values).await?)
    }

    /// Runs statements that answer nothing.
    pub(super) async fn run(&self, sql: &str) -> Result<(), RecordsError> {
        Ok(self.client.batch_execute(sql).await?)
    }

    /// Makes all changes in one transaction. After an error nobody may use the connection.
    pub(super) async fn change(&self, changes: &[Owned]) -> Result<(), RecordsError> {
        self.client.batch_execute("BEGIN").await?;
        for some in changes.chunks(POSTGRES_PIPELINED_MAX) {
            let mut sent = Vec::with_capacity(some.len());
            for Owned { sql, values } in some {
                let statement = self.statement(sql).await?;
                sent.push(async move { self.client.execute_raw(&statement, values).await });
            }
            // They go out one behind the other, without waiting for the answer in between.
            try_join_all(sent).await?;
        }
        let applied = self.applied().await?;
        self.client.batch_execute("COMMIT").await?;
        self.home.committed.fetch_max(applied, Ordering::Relaxed);
        Ok(())
    }

    /// Whether the schema has tables, and none that says that they are records.
    async fn is_of_others(&self) -> Result<bool, RecordsError> {
        let ask = "SELECT count(*), count(*) FILTER (WHERE table_name = 'schema_version') \
                   FROM information_schema.tables WHERE table_schema = $1";
        let found = self.client.query_one(ask, &[&self.home.schema]).await?;
        let (all, versions): (i64, i64) = (found.try_get(0)?, found.try_get(1)?);
        Ok(all > 0 && versions == 0)
    }

    /// Makes the schema and its tables, or brings them to the newest version.
    pub(super) async fn bring_up(&self) -> Result<(), RecordsError> {
        let schema = &self.home.schema;
        let there = "SELECT count(*) FROM pg_namespace WHERE nspname = $1";
        let there: i64 = self.client.query_one(there, &[schema]).await?.try_get(0)?;
        if there > 0 && self.is_of_others().await? {
            return Err(RecordsError::Foreign { place: self.home.place.to_string() });
        }
        self.client.batch_execute("BEGIN").await?;
        if there == 0 {
            self.client.batch_execute(&format!("CREATE SCHEMA {schema}")).await?;
        }
        let versions = "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)";
        self.client.batch_execute(versions).await?;
        let ask = "SELECT coalesce(max(version), 0) FROM schema_version";
        let found: i64 = self.client.query_one(ask, &[]).await?.try_get(0)?;
        let known = POSTGRES_MIGRATIONS.len();
        let done = usize::try_from(found).unwrap_or(usize::MAX);
        if done > known {
            return Err(newer(done, known));
        }
        for (place, migration) in POSTGRES_MIGRATIONS.iter().enumerate().skip(done) {
            self.client.batch_execute(migration).await?;
            let version = i64::try_from(place.saturating_add(1)).unwrap_or(i64::MAX);
            self.client.execute("INSERT INTO schema_version VALUES ($1)", &[&version]).await?;
        }
        let sum = row_sum::of("applied", [row_sum::Cell::Int(0)]);
        let first = "INSERT INTO applied SELECT 0, $1 WHERE NOT EXISTS (SELECT 1 FROM applied)";
        self.client.execute(first, &[&sum]).await?;
        Ok(self.client.batch_execute("COMMIT").await?)
    }

    /// Begins to read a whole table; the connection is for that alone from here on.
    pub(super) async fn begin_scan(&self, table: &str) -> Result<(), RecordsError> {
        let begin = format!("BEGIN; DECLARE all_rows NO SCROLL CURSOR FOR SELECT * FROM {table}");
        Ok(self.client.batch_execute(&begin).await?)
    }

    /// The next rows of it, none at its end.
    pub(super) async fn scanned(&self) -> Result<Vec<Row>, RecordsError> {
        let fetch = format!("FETCH {POSTGRES_SCANNED_ROWS} FROM all_rows");
        let statement = self.statement(&fetch).await?;
        Ok(self.client.query(&statement, &[]).await?)
    }
}
