//! Lists come in pages; the cursor is opaque and says where the next one begins.

use serde::{Deserialize, Serialize};

use crate::{
    limits::{PAGE_LEN, PAGE_LEN_MAX},
    problem::Problem,
};

/// Which page is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct PageQuery {
    pub(crate) cursor: Option<String>,
    pub(crate) limit: Option<usize>,
}

/// One page of a list; `next` is the cursor of the following one.
#[derive(Clone, Debug, Serialize)]
pub struct Page<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// Given as `cursor`, it asks for what follows; null at the end.
    pub next: Option<String>,
}

impl PageQuery {
    /// How many items are asked for.
    pub(crate) fn len(&self) -> Result<usize, Problem> {
        match self.limit.unwrap_or(PAGE_LEN) {
            len @ 1..=PAGE_LEN_MAX => Ok(len),
            other => Err(Problem::bad_request(format!(
                "limit is {other}; 1 to {PAGE_LEN_MAX} items make a page"
            ))),
        }
    }

    /// The place behind which the page begins, as a number that the list understands.
    pub(crate) fn after(&self) -> Result<Option<u64>, Problem> {
        let read = |text: &str| {
            u64::from_str_radix(text.strip_prefix('p').unwrap_or("-"), 36)
                .map_err(|_| Problem::bad_request("the cursor is not one that this list gave"))
        };
        self.cursor.as_deref().map(read).transpose()
    }

    /// Cuts a page out of a whole list that is short enough to be held.
    pub(crate) fn cut<T>(&self, items: impl IntoIterator<Item = T>) -> Result<Page<T>, Problem> {
        let (after, len) = (self.after()?.unwrap_or(0), self.len()?);
        let start = usize::try_from(after).unwrap_or(usize::MAX);
        let mut items: Vec<T> = items.into_iter().skip(start).take(len + 1).collect();
        let more = items.len() > len;
        items.truncate(len);
        let next = more.then(|| cursor(after.saturating_add(len as u64)));
        Ok(Page { items, next })
    }
}

/// A cursor for a place in a list.
pub(crate) fn cursor(place: u64) -> String {
    let mut digits = Vec::new();
    let mut rest = place;
    loop {
        digits.push(char::from_digit(u32::try_from(rest % 36).unwrap_or(0), 36).unwrap_or('0'));
        rest /= 36;
        if rest == 0 {
            break;
        }
    }
    std::iter::once('p').chain(digits.into_iter().rev()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_to_its_end_page_by_page() {
        let mut query = PageQuery { cursor: None, limit: Some(4) };
        let mut read = Vec::new();
        loop {
            let page = query.cut(0..10_u32).unwrap();
            read.extend(page.items);
            match page.next {
                Some(next) => query.cursor = Some(next),
                None => break,
            }
        }
        assert_eq!(read, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn a_wrong_cursor_or_limit_is_refused_by_name() {
        let check = |cursor: Option<&str>, limit, want: &str| {
            let query = PageQuery { cursor: cursor.map(str::to_owned), limit };
            assert_eq!(query.cut(0..10_u32).unwrap_err().for_caller, want);
        };
        check(Some("7"), None, "the cursor is not one that this list gave");
        check(None, Some(0), "limit is 0; 1 to 200 items make a page");
        check(None, Some(201), "limit is 201; 1 to 200 items make a page");
        for limit in [1, PAGE_LEN_MAX] {
            let query = PageQuery { cursor: None, limit: Some(limit) };
            assert_eq!(query.cut(0..1_000_u32).unwrap().items.len(), limit);
        }
        for place in [0, 35, 36, u64::MAX] {
            let query = PageQuery { cursor: Some(cursor(place)), limit: None };
            assert_eq!(query.after(), Ok(Some(place)));
        }
    }
}
