//! The records in PostgreSQL, in a schema of their own.
//!
//! One thread runs every connection, so that whoever asks only waits for an answer, wherever
//! they ask from. A connection that was lost is made anew by the next question. A change that
//! was under way then is made once more: rows that are there stay, so that does no harm.
//!
//! A database can become older behind our back, by a failover to a copy that lags or by the
//! restore of a dump. What was written last is compared at each connection, and `reached`
//! tells at a start whether rows of before the checkpoint are missing.

mod session;
mod text;

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_postgres::Row;

use self::session::{Owned, Session, is_lost};
use super::{Change, Columns, Db, Each, Found, Patience, Table, Val};
use crate::{
    hold::hold,
    limits::{POSTGRES_ANSWER_MAX, POSTGRES_READERS_MAX, POSTGRES_SOON, POSTGRES_TURN_MAX},
    records::{PostgresPlace, RecordsError},
    row_sum::{self, Cell},
};

/// The schema that holds the records in the database that is named.
pub(in crate::records) const SCHEMA: &str = "wardline";

/// Something to do on the thread of the connections.
type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One schema of one database, its writer and its resting readers.
#[derive(Debug)]
pub(in crate::records) struct Postgres {
    jobs: mpsc::UnboundedSender<Job>,
    home: Arc<Home>,
    writer: Mutex<Option<Session>>,
    readers: Mutex<Vec<Session>>,
    /// Each question has one of these while it is under way.
    turns: Arc<Semaphore>,
}

/// What every connection has to know.
#[derive(Debug)]
struct Home {
    place: PostgresPlace,
    schema: String,
    /// The greatest place of the log whose rows were committed by us.
    committed: AtomicI64,
}

impl Postgres {
    /// Connects, takes the lock of whoever writes, and makes or migrates the tables.
    pub(in crate::records) fn open(
        place: &PostgresPlace,
        schema: &str,
    ) -> Result<Self, RecordsError> {
        let opened = Self::begin(place, schema)?;
        opened.on_writer(Patience::Long, |session| async move {
            let made = session.bring_up().await;
            (session, made)
        })?;
        Ok(opened)
    }

    /// Connects to what is there, and makes and locks nothing.
    pub(in crate::records) fn look(
        place: &PostgresPlace,
        schema: &str,
    ) -> Result<Self, RecordsError> {
        let opened = Self::begin(place, schema)?;
        let home = Arc::clone(&opened.home);
        let session = opened.wait(POSTGRES_ANSWER_MAX, async move {
            let session = Session::to_read(home).await?;
            session.make_sure_of_version().await?;
            Ok(session)
        })?;
        opened.rest(session);
        Ok(opened)
    }

    fn begin(place: &PostgresPlace, schema: &str) -> Result<Self, RecordsError> {
        let committed = AtomicI64::new(0);
        let home = Home { place: place.clone(), schema: schema.to_owned(), committed };
        let (writer, readers) = (Mutex::new(None), Mutex::new(Vec::new()));
        let turns = Arc::new(Semaphore::new(POSTGRES_READERS_MAX));
        Ok(Self { jobs: start()?, home: Arc::new(home), writer, readers, turns })
    }

    /// Runs statements as they stand, on the connection that writes.
    pub(in crate::records) fn run(&self, sql: &str) -> Result<(), RecordsError> {
        let sql = sql.to_owned();
        self.on_writer(Patience::Long, move |session| {
            let sql = sql.clone();
            async move {
                let done = session.run(&sql).await;
                (session, done)
            }
        })
    }

