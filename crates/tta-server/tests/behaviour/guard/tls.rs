//! TLS: certificates, their replacement, and handshakes that do not come to an end.

use std::path::Path;
use std::sync::Arc;

use axum::body::Body;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tta_server::{Server, ServerLimits, ServerSettings, TlsConfig, TlsFiles};

use super::support::{SHORT, head, http2, request, rest, routes, settings, until, whole};

fn certificate(directory: &Path) -> (TlsFiles, CertificateDer<'static>) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = TlsFiles { certificates: directory.join("chain.pem"), key: directory.join("key.pem") };
    std::fs::write(&files.certificates, cert.pem()).unwrap();
    std::fs::write(&files.key, signing_key.serialize_pem()).unwrap();
    (files, cert.der().clone())
}

async fn serve(files: &TlsFiles, limits: ServerLimits) -> (Server, TlsConfig) {
    let settings = ServerSettings { tls: Some(files.clone()), ..settings(limits) };
    let checked = settings.check().unwrap();
    (Server::start(&checked, routes()).await.unwrap(), checked.tls().unwrap().clone())
}

async fn connect(
    server: &Server,
    trusted: &CertificateDer<'static>,
    protocol: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 << 10).unwrap();
    let stream = socket.connect(server.local_addr()).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await
}

#[tokio::test]
async fn both_protocols_are_spoken_over_tls_as_the_client_chooses() {
    let directory = tempfile::tempdir().unwrap();
    let (files, trusted) = certificate(directory.path());
    let (server, _) = serve(&files, ServerLimits::default()).await;
    assert_eq!(server.url(), format!("https://{}", server.local_addr()));
    let mut stream = connect(&server, &trusted, "http/1.1").await.unwrap();
    stream.write_all(head("GET", "/hello", &["connection: close"]).as_bytes()).await.unwrap();
    assert_eq!(rest(&mut stream).await.text(), "hello");
    let stream = connect(&server, &trusted, "h2").await.unwrap();
    let reply = http2(stream).await.send_request(request("GET", "/large", Body::empty())).await.unwrap();
    assert_eq!(reply.version(), http::Version::HTTP_2);
    assert_eq!(whole(reply).await.unwrap().1.len(), 1 << 20);
    assert_eq!(server.counters().handshakes_failed, 0);
}

#[tokio::test]
async fn a_new_certificate_is_used_once_it_is_reloaded_and_a_broken_one_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let (files, old) = certificate(directory.path());
    let (server, tls) = serve(&files, ServerLimits::default()).await;
    connect(&server, &old, "h2").await.unwrap();
    let (_, new) = certificate(directory.path());
    connect(&server, &old, "h2").await.unwrap();
    tls.reload().unwrap();
    connect(&server, &new, "h2").await.unwrap();
    connect(&server, &old, "h2").await.unwrap_err();
    std::fs::write(&files.key, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let error = tls.reload().unwrap_err().to_string();
    assert!(error.contains("it is not the key of the first certificate in "), "{error}");
    connect(&server, &new, "h2").await.unwrap();
}

#[tokio::test]
async fn a_handshake_that_stalls_or_is_none_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let (files, trusted) = certificate(directory.path());
    let (server, _) = serve(&files, ServerLimits { header_timeout: SHORT, ..ServerLimits::default() }).await;
    // Nothing; the beginning of a record; a request without TLS.
    for sent in [b"".as_slice(), b"\x16\x03\x01\x02\x00\x01", b"GET /hello HTTP/1.1\r\nhost: localhost\r\n\r\n"] {
        let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
        stream.write_all(sent).await.unwrap();
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply).await;
        assert!(!reply.starts_with(b"HTTP"));
    }
    let counters = until(&server, |counters| counters.handshakes_failed == 3).await;
    assert_eq!((counters.accepted, counters.requests), (3, 0));
    connect(&server, &trusted, "http/1.1").await.unwrap();
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_off_under_tls_too() {
    let directory = tempfile::tempdir().unwrap();
    let (files, trusted) = certificate(directory.path());
    let (server, _) = serve(&files, ServerLimits { write_timeout: SHORT, ..ServerLimits::default() }).await;
    let mut stream = connect(&server, &trusted, "http/1.1").await.unwrap();
    stream.write_all(head("GET", "/larger", &[]).as_bytes()).await.unwrap();
    let counters = until(&server, |counters| counters.stuck_cut > 0).await;
    assert_eq!((counters.stuck_cut, counters.broken, counters.idle_closed), (1, 0, 0));
    let mut got = Vec::new();
    stream.read_to_end(&mut got).await.unwrap_err();
    assert!(got.len() < 16 << 20, "{}", got.len());
}

#[test]
fn files_that_will_not_do_are_refused_by_name_and_never_quoted() {
    let directory = tempfile::tempdir().unwrap();
    let (files, _) = certificate(directory.path());
    let (chain, key) = [&files.certificates, &files.key].map(|file| std::fs::read_to_string(file).unwrap()).into();
    let body = key.lines().nth(1).unwrap().to_owned();
    let broken = key.replacen('\n', "\n!!!", 1);
    let locked = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let rubbish = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let other = KeyPair::generate().unwrap().serialize_pem();
    for (certificates, private, want) in [
        ("", key.as_str(), "chain.pem for TLS: it has no certificate (BEGIN CERTIFICATE)"),
        (&key, &key, "chain.pem for TLS: it has no certificate"),
        (rubbish, &key, "chain.pem for TLS: its first certificate cannot be read"),
        (&chain, &chain, "key.pem for TLS: it has no private key"),
        (&chain, &locked, "key.pem for TLS: it has no private key (BEGIN PRIVATE KEY); one with a passphrase"),
        (&chain, &broken, "key.pem for TLS: it is not valid PEM"),
        (&chain, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "the key is of no accepted kind"),
        (&chain, &other, "key.pem for TLS: it is not the key of the first certificate in "),
    ] {
        std::fs::write(&files.certificates, certificates).unwrap();
        std::fs::write(&files.key, private).unwrap();
        let error = TlsConfig::from_files(files.clone()).unwrap_err();
        assert!(error.to_string().contains(want), "{error} instead of {want}");
        assert!(!error.to_string().contains(&body));
    }
    std::fs::write(&files.certificates, &chain).unwrap();
    std::fs::write(&files.key, &key).unwrap();
    let shown = format!("{:?}", TlsConfig::from_files(files.clone()).unwrap());
    assert!(shown.contains("key.pem") && !shown.contains(&body), "{shown}");
    std::fs::remove_file(&files.key).unwrap();
    let error = TlsConfig::from_files(files).unwrap_err().to_string();
    assert!(error.ends_with("key.pem for TLS: No such file or directory (os error 2)"), "{error}");
}
