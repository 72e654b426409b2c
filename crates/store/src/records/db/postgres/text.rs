//! Values of ours as columns of PostgreSQL, and back.
//!
//! Its texts hold every character but U+0000, and ours may come from a device that sends just
//! that: it is written as U+001A and a digit, and so is U+001A itself.

use std::{borrow::Cow, error::Error};

use bytes::BytesMut;
use tokio_postgres::{
    Row,
    types::{IsNull, ToSql, Type, to_sql_checked},
};

use super::Val;
use crate::records::RecordsError;

const ESCAPE: char = '\u{1a}';

fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', ESCAPE]) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace(ESCAPE, "\u{1a}1").replace('\0', "\u{1a}0"))
}

fn unescaped(text: &str) -> String {
    if !text.contains(ESCAPE) {
        return text.to_owned();
    }
    text.replace("\u{1a}0", "\0").replace("\u{1a}1", "\u{1a}")
}

impl ToSql for Val {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(number) => number.to_sql_checked(ty, out),
            Self::Text(text) => escaped(text).as_ref().to_sql_checked(ty, out),
            Self::Blob(bytes) => bytes.as_slice().to_sql_checked(ty, out),
        }
    }

    // Each value looks by itself whether it fits.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// The value at a place of a row.
pub(super) fn value(row: &Row, place: usize) -> Result<Val, RecordsError> {
    let column = row.columns().get(place);
    let found = match column.map(|column| column.type_()) {
        Some(&Type::INT8) => row.try_get::<_, Option<i64>>(place)?.map(Val::Int),
        Some(&Type::TEXT) => {
            row.try_get::<_, Option<&str>>(place)?.map(|text| Val::Text(unescaped(text)))
        }
        Some(&Type::BYTEA) => {
            row.try_get::<_, Option<&[u8]>>(place)?.map(|bytes| Val::Blob(bytes.to_vec()))
        }
        _ => {
            let name = column.map_or("?", |column| column.name());
            let what = format!("a column of another type, `{name}`");
            return Err(RecordsError::Unreadable { what });
        }
    };
    Ok(found.unwrap_or(Val::Null))
}

#[test]
fn every_text_comes_back_as_it_was() {
    for text in
        ["", "Ilse", "\0", "a\0b\u{1a}c", "\u{1a}0", "\u{1a}1", "\u{1a}\0", "\u{1a}\u{1a}01"]
    {
        let written = escaped(text);
        assert!(!written.contains('\0'), "{text:?}");
        assert_eq!(unescaped(&written), text);
    }
}
