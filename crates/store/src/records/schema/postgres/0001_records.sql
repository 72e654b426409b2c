-- The tables of SQLite's version 6, column for column in the same order, as the checksum of a
-- row is over its values in this order. Ids are 16 bytes, times nanoseconds since 1970. In
-- texts U+0000, which PostgreSQL does not take, is written U+001A 0, and U+001A as U+001A 1.

CREATE TABLE applied (
  log_offset BIGINT NOT NULL,
  row_sum BIGINT
);

CREATE TABLE organization (
  org BYTEA NOT NULL,
  log_offset BIGINT NOT NULL,
  row_index BIGINT NOT NULL,
  known_at BIGINT NOT NULL,
  id BYTEA NOT NULL,
  name TEXT NOT NULL,
  row_sum BIGINT,
  PRIMARY KEY (org, id, log_offset, row_index)
);

CREATE TABLE site (
  org BYTEA NOT NULL,
  log_offset BIGINT NOT NULL,
  row_index BIGINT NOT NULL,
  known_at BIGINT NOT NULL,
  id BYTEA NOT NULL,
  name TEXT NOT NULL,
  row_sum BIGINT,
  PRIMARY KEY (org, id, log_offset, row_index)
);

CREATE TABLE care_unit (
  org BYTEA NOT NULL,
  log_offset BIGINT NOT NULL,
  row_index BIGINT NOT NULL,
  known_at BIGINT NOT NULL,
  id BYTEA NOT NULL,
  site BYTEA NOT NULL,
  name TEXT NOT NULL,
  row_sum BIGINT,
  PRIMARY KEY (org, id, log_offset, row_index)
);

CREATE TABLE room (
  org BYTEA NOT NULL,
  log_offset BIGINT NOT NULL,
  row_index BIGINT NOT NULL,
  known_at BIGINT NOT NULL,
  id BYTEA NOT NULL,
  care_unit BYTEA NOT NULL,
  name TEXT NOT NULL,
  row_sum BIGINT,
  PRIMARY KEY (org, id, log_offset, row_index)
);

CREATE TABLE bed (
  org BYTEA NOT NULL,
  log_offset BIGINT NOT NULL,
  row_index BIGINT NOT NULL,
  known_at BIGINT NOT NULL,
  id BYTEA NOT NULL,
  room BYTEA NOT NULL,
  name TEXT NOT NULL,
  row_sum BIGINT,
  PRIMARY KEY (org, id, log_offset, row_index)
);

CREATE TABLE patient (
  org BYTEA NOT NULL,
  log_offset BIGINT NOT NULL,
  row_index BIGINT NOT NULL,
  known_at BIGINT NOT NULL,
  id BYTEA NOT NULL,
  record_number TEXT NOT NULL,
  given_name TEXT NOT NULL,
  family_name TEXT NOT NULL,
  birth_date TEXT,
  sex BIGINT NOT NULL,
  here_for TEXT NOT NULL,
  spo2_scale BIGINT NOT NULL,
  row_sum BIGINT,
  PRIMARY KEY (org, id, log_offset, row_index)
);

CREATE TABLE staff (
  org BYTEA NOT NULL,
  log_offset BIGINT NOT NULL,
  row_index BIGINT NOT NULL,
  known_at BIGINT NOT NULL,
  id BYTEA NOT NULL,
  site BYTEA NOT NULL,
  name TEXT NOT NULL,
  row_sum BIGINT,
  PRIMARY KEY (org, id, log_offset, row_index)
);

CREATE TABLE user_account (
  org BYTEA NOT NULL,
  log_offset BIGINT NOT NULL,
  row_index BIGINT NOT NULL,
  known_at BIGINT NOT NULL,
  id BYTEA NOT NULL,
  login TEXT NOT NULL,
  role BIGINT NOT NULL,
  staff BYTEA,
  password_hash TEXT,
  disabled BIGINT NOT NULL,
  patient BYTEA,
  row_sum BIGINT,
  PRIMARY KEY (org, id, log_offset, row_index)
);

CREATE TABLE device (
  org BYTEA NOT NULL,
  log_offset BIGINT NOT NULL,
  row_index BIGINT NOT NULL,
  known_at BIGINT NOT NULL,
  id BYTEA NOT NULL,
  site BYTEA NOT NULL,
  care_unit BYTEA,
  profile TEXT NOT NULL,
  serial TEXT NOT NULL,
  label TEXT NOT NULL,
  lifecycle BIGINT NOT NULL,
  row_sum BIGINT,
  PRIMARY KEY (org, id, log_offset, row_index)
);

CREATE TABLE certificate (
  org BYTEA NOT NULL,
  log_offset BIGINT NOT NULL,
  row_index BIGINT NOT NULL,
  known_at BIGINT NOT NULL,
  id BYTEA NOT NULL,
  device BYTEA NOT NULL,
  serial BYTEA NOT NULL,
  not_before BIGINT NOT NULL,
  not_after BIGINT NOT NULL,
  revoked_at BIGINT,
  row_sum BIGINT,
  PRIMARY KEY (org, id, log_offset, row_index)
);