    /// Waits for what is done on the thread of the connections.
    fn wait<T: Send + 'static>(
        &self,
        within: Duration,
        work: impl Future<Output = Result<T, RecordsError>> + Send + 'static,
    ) -> Result<T, RecordsError> {
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        let job = async move {
            let done = tokio::time::timeout(within, work).await;
            // Nobody waits any more: then nobody needs to know.
            let _ = tell.send(done.unwrap_or_else(|_| Err(no_answer(within))));
        };
        self.jobs.send(Box::pin(job)).map_err(|_| no_answer(within))?;
        told.recv().unwrap_or_else(|_| Err(no_answer(within)))
    }

    /// Does something on the one connection that writes. One on which something failed is
    /// given up, and with it what it had not committed.
    fn on_writer<T, W>(
        &self,
        patience: Patience,
        work: impl Fn(Session) -> W + Send + Sync + 'static,
    ) -> Result<T, RecordsError>
    where
        T: Send + 'static,
        W: Future<Output = (Session, Result<T, RecordsError>)> + Send + 'static,
    {
        let mut writer = hold(&self.writer);
        let (resting, home) = (writer.take().filter(Session::is_open), Arc::clone(&self.home));
        let within = match patience {
            Patience::Long => POSTGRES_ANSWER_MAX,
            Patience::Short => POSTGRES_SOON,
        };
        let (session, done) = self.wait(within, async move {
            if let Some(session) = resting {
                match work(session).await {
                    (_, Err(error)) if is_lost(&error) => {}
                    (session, done) => return Ok((session, done?)),
                }
            }
            let (session, done) = work(Session::to_write(home).await?).await;
            Ok((session, done?))
        })?;
        *writer = Some(session);
        Ok(done)
    }

    /// A place among the few questions that are asked at once; refused if none becomes free soon.
    fn turn(&self) -> Result<OwnedSemaphorePermit, RecordsError> {
        if let Ok(turn) = Arc::clone(&self.turns).try_acquire_owned() {
            return Ok(turn);
        }
        let turns = Arc::clone(&self.turns);
        self.wait(POSTGRES_ANSWER_MAX, async move {
            let turn = tokio::time::timeout(POSTGRES_TURN_MAX, turns.acquire_owned()).await;
            turn.ok().and_then(Result::ok).ok_or(RecordsError::Busy)
        })
    }

    fn rows(&self, sql: &str, values: &[Val]) -> Result<Vec<Row>, RecordsError> {
        let _turn = self.turn()?;
        let resting = hold(&self.readers).pop().filter(Session::is_open);
        let home = Arc::clone(&self.home);
        let (sql, values) = (sql.to_owned(), values.to_vec());
        let (session, rows) = self.wait(POSTGRES_ANSWER_MAX, async move {
            if let Some(session) = resting {
                match session.query(&sql, &values).await {
                    Err(error) if is_lost(&error) => {}
                    found => return Ok((session, found?)),
                }
            }
            let session = Session::to_read(home).await?;
            let found = session.query(&sql, &values).await?;
            Ok((session, found))
        })?;
        self.rest(session);
        Ok(rows)
    }

    fn rest(&self, session: Session) {
        let mut readers = hold(&self.readers);
        if readers.len() < POSTGRES_READERS_MAX {
            readers.push(session);
        }
    }

    fn number(&self, sql: &str) -> Result<i64, RecordsError> {
        let mut found = 0;
        self.query(sql, &[], &mut |row| {
            found = row.get(0)?;
            Ok(())
        })?;
        Ok(found)
    }
}

/// The thread of the connections; it ends when nobody can give it jobs any more.
fn start() -> Result<mpsc::UnboundedSender<Job>, RecordsError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(RecordsError::Thread)?;
    let (jobs, mut queue) = mpsc::unbounded_channel::<Job>();
    let run = move || {
        runtime.block_on(async move {
            while let Some(job) = queue.recv().await {
                tokio::spawn(job);
            }
        });
    };
    let thread = std::thread::Builder::new().name("records-postgres".to_owned()).spawn(run);
    thread.map_err(RecordsError::Thread)?;
    Ok(jobs)
}

const fn no_answer(after: Duration) -> RecordsError {
    RecordsError::NoAnswer { after }
}

/// A row of PostgreSQL.
struct Line<'a> {
    row: &'a Row,
    values: Vec<Val>,
}

impl<'a> Line<'a> {
    fn of(row: &'a Row) -> Result<Self, RecordsError> {
        let values = (0..row.len()).map(|place| text::value(row, place));
        Ok(Self { row, values: values.collect::<Result<_, _>>()? })
    }
}

impl Columns for Line<'_> {
    fn width(&self) -> usize {
        self.values.len()
    }

    fn name(&self, place: usize) -> Result<&str, RecordsError> {
        Ok(self.row.columns().get(place).map_or("", |column| column.name()))
    }

    fn cell(&self, place: usize) -> Result<Cell<'_>, RecordsError> {
        Ok(self.values.get(place).map_or(Cell::Null, Val::cell))
    }
}

fn hand_over(rows: &[Row], each: Each<'_>) -> Result<(), RecordsError> {
    rows.iter().try_for_each(|row| each(&Found(&Line::of(row)?)))
}

