-- What happened to each device by people's hands, and which dead letters were taken in after all.
CREATE TABLE device_life (
  org BLOB NOT NULL,
  log_offset INTEGER NOT NULL,
  row_index INTEGER NOT NULL,
  known_at INTEGER NOT NULL,
  device BLOB NOT NULL,
  what TEXT NOT NULL,
  detail TEXT NOT NULL,
  actor_kind INTEGER NOT NULL,
  actor BLOB,
  PRIMARY KEY (org, device, log_offset, row_index)
) WITHOUT ROWID;

CREATE TABLE letter_replay (
  org BLOB NOT NULL,
  log_offset INTEGER NOT NULL,
  row_index INTEGER NOT NULL,
  known_at INTEGER NOT NULL,
  letter BLOB NOT NULL,
  by_user BLOB NOT NULL,
  mended INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  words TEXT NOT NULL,
  PRIMARY KEY (org, letter, log_offset, row_index)
) WITHOUT ROWID;
