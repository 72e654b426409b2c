//! The whole of it, against the real engine and journal, over real sockets.

mod browser;
mod corrections;
mod demo;
mod device;
mod devices;
mod emergency;
mod feed;
mod history;
mod holds;
mod house;
mod leaving;
mod limits;
mod own;
mod patients;
mod people;
mod places_measured;
mod shifts;
mod sign_in;
mod surface;
mod table;
mod timeline;
mod waves;
