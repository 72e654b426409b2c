//! Every alarm that a server raised, read over its public interface.

use anyhow::Context as _;
use serde_json::Value;
use sim::{Raised, Script};

use crate::{demo::stage::Stage, rest::Rest};

/// Pages that are read at most; a page holds 200.
const PAGES_MAX: usize = 5_000;

/// Reads the alarms of every care unit as whoever is in charge of it.
pub(crate) async fn all(
    admin: &Rest,
    staged: &Stage,
    script: &Script,
) -> anyhow::Result<Vec<Raised>> {
    let mut found = Vec::new();
    for (index, care_unit) in staged.care_units.iter().enumerate() {
        let login = script
            .staff
            .iter()
            .find(|member| member.charge_of.contains(&index))
            .map(|member| member.login.as_str())
            .context("nobody is in charge")?;
        let charge = admin.sign_in_by_click(login).await?;
        let base =
            format!("/api/v1/alarms?scope=care_unit&care_unit={care_unit}&state=any&limit=200");
        found.extend(pages(&charge, &base).await?.iter().filter_map(raised));
    }
    found.sort_by(|a, b| (a.raised_ms, &a.key, &a.title).cmp(&(b.raised_ms, &b.key, &b.title)));
    Ok(found)
}

/// The alarms that stand in a care unit now.
pub(crate) async fn standing(charge: &Rest, care_unit: &str) -> anyhow::Result<Vec<Value>> {
    let base =
        format!("/api/v1/alarms?scope=care_unit&care_unit={care_unit}&state=standing&limit=200");
    pages(charge, &base).await
}

async fn pages(who: &Rest, base: &str) -> anyhow::Result<Vec<Value>> {
    let (mut items, mut cursor) = (Vec::new(), None::<String>);
    for _ in 0..PAGES_MAX {
        let path = match &cursor {
            Some(cursor) => format!("{base}&cursor={cursor}"),
            None => base.to_owned(),
        };
        let page = who.get(&path).await?;
        items.extend(page.get("items").and_then(Value::as_array).into_iter().flatten().cloned());
        cursor = page.get("next").and_then(Value::as_str).map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    Ok(items)
}

/// An alarm as the interface words it.
pub(crate) fn raised(item: &Value) -> Option<Raised> {
    let word = |key: &str| item.get(key).and_then(Value::as_str).map(str::to_owned);
    let instant = |key: &str| {
        let at: jiff::Timestamp = item.get(key)?.as_str()?.parse().ok()?;
        Some(at.as_millisecond())
    };
    let plain = Raised {
        key: String::new(),
        code: word("code")?,
        title: word("title")?,
        priority: word("priority")?,
        patient: word("patient"),
        device: word("device"),
        raised_ms: instant("raised_at")?,
        ended_ms: instant("ended_at"),
    };
    Some(Raised { key: plain.key(), ..plain })
}
