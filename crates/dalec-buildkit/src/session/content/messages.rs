//! Messages of containerd's content service; what is of no use here is left out, which the wire format allows.

/// A blob.
#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::session) struct Info {
    #[prost(string, tag = "1")]
    pub(in crate::session) digest: String,
    #[prost(int64, tag = "2")]
    pub(in crate::session) size: i64,
}

/// A question about one blob.
#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::session) struct Digested {
    #[prost(string, tag = "1")]
    pub(in crate::session) digest: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::session) struct InfoResponse {
    #[prost(message, optional, tag = "1")]
    pub(in crate::session) info: Option<Info>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::session) struct UpdateRequest {
    #[prost(message, optional, tag = "1")]
    pub(in crate::session) info: Option<Info>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::session) struct ReadRequest {
    #[prost(string, tag = "1")]
    pub(in crate::session) digest: String,
    #[prost(int64, tag = "2")]
    pub(in crate::session) offset: i64,
    /// Most bytes; 0 for all.
    #[prost(int64, tag = "3")]
    pub(in crate::session) size: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::session) struct ReadResponse {
    #[prost(int64, tag = "1")]
    pub(in crate::session) offset: i64,
    #[prost(bytes = "vec", tag = "2")]
    pub(in crate::session) data: Vec<u8>,
}

/// A blob that is being written.
#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::session) struct Ingest {
    #[prost(string, tag = "3")]
    pub(in crate::session) reference: String,
    #[prost(int64, tag = "4")]
    pub(in crate::session) offset: i64,
    #[prost(int64, tag = "5")]
    pub(in crate::session) total: i64,
    #[prost(string, tag = "6")]
    pub(in crate::session) expected: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::session) struct StatusRequest {
    #[prost(string, tag = "1")]
    pub(in crate::session) reference: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::session) struct StatusResponse {
    #[prost(message, optional, tag = "1")]
    pub(in crate::session) status: Option<Ingest>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::session) struct AbortRequest {
    #[prost(string, tag = "1")]
    pub(in crate::session) reference: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::session) struct Empty {}

/// What to do with the data of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(in crate::session) enum Action {
    /// Nothing: only say how far it is.
    Stat = 0,
    /// Append them.
    Write = 1,
    /// Append them, and that is all.
    Commit = 2,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::session) struct WriteRequest {
    #[prost(enumeration = "Action", tag = "1")]
    pub(in crate::session) action: i32,
    #[prost(string, tag = "2")]
    pub(in crate::session) reference: String,
    #[prost(int64, tag = "3")]
    pub(in crate::session) total: i64,
    #[prost(string, tag = "4")]
    pub(in crate::session) expected: String,
    #[prost(int64, tag = "5")]
    pub(in crate::session) offset: i64,
    #[prost(bytes = "vec", tag = "6")]
    pub(in crate::session) data: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::session) struct WriteResponse {
    #[prost(enumeration = "Action", tag = "1")]
    pub(in crate::session) action: i32,
    #[prost(int64, tag = "4")]
    pub(in crate::session) offset: i64,
    #[prost(int64, tag = "5")]
    pub(in crate::session) total: i64,
    #[prost(string, tag = "6")]
    pub(in crate::session) digest: String,
}
