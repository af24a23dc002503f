//! The server over real sockets, with clients that behave and with clients that do not.

mod abuse;
mod client;
mod manners;
