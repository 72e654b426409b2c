-- The spine's tables. Ids are 16 bytes, times nanoseconds since 1970, organization first in every key.
CREATE TABLE applied (log_offset INTEGER NOT NULL);
INSERT INTO applied VALUES (0);

CREATE TABLE organization (
  org BLOB NOT NULL,
  log_offset INTEGER NOT NULL,
  row_index INTEGER NOT NULL,
  known_at INTEGER NOT NULL,
  id BLOB NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (org, id, log_offset, row_index)
) WITHOUT ROWID;

CREATE TABLE site (
  org BLOB NOT NULL,
  log_offset INTEGER NOT NULL,
  row_index INTEGER NOT NULL,
  known_at INTEGER NOT NULL,
  id BLOB NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (org, id, log_offset, row_index)
) WITHOUT ROWID;

CREATE TABLE care_unit (
  org BLOB NOT NULL,
  log_offset INTEGER NOT NULL,
  row_index INTEGER NOT NULL,
  known_at INTEGER NOT NULL,
  id BLOB NOT NULL,
  site BLOB NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (org, id, log_offset, row_index)
) WITHOUT ROWID;

CREATE TABLE room (
  org BLOB NOT NULL,
  log_offset INTEGER NOT NULL,
  row_index INTEGER NOT NULL,
  known_at INTEGER NOT NULL,
  id BLOB NOT NULL,
  care_unit BLOB NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (org, id, log_offset, row_index)
) WITHOUT ROWID;

CREATE TABLE bed (
  org BLOB NOT NULL,
  log_offset INTEGER NOT NULL,
  row_index INTEGER NOT NULL,
  known_at INTEGER NOT NULL,
  id BLOB NOT NULL,
  room BLOB NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (org, id, log_offset, row_index)
) WITHOUT ROWID;

CREATE TABLE patient (
  org BLOB NOT NULL,
  log_offset INTEGER NOT NULL,
  row_index INTEGER NOT NULL,
  known_at INTEGER NOT NULL,
  id BLOB NOT NULL,
  record_number TEXT NOT NULL,
  given_name TEXT NOT NULL,
  family_name TEXT NOT NULL,
  birth_date TEXT,
  sex INTEGER NOT NULL,
  here_for TEXT NOT NULL,
  spo2_scale INTEGER NOT NULL,
  PRIMARY KEY (org, id, log_offset, row_index)
) WITHOUT ROWID;

CREATE TABLE staff (
  org BLOB NOT NULL,
  log_offset INTEGER NOT NULL,
  row_index INTEGER NOT NULL,
  known_at INTEGER NOT NULL,
  id BLOB NOT NULL,
  site BLOB NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (org, id, log_offset, row_index)
) WITHOUT ROWID;

CREATE TABLE user_account (
  org BLOB NOT NULL,
  log_offset INTEGER NOT NULL,
  row_index INTEGER NOT NULL,
  known_at INTEGER NOT NULL,
  id BLOB NOT NULL,
  login TEXT NOT NULL,
  role INTEGER NOT NULL,
  staff BLOB,
  password_hash TEXT,
  disabled INTEGER NOT NULL,
  PRIMARY KEY (org, id, log_offset, row_index)
) WITHOUT ROWID;

CREATE TABLE device (
  org BLOB NOT NULL,
  log_offset INTEGER NOT NULL,
  row_index INTEGER NOT NULL,
  known_at INTEGER NOT NULL,
  id BLOB NOT NULL,
  site BLOB NOT NULL,
  care_unit BLOB,
  profile TEXT NOT NULL,
  serial TEXT NOT NULL,
  label TEXT NOT NULL,
  lifecycle INTEGER NOT NULL,
  PRIMARY KEY (org, id, log_offset, row_index)
) WITHOUT ROWID;

CREATE TABLE certificate (
  org BLOB NOT NULL,
  log_offset INTEGER NOT NULL,
  row_index INTEGER NOT NULL,
  known_at INTEGER NOT NULL,
  id BLOB NOT NULL,
  device BLOB NOT NULL,
  serial BLOB NOT NULL,
  not_before INTEGER NOT NULL,
  not_after INTEGER NOT NULL,
  revoked_at INTEGER,
  PRIMARY KEY (org, id, log_offset, row_index)
) WITHOUT ROWID;

CREATE TABLE association (
  org BLOB NOT NULL,
  log_offset INTEGER NOT NULL,
  row_index INTEGER NOT NULL,
  known_at INTEGER NOT NULL,
  device BLOB NOT NULL,
  subject_kind INTEGER NOT NULL,
  subject BLOB,
  valid_from INTEGER NOT NULL,
  PRIMARY KEY (org, device, log_offset, row_index)
) WITHOUT ROWID;
CREATE INDEX association_of_subject ON association (org, subject, valid_from);

