//! Bodies keep their bytes.
