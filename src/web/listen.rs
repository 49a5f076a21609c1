//! Builds the HTTP server over sockets of our own, which notice clients that stall ([`super::socket`]).
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_http::{HttpService, Protocol, Request};
use actix_rt::net::TcpStream;
use actix_server::{Server, ServerBuilder};
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt as _, fn_service, map_config};
use actix_tls::accept::TlsError;
use actix_tls::accept::rustls_0_23::{Acceptor, TlsStream};
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, Extensions, Response, Service};
use actix_web::{Error, HttpRequest};

use super::connection_limit::{ConnectionLimiter, open_files};
use super::frames::CountedStream;
use super::socket::{HttpConnection, Patience, Socket};
use super::tls::Certificate;
use crate::config;

/// How long a client may take to close a connection that the server has ended.
const CLOSING: Duration = Duration::from_secs(1);

/// How long the TLS greeting may take.
const GREETING: Duration = Duration::from_secs(3);

/// Serves `app` on `listener`.
///
/// # Errors
/// The listener cannot be used.
pub fn serve<F, I, S, B>(
    app: F,
    listener: TcpListener,
    certificate: Option<&Arc<Certificate>>,
    settings: &config::ServerConfig,
) -> io::Result<Server>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Error> + 'static,
    S::InitError: std::fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    <S::Service as Service<Request>>::Future: 'static,
    S::Service: 'static,
    B: MessageBody + 'static,
{
    let limits = &settings.limits;
    let workers = match settings.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        workers => workers,
    };
    let builder = ServerBuilder::new()
        .disable_signals()
        .shutdown_timeout(settings.shutdown_timeout_seconds)
        .max_concurrent_connections(open_files(limits, workers))
        .workers(workers);
    let signal = builder.graceful_shutdown_signal();
    let connections = ConnectionLimiter::new(limits.max_connections_per_address, settings.trusted_proxies.clone());
    let patience = Patience {
        write: Duration::from_secs(limits.write_timeout_seconds),
        rest: Duration::from_secs(limits.keep_alive_seconds),
    };
    let (head, rest) = (Duration::from_secs(limits.header_timeout_seconds), patience.rest);
    let accept = move |stream: TcpStream| accepted(&connections, patience, stream);
    // The two kinds of connection differ in their type alone.
    macro_rules! http {
        ($signal:expr, $app:expr, $line:expr) => {{
            let signal = $signal.clone();
            let app = $app().into_factory().map_err(|error: S::Error| error.into().error_response());
            HttpService::build()
                .graceful_shutdown_signal(move || {
                    let signal = signal.clone();
                    async move { signal.notified().await }
                })
                .keep_alive(rest)
                .client_request_timeout(head)
                .client_disconnect_timeout(CLOSING)
                .on_connect_ext($line)
                .finish(map_config(app, |()| AppConfig::default()))
        }};
    }
    let builder = match certificate {
        None => builder.listen("http", listener, move || {
            let accept = accept.clone();
            let http = http!(signal, app, |socket: &Socket, data: &mut Extensions| note(socket.line(), data));
            fn_service(move |stream: TcpStream| {
                let socket = accept(stream);
                async move {
                    let (socket, peer) = socket.ok_or(())?;
                    Ok((socket, Protocol::Http1, peer))
                }
            })
            .and_then(http.map_err(drop))
        })?,
        Some(certificate) => {
            let certificate = certificate.settings();
            builder.listen("https", listener, move || {
                let accept = accept.clone();
                let line = |wire: &CountedStream, data: &mut Extensions| note(wire.socket().line(), data);
                let http = http!(signal, app, line);
                let mut greeting = Acceptor::new(certificate.clone());
                greeting.set_handshake_timeout(GREETING);
                fn_service(move |stream: TcpStream| {
                    let socket = accept(stream);
                    async move { socket.map(|(socket, _)| socket).ok_or(()) }
                })
                .and_then(greeting.map_init_err(drop).map_err(|_: TlsError<io::Error, _>| ()))
                .and_then(async |io: TlsStream<Socket>| {
                    let (socket, session) = io.get_ref();
                    let two = session.alpn_protocol() == Some(b"h2");
                    if two {
                        socket.line().speaks_http2();
                    }
                    let peer = socket.stream().peer_addr().ok();
                    Ok((CountedStream::new(io, two), if two { Protocol::Http2 } else { Protocol::Http1 }, peer))
                })
                .and_then(http.map_err(drop))
            })?
        }
    };
    Ok(builder.run())
}

/// The socket of a new connection; none when its address has as many as it may, or it is gone already.
fn accepted(
    connections: &ConnectionLimiter,
    patience: Patience,
    stream: TcpStream,
) -> Option<(Socket, Option<SocketAddr>)> {
    let peer = stream.peer_addr().ok()?;
    let place = connections.enter(peer.ip()).ok()?;
    let _slower = stream.set_nodelay(true).is_err();
    Some((Socket::new(stream, HttpConnection::new(patience, place)), Some(peer)))
}

fn note(line: &Rc<HttpConnection>, data: &mut Extensions) {
    data.insert(Rc::clone(line));
}

/// The connection that a request came over.
pub fn line_of(request: &HttpRequest) -> Option<&Rc<HttpConnection>> {
    request.conn_data::<Rc<HttpConnection>>()
}
