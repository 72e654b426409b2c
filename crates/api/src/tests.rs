//! The whole of it, against the real engine and journal, over real sockets.

mod browser;
mod feed;
mod house;
mod patients;
mod people;
mod sign_in;
mod surface;
mod table;
mod waves;