CREATE TABLE encounter (
  org BLOB NOT NULL,
  log_offset INTEGER NOT NULL,
  row_index INTEGER NOT NULL,
  known_at INTEGER NOT NULL,
  bed BLOB NOT NULL,
  patient BLOB,
  valid_from INTEGER NOT NULL,
  PRIMARY KEY (org, bed, log_offset, row_index)
) WITHOUT ROWID;
CREATE INDEX encounter_of_patient ON encounter (org, patient, valid_from);

CREATE TABLE assignment (
  org BLOB NOT NULL,
  log_offset INTEGER NOT NULL,
  row_index INTEGER NOT NULL,
  known_at INTEGER NOT NULL,
  post BLOB NOT NULL,
  post_kind INTEGER NOT NULL,
  staff BLOB,
  valid_from INTEGER NOT NULL,
  PRIMARY KEY (org, post, log_offset, row_index)
) WITHOUT ROWID;

CREATE TABLE patient_limit (
  org BLOB NOT NULL,
  log_offset INTEGER NOT NULL,
  row_index INTEGER NOT NULL,
  known_at INTEGER NOT NULL,
  patient BLOB NOT NULL,
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
  PRIMARY KEY (org, patient, log_offset, row_index)
) WITHOUT ROWID;

CREATE TABLE charting (
  org BLOB NOT NULL,
  log_offset INTEGER NOT NULL,
  row_index INTEGER NOT NULL,
  known_at INTEGER NOT NULL,
  patient BLOB NOT NULL,
  observed_at INTEGER NOT NULL,
  consciousness INTEGER,
  oxygen INTEGER,
  flow_ml_per_min INTEGER,
  oxygen_by INTEGER,
  breaths_per_min INTEGER,
  note TEXT NOT NULL,
  by_user BLOB,
  PRIMARY KEY (org, patient, log_offset, row_index)
) WITHOUT ROWID;

CREATE TABLE alarm (
  org BLOB NOT NULL,
  id BLOB NOT NULL,
  log_offset INTEGER NOT NULL,
  care_unit BLOB,
  patient BLOB,
  device BLOB,
  bed BLOB,
  class INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  code TEXT NOT NULL,
  title TEXT NOT NULL,
  detail TEXT NOT NULL,
  state TEXT NOT NULL,
  since INTEGER NOT NULL,
  raised_at INTEGER NOT NULL,
  ended_at INTEGER,
  ending TEXT,
  PRIMARY KEY (org, id)
) WITHOUT ROWID;
CREATE INDEX alarm_of_care_unit ON alarm (org, care_unit, raised_at);
CREATE INDEX alarm_of_patient ON alarm (org, patient, raised_at);
CREATE INDEX alarm_by_time ON alarm (org, raised_at);

CREATE TABLE alarm_life (
  org BLOB NOT NULL,
  log_offset INTEGER NOT NULL,
  row_index INTEGER NOT NULL,
  known_at INTEGER NOT NULL,
  alarm BLOB NOT NULL,
  at INTEGER NOT NULL,
  what TEXT NOT NULL,
  detail TEXT NOT NULL,
  by_staff BLOB,
  PRIMARY KEY (org, alarm, log_offset, row_index)
) WITHOUT ROWID;

CREATE TABLE audit (
  org BLOB NOT NULL,
  log_offset INTEGER NOT NULL,
  row_index INTEGER NOT NULL,
  at INTEGER NOT NULL,
  actor_kind INTEGER NOT NULL,
  actor BLOB,
  action TEXT NOT NULL,
  patient BLOB,
  resource TEXT NOT NULL,
  allowed INTEGER NOT NULL,
  rule TEXT NOT NULL,
  remote TEXT NOT NULL,
  PRIMARY KEY (org, log_offset, row_index)
) WITHOUT ROWID;
CREATE INDEX audit_of_patient ON audit (org, patient, log_offset);
CREATE INDEX audit_of_actor ON audit (org, actor, log_offset);

CREATE TABLE dead_letter (
  org BLOB NOT NULL,
  id BLOB NOT NULL,
  log_offset INTEGER NOT NULL,
  row_index INTEGER NOT NULL,
  at INTEGER NOT NULL,
  device BLOB,
  door TEXT NOT NULL,
  topic TEXT NOT NULL,
  content_type TEXT,
  reason TEXT NOT NULL,
  explanation TEXT NOT NULL,
  payload BLOB NOT NULL,
  PRIMARY KEY (org, id)
) WITHOUT ROWID;
CREATE INDEX dead_letter_by_time ON dead_letter (org, log_offset);
