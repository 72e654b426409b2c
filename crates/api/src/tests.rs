//! The whole of it, against the real engine and journal, over real sockets.
