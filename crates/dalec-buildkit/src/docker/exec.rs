//! A stream to the `buildkitd` in a container: `buildctl dial-stdio`, run there.

use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Docker;
use crate::error::ConnectError;
use crate::stream::BoxStream;

/// The program's output comes in frames: one byte for the stream, three of nothing, four for the length.
const HEADER: usize = 8;
const STDOUT: u8 = 1;
/// Bytes on their way between the two ends.
const BUFFER: usize = 256 << 10;
/// No frame is larger: the daemon cuts them at 32 KiB.
const MAX_FRAME: usize = 16 << 20;

#[derive(Deserialize)]
struct Created {
    #[serde(rename = "Id")]
    id: String,
}

/// Starts `buildctl dial-stdio` in the container `name` and returns its standard input and output.
pub(super) async fn dial_stdio(docker: &Docker, name: &str) -> Result<BoxStream, ConnectError> {
    let command = json!({
        "Cmd": ["buildctl", "dial-stdio"],
        "AttachStdin": true,
        "AttachStdout": true,
        "AttachStderr": true,
        "Tty": false,
    });
    let created: Created = docker.post(&format!("/containers/{name}/exec"), &command).await?;
    if !created.id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(docker.error("it gave an identity that is none"));
    }
    let start = json!({ "Detach": false, "Tty": false });
    let path = format!("/exec/{}/start", created.id);
    let stream = docker.upgrade(&path, "tcp", http::HeaderMap::new(), Some(&start)).await?;
    let (ours, theirs) = tokio::io::duplex(BUFFER);
    tokio::spawn(pump(stream, theirs));
    Ok(Box::new(ours))
}

/// Takes frames apart on the way here; passes bytes on as they are on the way there.
async fn pump(stream: BoxStream, ours: tokio::io::DuplexStream) {
    let (mut from_daemon, mut to_daemon) = tokio::io::split(stream);
    let (mut from_here, mut to_here) = tokio::io::split(ours);
    let up = async {
        // Either end may close; the other one then sees the end of the stream.
        let _ = tokio::io::copy(&mut from_here, &mut to_daemon).await;
        let _ = to_daemon.shutdown().await;
    };
    let down = async {
        let _ = unframe(&mut from_daemon, &mut to_here).await;
        let _ = to_here.shutdown().await;
    };
    tokio::join!(up, down);
}

async fn unframe(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
) -> std::io::Result<()> {
    let mut header = [0; HEADER];
    let mut frame = Vec::new();
    loop {
        from.read_exact(&mut header).await?;
        let [stream, _, _, _, length @ ..] = header;
        let length = u32::from_be_bytes(length) as usize;
        if length > MAX_FRAME {
            return Err(std::io::Error::other("a frame is too large"));
        }
        frame.resize(length, 0);
        from.read_exact(&mut frame).await?;
        if stream == STDOUT {
            to.write_all(&frame).await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_standard_output_passes() {
        let mut framed: &[u8] = b"\x01\0\0\0\0\0\0\x02ab\x02\0\0\0\0\0\0\x03err\x01\0\0\0\0\0\0\x01c";
        let mut out = Vec::new();
        unframe(&mut framed, &mut out).await.unwrap_err();
        assert_eq!(out, b"abc");
    }

    #[tokio::test]
    async fn a_frame_of_any_length_is_refused() {
        let mut framed: &[u8] = b"\x01\0\0\0\xff\xff\xff\xff";
        let error = unframe(&mut framed, &mut Vec::new()).await.unwrap_err();
        assert_eq!(error.to_string(), "a frame is too large");
    }
}
