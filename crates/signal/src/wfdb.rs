//! Records in the WFDB format of PhysioNet: header, samples in formats 16 and 212, MIT annotations, from bytes;
//! and header and samples of recordings with gaps, to bytes.
//!
//! A MATLAB file of the Challenge sets is format 16 behind 24 bytes of its own header, which its `.hea` says as
//! `16+24`, so it needs no reader of its own.

mod annotations;
mod header;
mod samples;
#[cfg(test)]
mod tests;
mod write;

pub use annotations::{Annotation, AnnotationCode, AnnotationsError, annotations, flutter};
pub use header::{Format, Header, HeaderError, Signal};
pub use samples::{SamplesError, samples};
pub use write::{Described, Recording, Segment, fits_format_16, segments};
