//! Requests as a gateway sees them: what is asked, what is solved, what other frontends are told, what is refused.

mod contexts;
mod dockerfiles;
mod forwarding;
mod gateway;
mod processors;
mod requests;
mod signing;
mod sources;
mod subrequests;
mod windows;
