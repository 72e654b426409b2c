//! The shapes of answers and requests; they belong to the API and to nothing else.

pub(crate) mod alarm;
pub(crate) mod audit;
pub(crate) mod bed;
pub(crate) mod damage;
pub(crate) mod demo;
pub(crate) mod device;
pub(crate) mod feed;
pub(crate) mod fleet;
pub(crate) mod history;
pub(crate) mod news;
pub(crate) mod numeric;
pub(crate) mod patient;
pub(crate) mod people;
pub(crate) mod place;
pub(crate) mod refusal;
pub(crate) mod report;
pub(crate) mod system;
pub(crate) mod timeline;
pub(crate) mod words;
