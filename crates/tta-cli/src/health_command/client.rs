//! One GET over HTTP/1, with TLS where the address says so.
//!
//! By hyper, which the server needs anyway, and without what a client of the web has: no redirections,
//! proxies, cookies or pools. `reqwest` would bring all of these for one request.

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;

use http::header::{ACCEPT, AUTHORIZATION, HOST, HeaderValue, USER_AGENT};
use http::{Request, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Bytes of a reply.
const MOST_BYTES: usize = 4 << 20;

/// Which server, and what of it.
#[derive(Debug)]
pub(super) struct Target {
    host: String,
    port: u16,
    is_tls: bool,
    path: String,
    is_guessed: bool,
}

/// What a server replied.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    body: Vec<u8>,
}

impl Target {
    /// Of a URL: with `/health` or below it just that, otherwise `/health/full` below it.
    pub(super) fn of(url: &str) -> Result<Self, String> {
        let refused = || {
            format!(
                "the URL is `{}`, accepted is http:// or https://, a host, and if need be a port and a path",
                without_userinfo(url)
            )
        };
        let uri: Uri = url.parse().map_err(|_| refused())?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(refused()),
        };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(refused)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        // A port that is none is not told apart from none by every version of the parser.
        let has_odd_port = authority.as_str().len() > authority.host().len() && authority.port_u16().is_none();
        if host.is_empty() || has_odd_port || uri.query().is_some() {
            return Err(refused());
        }
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let base = uri.path().trim_end_matches('/');
        let is_guessed = !(base.ends_with("/health") || base.ends_with("/health/full"));
        let path = if is_guessed { format!("{base}/health/full") } else { base.to_owned() };
        Ok(Self { host, port, is_tls, path, is_guessed })
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Whether the path is ours, and not that of the URL.
    pub(super) fn is_guessed(&self) -> bool {
        self.is_guessed
    }

    /// Whether nobody else can listen on the way.
    pub(super) fn is_private(&self) -> bool {
        let is_loopback = self.host.parse().map(|ip: IpAddr| ip.to_canonical().is_loopback());
        self.is_tls || is_loopback.unwrap_or(self.host.eq_ignore_ascii_case("localhost"))
    }

    pub(super) fn shown(&self) -> String {
        format!("{}://{}{}", if self.is_tls { "https" } else { "http" }, self.authority(), self.path)
    }

    fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

/// Without a user and a password, and without a query, which are no business of an error. A password may have
/// any characters, also those that end a host: the last `@` counts.
fn without_userinfo(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let shown = match rest.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://…@{host}"),
        None => url.to_owned(),
    };
    shown.split_once('?').map_or(shown.clone(), |(before, _)| format!("{before}?…"))
}

impl Reply {
    /// What it says of the server's health, if it does.
    pub(super) fn health(&self) -> Option<Value> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        let is_known = ["healthy", "degraded", "unhealthy"].contains(&super::status_of(&body));
        ([200, 503].contains(&self.status) && is_known).then_some(body)
    }

    /// What a problem says is wrong.
    pub(super) fn detail(&self) -> Option<String> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        body.get("detail").and_then(Value::as_str).map(|detail| tta::telemetry::format::clip(detail, 300))
    }
}

/// Asks once. It waits as long as it takes: the caller has the clock.
pub(super) async fn get(target: &Target, path: &str, token: Option<&str>) -> Result<Reply, String> {
    let connected = TcpStream::connect((target.host.as_str(), target.port)).await;
    let stream = connected.map_err(|error| format!("cannot connect: {error}"))?;
    if !target.is_tls {
        return exchange(stream, target, path, token).await;
    }
    let name = ServerName::try_from(target.host.clone()).map_err(|_| "the host is no name of a server".to_owned())?;
    let connector = TlsConnector::from(Arc::new(tls()?));
    let secured = connector.connect(name, stream).await;
    exchange(secured.map_err(|error| insecure(&error))?, target, path, token).await
}

fn insecure(error: &std::io::Error) -> String {
    // A certificate that `openssl req -x509` makes by default.
    let of_authority = "it is marked as one of an authority (CA:TRUE), accepted is a server's own (CA:FALSE), which an \
                        authority that is trusted has signed or which is trusted itself";
    let said = error.to_string().replace("Other(OtherError(CaUsedAsEndEntity))", of_authority);
    format!("no secure connection: {said}")
}

/// Trusts what this machine trusts; `SSL_CERT_FILE` and `SSL_CERT_DIR` say otherwise.
fn tls() -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        return Err("there are no certificates to trust; name a file of them in SSL_CERT_FILE".to_owned());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| format!("no TLS: {error}"))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

async fn exchange(
    io: impl AsyncRead + AsyncWrite + Unpin,
    target: &Target,
    path: &str,
    token: Option<&str>,
) -> Result<Reply, String> {
    let failed = |error: hyper::Error| match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    };
    let mut request = Request::get(path)
        .header(HOST, target.authority())
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, concat!("tta/", env!("CARGO_PKG_VERSION")));
    if let Some(token) = token {
        let header = HeaderValue::from_str(&format!("Bearer {token}"));
        let mut header = header.map_err(|_| "the token cannot be sent in a header".to_owned())?;
        header.set_sensitive(true);
        request = request.header(AUTHORIZATION, header);
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| error.to_string())?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(io)).await.map_err(failed)?;
    let asked = async {
        let response = sender.send_request(request).await.map_err(failed)?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), MOST_BYTES).collect().await;
        let body = body.map_err(|error| format!("the reply is cut off or beyond 4 MiB: {error}"))?;
        Ok(Reply { status, body: body.to_bytes().into() })
    };
    // Once the connection has ended, the exchange knows how.
    let driven = async {
        let _ = connection.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        done = asked => done,
        () = driven => Err("the connection ended".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_and_what_to_ask() {
        let path = |url| Target::of(url).map(|target| target.shown());
        assert_eq!(path("http://127.0.0.1:8000").as_deref(), Ok("http://127.0.0.1:8000/health/full"));
        assert_eq!(path("https://tta.example/").as_deref(), Ok("https://tta.example:443/health/full"));
        assert_eq!(path("http://[::1]/internal").as_deref(), Ok("http://[::1]:80/internal/health/full"));
        assert_eq!(path("http://a:1/x/health").as_deref(), Ok("http://a:1/x/health"));
        for wrong in ["", "localhost:8000", "ftp://a", "http://", "http://a:x", "/health", "http://a:99999"] {
            let error = path(wrong).unwrap_err();
            assert!(error.contains(&format!("`{wrong}`, accepted is http:// or https://")), "{error}");
        }
        for secret in ["http://ada:hunter2/x@host/health", "http://ada:?hunter2@host", "http://host/?token=hunter2"] {
            let error = path(secret).unwrap_err();
            assert!(error.contains("host") && !error.contains("hunter2"), "{error}");
        }
        let error = path("http://ada:hunter2@host/health").unwrap_err();
        assert!(error.contains("`http://…@host/health`") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn only_others_networks_are_not_private() {
        for (url, want) in [
            ("http://127.0.0.1:1", true),
            ("http://[::1]:1", true),
            ("http://localhost", true),
            ("https://tta.example", true),
            ("http://tta.example", false),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(Target::of(url).unwrap().is_private(), want, "{url}");
        }
    }
}
