//! BuildKit's gateway protocol: [`Gateway`](dalec_gateway::Gateway) over gRPC, and errors on their way through it.
//!
//! The protocol is `frontend/gateway/pb/gateway.proto`; how errors travel is in `util/grpcerrors`.

pub mod client;
mod details;
pub mod errors;
mod images;
mod random;
pub mod server;
pub mod stat;
pub mod stdio;

use tonic::transport::Endpoint;

pub use details::Detail;
pub use images::platform_text;
pub use random::random_hex;

/// Most bytes of one message, in both directions; BuildKit's own limit.
pub const MAX_MESSAGE: usize = 16 << 20;

/// Returns an endpoint that takes answers as large as BuildKit sends them.
///
/// Errors carry whole source texts in their trailers, which is more than what HTTP/2 libraries take by themselves.
/// The address is for channels over a stream that is open already: it names nothing.
pub fn endpoint() -> Endpoint {
    // The headers of one answer, in bytes.
    let headers = u32::try_from(MAX_MESSAGE).unwrap_or(u32::MAX);
    Endpoint::from_static("http://localhost").http2_max_header_list_size(headers)
}
