//! Streams the output of a program over HTTP: `http_stream [--try] PORT PROGRAM [ARGUMENT..]`.
//!
//! Each request starts the program anew and gets its standard output as it comes. When the client
//! goes away, hyper drops the body of the answer, and so the child: the drop kills the program with
//! its whole group. A slow client slows the program down, because nothing is read ahead.
//!
//! For the port 0 the kernel chooses a free one. The server prints the port that it uses. With
//! `--try` it asks itself once, prints the answer and stops. SIGINT, SIGTERM and SIGHUP end the
//! running programs, and then the server.

// ANCHOR: answer
use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use anyhow::{Context as _, Result};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use procession::tokio::{Child, ChildStdout, Command, Stdio};
use procession::{BytesMut, end_children_with_program};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The most bytes that one piece of an answer has.
const PIECE_BYTES: usize = 16 << 10;

/// The output of a child as the body of an answer. Its drop ends the child and its group.
struct Output {
    child: Option<(ChildStdout, Child)>,
    /// The answer if there is no child.
    text: Option<String>,
}

impl Body for Output {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(text) = self.text.take() {
            return Poll::Ready(Some(Ok(Frame::data(text.into()))));
        }
        let Some((stdout, _)) = &mut self.child else { return Poll::Ready(None) };
        let mut piece = BytesMut::with_capacity(PIECE_BYTES);
        ready!(pin!(stdout.read_buf(&mut piece)).poll(context))?;
        Poll::Ready((!piece.is_empty()).then(|| Ok(Frame::data(piece.freeze()))))
    }
}

/// Answers one request.
async fn answer(
    program: Arc<Vec<String>>,
    _: Request<Incoming>,
) -> Result<Response<Output>, Infallible> {
    let mut command = Command::new(&program[0]);
    command.args(&program[1..]).stdin(Stdio::null()).stdout(Stdio::piped()).owned(true);
    let (status, body) = match command.spawn() {
        Ok(mut child) => {
            let child = child.stdout.take().map(|stdout| (stdout, child));
            (StatusCode::OK, Output { child, text: None })
        }
        Err(error) => {
            let text = Some(format!("{error}\n"));
            (StatusCode::INTERNAL_SERVER_ERROR, Output { child: None, text })
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    Ok(response)
}
// ANCHOR_END: answer

/// Serves one client after another, each in a task.
async fn serve(listener: TcpListener, program: Arc<Vec<String>>) -> Result<()> {
    loop {
        let (client, _) = listener.accept().await?;
        let program = Arc::clone(&program);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&program), request));
            let served =
                http1::Builder::new().serve_connection(TokioIo::new(client), service).await;
            if let Err(error) = served.as_ref()
                && !error.is_incomplete_message()
            {
                eprintln!("http_stream: {error}");
            }
        });
    }
}

/// Asks the server once, and prints the whole answer.
async fn ask(port: u16) -> Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
    server.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
    let mut text = String::new();
    server.read_to_string(&mut text).await?;
    print!("{text}");
    Ok(())
}

async fn program() -> Result<()> {
    end_children_with_program();
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let is_try = args.first().is_some_and(|arg| arg == "--try");
    args.drain(..usize::from(is_try));
    anyhow::ensure!(args.len() >= 2, "http_stream [--try] PORT PROGRAM [ARGUMENT..]");
    let port: u16 = args.remove(0).parse().context("the port is a number")?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let port = listener.local_addr()?.port();
    let serving = serve(listener, Arc::new(args));
    if is_try {
        tokio::spawn(serving);
        return ask(port).await;
    }
    println!("listening on port {port}");
    serving.await
}

fn main() -> ExitCode {
    let run =
        || tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(program());
    procession_examples::end("http_stream", run())
}
