//! End-to-end tests: the real binary against clients we did not write.
