-- The history of each patient's early warning score; derived, and made again from the journal.
CREATE TABLE score (
  org BLOB NOT NULL,
  log_offset INTEGER NOT NULL,
  row_index INTEGER NOT NULL,
  known_at INTEGER NOT NULL,
  patient BLOB NOT NULL,
  at INTEGER NOT NULL,
  total INTEGER, -- NULL if an input is missing.
  single_red INTEGER NOT NULL,
  missing TEXT NOT NULL, -- Names of inputs, separated by blanks.
  PRIMARY KEY (org, patient, at, log_offset, row_index)
) WITHOUT ROWID;
