-- The house: logins of patients, how they feel, limits of care units, hand-overs, and how the program did.
ALTER TABLE user_account ADD COLUMN patient BLOB;
ALTER TABLE charting ADD COLUMN feeling INTEGER;
ALTER TABLE patient_limit ADD COLUMN cleared INTEGER NOT NULL DEFAULT 0;

CREATE TABLE unit_limit (
  org BLOB NOT NULL,
  log_offset INTEGER NOT NULL,
  row_index INTEGER NOT NULL,
  known_at INTEGER NOT NULL,
  care_unit BLOB NOT NULL,
  age_band INTEGER,
  vital INTEGER NOT NULL,
  low_limit INTEGER,
  low_clears_at INTEGER,
  low_delay_ns INTEGER,
  low_priority INTEGER,
  high_limit INTEGER,
  high_clears_at INTEGER,
  high_delay_ns INTEGER,
  high_priority INTEGER,
  by_user BLOB,
  cleared INTEGER NOT NULL,
  PRIMARY KEY (org, care_unit, log_offset, row_index)
) WITHOUT ROWID;

CREATE TABLE hand_over (
  org BLOB NOT NULL,
  log_offset INTEGER NOT NULL,
  row_index INTEGER NOT NULL,
  known_at INTEGER NOT NULL,
  id BLOB NOT NULL,
  care_unit BLOB NOT NULL,
  from_staff BLOB NOT NULL,
  to_staff BLOB NOT NULL,
  what INTEGER NOT NULL,
  by_user BLOB,
  PRIMARY KEY (org, id, log_offset, row_index)
) WITHOUT ROWID;

CREATE TABLE hand_over_note (
  org BLOB NOT NULL,
  log_offset INTEGER NOT NULL,
  row_index INTEGER NOT NULL,
  known_at INTEGER NOT NULL,
  hand_over BLOB NOT NULL,
  post BLOB NOT NULL,
  post_kind INTEGER NOT NULL,
  note TEXT NOT NULL,
  PRIMARY KEY (org, hand_over, log_offset, row_index)
) WITHOUT ROWID;

CREATE TABLE pulse (
  org BLOB NOT NULL,
  log_offset INTEGER NOT NULL,
  row_index INTEGER NOT NULL,
  known_at INTEGER NOT NULL,
  messages_per_ks INTEGER NOT NULL,
  readings_per_ks INTEGER NOT NULL,
  durable_p99_us INTEGER NOT NULL,
  decided_p99_us INTEGER NOT NULL,
  journal_bytes INTEGER NOT NULL,
  connections INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  PRIMARY KEY (org, log_offset, row_index)
) WITHOUT ROWID;
CREATE INDEX pulse_by_time ON pulse (org, known_at);
CREATE INDEX audit_by_time ON audit (org, at);