CREATE TABLE association (
  org BYTEA NOT NULL,
  log_offset BIGINT NOT NULL,
  row_index BIGINT NOT NULL,
  known_at BIGINT NOT NULL,
  device BYTEA NOT NULL,
  subject_kind BIGINT NOT NULL,
  subject BYTEA,
  valid_from BIGINT NOT NULL,
  row_sum BIGINT,
  PRIMARY KEY (org, device, log_offset, row_index)
);
CREATE INDEX association_of_subject ON association (org, subject, valid_from);

CREATE TABLE encounter (
  org BYTEA NOT NULL,
  log_offset BIGINT NOT NULL,
  row_index BIGINT NOT NULL,
  known_at BIGINT NOT NULL,
  bed BYTEA NOT NULL,
  patient BYTEA,
  valid_from BIGINT NOT NULL,
  row_sum BIGINT,
  PRIMARY KEY (org, bed, log_offset, row_index)
);
CREATE INDEX encounter_of_patient ON encounter (org, patient, valid_from);

CREATE TABLE assignment (
  org BYTEA NOT NULL,
  log_offset BIGINT NOT NULL,
  row_index BIGINT NOT NULL,
  known_at BIGINT NOT NULL,
  post BYTEA NOT NULL,
  post_kind BIGINT NOT NULL,
  staff BYTEA,
  valid_from BIGINT NOT NULL,
  row_sum BIGINT,
  PRIMARY KEY (org, post, log_offset, row_index)
);

CREATE TABLE patient_limit (
  org BYTEA NOT NULL,
  log_offset BIGINT NOT NULL,
  row_index BIGINT NOT NULL,
  known_at BIGINT NOT NULL,
  patient BYTEA NOT NULL,
  vital BIGINT NOT NULL,
  low_limit BIGINT,
  low_clears_at BIGINT,
  low_delay_ns BIGINT,
  low_priority BIGINT,
  high_limit BIGINT,
  high_clears_at BIGINT,
  high_delay_ns BIGINT,
  high_priority BIGINT,
  by_user BYTEA,
  cleared BIGINT NOT NULL DEFAULT 0,
  row_sum BIGINT,
  PRIMARY KEY (org, patient, log_offset, row_index)
);

CREATE TABLE charting (
  org BYTEA NOT NULL,
  log_offset BIGINT NOT NULL,
  row_index BIGINT NOT NULL,
  known_at BIGINT NOT NULL,
  patient BYTEA NOT NULL,
  observed_at BIGINT NOT NULL,
  consciousness BIGINT,
  oxygen BIGINT,
  flow_ml_per_min BIGINT,
  oxygen_by BIGINT,
  breaths_per_min BIGINT,
  note TEXT NOT NULL,
  by_user BYTEA,
  feeling BIGINT,
  row_sum BIGINT,
  PRIMARY KEY (org, patient, log_offset, row_index)
);

CREATE TABLE alarm (
  org BYTEA NOT NULL,
  id BYTEA NOT NULL,
  log_offset BIGINT NOT NULL,
  care_unit BYTEA,
  patient BYTEA,
  device BYTEA,
  bed BYTEA,
  class BIGINT NOT NULL,
  priority BIGINT NOT NULL,
  code TEXT NOT NULL,
  title TEXT NOT NULL,
  detail TEXT NOT NULL,
  state TEXT NOT NULL,
  since BIGINT NOT NULL,
  raised_at BIGINT NOT NULL,
  ended_at BIGINT,
  ending TEXT,
  kind TEXT NOT NULL DEFAULT '',
  vital BIGINT,
  row_sum BIGINT,
  PRIMARY KEY (org, id)
);
CREATE INDEX alarm_of_care_unit ON alarm (org, care_unit, raised_at);
CREATE INDEX alarm_of_patient ON alarm (org, patient, raised_at);
CREATE INDEX alarm_by_time ON alarm (org, raised_at);

CREATE TABLE alarm_life (
  org BYTEA NOT NULL,
  log_offset BIGINT NOT NULL,
  row_index BIGINT NOT NULL,
  known_at BIGINT NOT NULL,
  alarm BYTEA NOT NULL,
  at BIGINT NOT NULL,
  what TEXT NOT NULL,
  detail TEXT NOT NULL,
  by_staff BYTEA,
  row_sum BIGINT,
  PRIMARY KEY (org, alarm, log_offset, row_index)
);

CREATE TABLE audit (
  org BYTEA NOT NULL,
  log_offset BIGINT NOT NULL,
  row_index BIGINT NOT NULL,
  at BIGINT NOT NULL,
  actor_kind BIGINT NOT NULL,
  actor BYTEA,
  action TEXT NOT NULL,
  patient BYTEA,
  resource TEXT NOT NULL,
  allowed BIGINT NOT NULL,
  rule TEXT NOT NULL,
  remote TEXT NOT NULL,
  row_sum BIGINT,
  PRIMARY KEY (org, log_offset, row_index)
);
CREATE INDEX audit_of_patient ON audit (org, patient, log_offset);
CREATE INDEX audit_of_actor ON audit (org, actor, log_offset);
CREATE INDEX audit_by_time ON audit (org, at);

