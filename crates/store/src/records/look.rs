//! A look at the records in PostgreSQL beside a journal that nobody holds; it changes nothing.

use model::OrgId;

use super::{HomeError, PostgresPlace, Records};
use crate::{Lack, LogOffset};

/// Everything about the records at a place that is not as a journal of `org` with this newest
/// checkpoint and this end has them. What cannot be read is said as well.
pub fn look_elsewhere(
    place: &PostgresPlace,
    org: Option<OrgId>,
    checkpoint: LogOffset,
    ends: LogOffset,
) -> Vec<String> {
    let mut found = Vec::new();
    if let Err(error) = look(place, org, (checkpoint, ends), &mut found) {
        let mut told = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(why) = cause {
            told = format!("{told}: {why}");
            cause = why.source();
        }
        found.push(told);
    }
    found
}

fn look(
    place: &PostgresPlace,
    org: Option<OrgId>,
    (checkpoint, ends): (LogOffset, LogOffset),
    found: &mut Vec<String>,
) -> Result<(), HomeError> {
    let records = Records::look_at(place)?;
    records.refuse_others(org, place)?;
    let applied = records.applied()?;
    if applied > ends {
        found.push(Lack::EndOfRows { applied, ends }.to_string());
    }
    if checkpoint > LogOffset::default() && !records.reach(checkpoint)? {
        found.push(HomeError::Lacking { place: place.to_string() }.to_string());
    }
    found.extend(records.damaged()?);
    Ok(())
}
