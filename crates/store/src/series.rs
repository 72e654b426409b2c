//! series.
