//! Packs as devices send them, and as they should not.
