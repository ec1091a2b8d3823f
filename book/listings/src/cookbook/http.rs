//! Streams the output of a program to an HTTP client.

// ANCHOR: listing
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::{Request, Response};
use procession::BytesMut;
use procession::tokio::{Child, ChildStdout, Command, Stdio};
use tokio::io::AsyncReadExt;

/// The output of a child as the body of an answer. Its drop kills the child's group.
struct Output {
    stdout: ChildStdout,
    _child: Child,
}

impl Body for Output {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let mut chunk = BytesMut::with_capacity(16 << 10);
        let read = pin!(self.stdout.read_buf(&mut chunk));
        ready!(read.poll(context))?;
        Poll::Ready((!chunk.is_empty()).then(|| Ok(Frame::data(chunk.freeze()))))
    }
}

async fn answer(_: Request<Incoming>) -> io::Result<Response<Output>> {
    let mut command = Command::new("seq");
    command.arg("3").stdin(Stdio::null()).stdout(Stdio::piped()).owned(true);
    let mut child = command.spawn()?;
    let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    Ok(Response::new(Output { stdout, _child: child }))
}
// ANCHOR_END: listing

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

/// Serves one client, which is this program itself.
#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut client = TcpStream::connect(listener.local_addr()?).await?;
    let (server, _) = listener.accept().await?;
    let server = http1::Builder::new().serve_connection(TokioIo::new(server), service_fn(answer));
    tokio::spawn(server);
    client.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
    let mut text = String::new();
    client.read_to_string(&mut text).await?;
    let (_, body) = text.split_once("\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
    print!("{body}");
    Ok(())
}

listing!();