/// Every table with rows; what else somebody put into the schema is not ours, nor are its rows.
const OURS: [&str; 27] = [
    "applied",
    "organization",
    "site",
    "care_unit",
    "room",
    "bed",
    "patient",
    "staff",
    "user_account",
    "device",
    "certificate",
    "association",
    "encounter",
    "assignment",
    "patient_limit",
    "charting",
    "alarm",
    "alarm_life",
    "audit",
    "dead_letter",
    "unit_limit",
    "hand_over",
    "hand_over_note",
    "pulse",
    "device_life",
    "letter_replay",
    "score",
];

/// Views that somebody made of the tables are not ours, nor are their rows.
const TABLES: &str = "SELECT table_name::text, column_name::text \
    FROM information_schema.columns JOIN information_schema.tables \
    USING (table_catalog, table_schema, table_name) \
    WHERE table_schema = $1 AND table_type = 'BASE TABLE' \
    AND table_name NOT IN ('reached', 'schema_version') \
    ORDER BY table_name, ordinal_position";

impl Db for Postgres {
    fn write(
        &self,
        changes: &mut dyn Iterator<Item = Change<'_>>,
        patience: Patience,
    ) -> Result<(), RecordsError> {
        let owned = |Change { sql, values }| Owned { sql: String::from(sql), values };
        let changes: Arc<[Owned]> = changes.map(owned).collect();
        self.on_writer(patience, move |session| {
            let changes = Arc::clone(&changes);
            async move {
                let done = session.change(&changes).await;
                (session, done)
            }
        })
    }

    fn query(&self, sql: &str, values: &[Val], each: Each<'_>) -> Result<(), RecordsError> {
        hand_over(&self.rows(sql, values)?, each)
    }

    fn scan(&self, table: &str, each: Each<'_>) -> Result<(), RecordsError> {
        let (home, table) = (Arc::clone(&self.home), table.to_owned());
        let _turn = self.turn()?;
        let mut session = self.wait(POSTGRES_ANSWER_MAX, async move {
            let session = Session::to_read(home).await?;
            session.begin_scan(&table).await?;
            Ok(session)
        })?;
        loop {
            let rows;
            (session, rows) = self.wait(POSTGRES_ANSWER_MAX, async move {
                let rows = session.scanned().await?;
                Ok((session, rows))
            })?;
            if rows.is_empty() {
                return Ok(());
            }
            hand_over(&rows, each)?;
        }
    }

    fn tables(&self) -> Result<Vec<Table>, RecordsError> {
        let mut tables: Vec<Table> = Vec::new();
        self.query(TABLES, &[Val::Text(self.home.schema.clone())], &mut |row| {
            let (table, column) = (row.get::<String>(0)?, row.get(1)?);
            match tables.last_mut().filter(|last| last.0 == table) {
                Some((_, columns)) => columns.push(column),
                None => tables.push((table, vec![column])),
            }
            Ok(())
        })?;
        tables.retain(|(table, _)| OURS.contains(&table.as_str()));
        tables.sort();
        Ok(tables)
    }

    fn reaches(&self, checkpoint: i64, applied: i64) -> Result<bool, RecordsError> {
        let reached = self.number("SELECT log_offset FROM reached")?;
        Ok(applied > 0 && reached >= checkpoint)
    }

    fn note_reached(&self, place: i64) -> Result<(), RecordsError> {
        let sql = "UPDATE reached SET log_offset = $1 WHERE log_offset < $1";
        let change = Change { sql: sql.into(), values: vec![Val::Int(place)] };
        self.write(&mut std::iter::once(change), Patience::Short)
    }

    fn begin_anew(&self) -> Result<(), RecordsError> {
        let tables: Vec<String> = self.tables()?.into_iter().map(|(table, _)| table).collect();
        let sum = row_sum::of("applied", [Cell::Int(0)]);
        let tables = tables.join(", ");
        self.run(&format!(
            "BEGIN; TRUNCATE {tables}; INSERT INTO applied VALUES (0, {sum}); \
             UPDATE reached SET log_offset = 0; COMMIT"
        ))?;
        self.home.committed.store(0, Ordering::Relaxed);
        Ok(())
    }

    fn is_elsewhere(&self) -> bool {
        true
    }

    fn set_room(&self, _pages: Option<u32>) -> Result<(), RecordsError> {
        Err(RecordsError::NotAFile)
    }
}