CREATE TABLE dead_letter (
  org BYTEA NOT NULL,
  id BYTEA NOT NULL,
  log_offset BIGINT NOT NULL,
  row_index BIGINT NOT NULL,
  at BIGINT NOT NULL,
  device BYTEA,
  door TEXT NOT NULL,
  topic TEXT NOT NULL,
  content_type TEXT,
  reason TEXT NOT NULL,
  explanation TEXT NOT NULL,
  payload BYTEA NOT NULL,
  row_sum BIGINT,
  PRIMARY KEY (org, id)
);
CREATE INDEX dead_letter_by_time ON dead_letter (org, log_offset);

CREATE TABLE unit_limit (
  org BYTEA NOT NULL,
  log_offset BIGINT NOT NULL,
  row_index BIGINT NOT NULL,
  known_at BIGINT NOT NULL,
  care_unit BYTEA NOT NULL,
  age_band BIGINT,
  vital BIGINT NOT NULL,
  low_limit BIGINT,
  low_clears_at BIGINT,
  low_delay_ns BIGINT,
  low_priority BIGINT,
  high_limit BIGINT,
  high_clears_at BIGINT,
  high_delay_ns BIGINT,
  high_priority BIGINT,
  by_user BYTEA,
  cleared BIGINT NOT NULL,
  row_sum BIGINT,
  PRIMARY KEY (org, care_unit, log_offset, row_index)
);

CREATE TABLE hand_over (
  org BYTEA NOT NULL,
  log_offset BIGINT NOT NULL,
  row_index BIGINT NOT NULL,
  known_at BIGINT NOT NULL,
  id BYTEA NOT NULL,
  care_unit BYTEA NOT NULL,
  from_staff BYTEA NOT NULL,
  to_staff BYTEA NOT NULL,
  what BIGINT NOT NULL,
  by_user BYTEA,
  row_sum BIGINT,
  PRIMARY KEY (org, id, log_offset, row_index)
);

CREATE TABLE hand_over_note (
  org BYTEA NOT NULL,
  log_offset BIGINT NOT NULL,
  row_index BIGINT NOT NULL,
  known_at BIGINT NOT NULL,
  hand_over BYTEA NOT NULL,
  post BYTEA NOT NULL,
  post_kind BIGINT NOT NULL,
  note TEXT NOT NULL,
  row_sum BIGINT,
  PRIMARY KEY (org, hand_over, log_offset, row_index)
);

CREATE TABLE pulse (
  org BYTEA NOT NULL,
  log_offset BIGINT NOT NULL,
  row_index BIGINT NOT NULL,
  known_at BIGINT NOT NULL,
  messages_per_ks BIGINT NOT NULL,
  readings_per_ks BIGINT NOT NULL,
  durable_p99_us BIGINT NOT NULL,
  decided_p99_us BIGINT NOT NULL,
  journal_bytes BIGINT NOT NULL,
  connections BIGINT NOT NULL,
  started_at BIGINT NOT NULL,
  row_sum BIGINT,
  PRIMARY KEY (org, log_offset, row_index)
);
CREATE INDEX pulse_by_time ON pulse (org, known_at);

CREATE TABLE device_life (
  org BYTEA NOT NULL,
  log_offset BIGINT NOT NULL,
  row_index BIGINT NOT NULL,
  known_at BIGINT NOT NULL,
  device BYTEA NOT NULL,
  what TEXT NOT NULL,
  detail TEXT NOT NULL,
  actor_kind BIGINT NOT NULL,
  actor BYTEA,
  row_sum BIGINT,
  PRIMARY KEY (org, device, log_offset, row_index)
);

CREATE TABLE letter_replay (
  org BYTEA NOT NULL,
  log_offset BIGINT NOT NULL,
  row_index BIGINT NOT NULL,
  known_at BIGINT NOT NULL,
  letter BYTEA NOT NULL,
  by_user BYTEA NOT NULL,
  mended BIGINT NOT NULL,
  outcome TEXT NOT NULL,
  words TEXT NOT NULL,
  row_sum BIGINT,
  PRIMARY KEY (org, letter, log_offset, row_index)
);

CREATE TABLE score (
  org BYTEA NOT NULL,
  log_offset BIGINT NOT NULL,
  row_index BIGINT NOT NULL,
  known_at BIGINT NOT NULL,
  patient BYTEA NOT NULL,
  at BIGINT NOT NULL,
  total BIGINT,
  single_red BIGINT NOT NULL,
  missing TEXT NOT NULL,
  row_sum BIGINT,
  PRIMARY KEY (org, patient, at, log_offset, row_index)
);

-- Up to where whoever writes knows all rows to be here; a checkpoint beyond it tells that this
-- is an older copy.
CREATE TABLE reached (one BIGINT PRIMARY KEY, log_offset BIGINT NOT NULL);
INSERT INTO reached VALUES (1, 0);
