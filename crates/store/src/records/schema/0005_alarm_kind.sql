-- What each alarm was about, so that those of the past are found by it.
ALTER TABLE alarm ADD COLUMN kind TEXT NOT NULL DEFAULT ''; -- Empty for one of an older release.
ALTER TABLE alarm ADD COLUMN vital INTEGER;
