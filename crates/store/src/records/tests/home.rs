//! Where the records of a test are: a file of its own, or a schema of its own in the one
//! PostgreSQL that all tests of this process share.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use super::super::{PostgresPlace, Records, RecordsError, db::postgres::Postgres};
use crate::hold::hold;

/// A PostgreSQL that ends with this process, as then its stdin is closed.
pub(super) struct Server {
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    _child: Child,
    pub(super) place: PostgresPlace,
}

impl Server {
    /// Starts one; without PostgreSQL the test cannot run, and says why.
    pub(super) fn start() -> Result<Self, String> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/postgres.sh");
        let mut command = Command::new("sh");
        command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let (orders, answers) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut answers = BufReader::new(answers);
        let folder = answer(&mut answers)?.replace('/', "%2F");
        let place = PostgresPlace::parse(&format!("postgres://ward@{folder}/postgres")).unwrap();
        Ok(Self { orders, answers, _child: child, place })
    }

    /// Gives an order, and waits until it is done.
    pub(super) fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
        answer(&mut self.answers).unwrap();
    }
}

fn answer(answers: &mut BufReader<ChildStdout>) -> Result<String, String> {
    let mut line = String::new();
    answers.read_line(&mut line).unwrap();
    match line.trim_end().split_once(' ') {
        Some(("ready", folder)) => Ok(folder.to_owned()),
        _ => Err(line.trim_end().to_owned()),
    }
}

pub(super) struct Home {
    /// None for a file.
    pub(super) place: Option<PostgresPlace>,
    /// Of the file, which is not there for the other.
    dir: tempfile::TempDir,
    pub(super) schema: String,
}

impl Home {
    pub(super) fn file() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { place: None, dir, schema: String::new() }
    }

    /// A file, and a schema if there is a PostgreSQL: what holds for one holds for both.
    pub(super) fn each() -> impl Iterator<Item = Self> {
        let file = std::iter::once_with(|| {
            eprintln!("in a file:");
            Self::file()
        });
        file.chain(
            std::iter::once_with(Self::shared).flatten().inspect(|_| eprintln!("in PostgreSQL:")),
        )
    }

    /// A schema of the PostgreSQL that all tests of this process share.
    pub(super) fn shared() -> Option<Self> {
        static SHARED: OnceLock<Result<Mutex<Server>, String>> = OnceLock::new();
        match SHARED.get_or_init(|| Server::start().map(Mutex::new)) {
            Ok(server) => Some(Self::on(&hold(server).place)),
            Err(why) => {
                eprintln!("NOT RUN: records in PostgreSQL: {why}");
                None
            }
        }
    }

    /// A schema of its own on a server.
    pub(super) fn on(place: &PostgresPlace) -> Self {
        static SCHEMAS: AtomicU32 = AtomicU32::new(0);
        let schema = format!("test_{}", SCHEMAS.fetch_add(1, Ordering::Relaxed));
        let dir = tempfile::tempdir().unwrap();
        Self { place: Some(place.clone()), dir, schema }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.dir.path().join("records.sqlite")
    }

    pub(super) fn try_open(&self) -> Result<Records, RecordsError> {
        match &self.place {
            None => Records::open(&self.path()),
            Some(place) => Records::over(Box::new(Postgres::open(place, &self.schema)?)),
        }
    }

    pub(super) fn open(&self) -> Records {
        self.try_open().unwrap()
    }

    /// Changes what stands there behind the back of whoever has it open.
    pub(super) fn change(&self, sql: &str) {
        self.does(&format!("SET search_path TO {}; {sql}", self.schema), sql);
    }

    /// One statement of PostgreSQL that stands in no transaction.
    pub(super) fn change_alone(&self, sql: &str) {
        self.does(sql, sql);
    }

    fn does(&self, there: &str, sql: &str) {
        match &self.place {
            None => {
                rusqlite::Connection::open(self.path()).unwrap().execute_batch(sql).unwrap();
            }
            Some(place) => {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let (client, connection) =
                        place.config().connect(tokio_postgres::NoTls).await.unwrap();
                    tokio::spawn(connection);
                    client.batch_execute(there).await.unwrap();
                });
            }
        }
    }
}
