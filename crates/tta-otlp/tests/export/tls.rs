//! TLS: an authority of one's own, a client's certificate, and who is not trusted.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;
use tta_otlp::export::{ExportSettings, OtlpSink, Protocol, TlsFiles};
use tta_telemetry::{Clock, Sink};

use crate::support::{Collector, eventually, identity, settings, sink, spans_of, trace};

struct Authority {
    directory: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
        Self { directory: TempDir::new().unwrap(), issuer }
    }

    fn write(&self, name: &str, pem: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, pem).unwrap();
        path
    }

    fn file(&self) -> PathBuf {
        self.write("authority.pem", &self.issuer.pem())
    }

    /// A certificate and its key, for a host.
    fn certificate(&self, name: &str) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let signed = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        (self.write(&format!("{name}.pem"), &signed.pem()), self.write(&format!("{name}.key"), &key.serialize_pem()))
    }

    fn acceptor(&self, protocol: Protocol, asks: bool) -> TlsAcceptor {
        let (certificate, key) = self.certificate("127.0.0.1");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = if asks {
            let mut roots = RootCertStore::empty();
            roots.add(read(&self.file())).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        let mut config = builder.with_single_cert(vec![read(&certificate)], key).unwrap();
        config.alpn_protocols = vec![if protocol == Protocol::Grpc { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
        TlsAcceptor::from(Arc::new(config))
    }
}

fn read(path: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(path).unwrap()
}

fn listen(authority: &Authority, protocol: Protocol, asks: bool) -> Collector {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Collector::listen(address, Some(authority.acceptor(protocol, asks)), [])
}

#[test]
fn a_server_whose_own_certificate_is_that_of_an_authority_is_told_what_is_accepted() {
    let authority = Authority::new();
    let mut parameters = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let own = parameters.self_signed(&key).unwrap();
    let file = authority.write("own.pem", &own.pem());
    for protocol in [Protocol::HttpProtobuf, Protocol::Grpc] {
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let collector = Collector::listen(address, Some(acceptor(protocol, own.der().clone(), key)), []);
        let tls = TlsFiles { authorities: Some(file.clone()), ..TlsFiles::default() };
        let settings = ExportSettings { tls, ..settings(&format!("https://{}", collector.address), protocol) };
        let mut sink = sink(&settings);
        let exporter = sink.exporter();
        sink.export(&[trace(1)]).unwrap();
        eventually("an attempt has failed", || exporter.status().last_error.is_some());
        let said = exporter.status().last_error.unwrap();
        let want = "invalid peer certificate: it is marked as one of an authority (CA:TRUE), accepted is a server's own \
                    (CA:FALSE), which an authority that is trusted has signed or which is trusted itself";
        assert!(said.contains(want) && !said.contains("CaUsedAs"), "{said}");
    }
}

fn acceptor(protocol: Protocol, certificate: CertificateDer<'static>, key: PrivateKeyDer<'static>) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    config.alpn_protocols = vec![if protocol == Protocol::Grpc { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
    TlsAcceptor::from(Arc::new(config))
}

#[test]
fn an_authority_of_ones_own_is_trusted_when_it_is_named() {
    for protocol in [Protocol::HttpProtobuf, Protocol::Grpc] {
        let authority = Authority::new();
        let collector = listen(&authority, protocol, false);
        let tls = TlsFiles { authorities: Some(authority.file()), ..TlsFiles::default() };
        let settings = ExportSettings { tls, ..settings(&format!("https://{}", collector.address), protocol) };
        let mut sink = sink(&settings);
        sink.export(&[trace(3)]).unwrap();
        sink.flush().unwrap();
        assert_eq!((sink.exporter().status().sent, spans_of(&collector.seen())), (3, 3));
    }
}

#[test]
fn a_collector_that_asks_who_we_are_is_told() {
    let authority = Authority::new();
    let collector = listen(&authority, Protocol::Grpc, true);
    let (certificate, key) = authority.certificate("client");
    let tls = TlsFiles { authorities: Some(authority.file()), certificate: Some(certificate), key: Some(key) };
    let settings = ExportSettings { tls, ..settings(&format!("https://{}", collector.address), Protocol::Grpc) };
    let mut sink = sink(&settings);
    sink.export(&[trace(3)]).unwrap();
    sink.flush().unwrap();
    assert_eq!(sink.exporter().status().sent, 3);
}

#[test]
fn a_collector_that_nobody_vouches_for_gets_nothing() {
    let authority = Authority::new();
    let collector = listen(&authority, Protocol::HttpProtobuf, false);
    let other = Authority::new();
    let tls = TlsFiles { authorities: Some(other.file()), ..TlsFiles::default() };
    let address = format!("https://{}", collector.address);
    let mut sink = sink(&ExportSettings { tls, ..settings(&address, Protocol::HttpProtobuf) });
    sink.export(&[trace(3)]).unwrap();
    eventually("an attempt has failed", || sink.exporter().status().last_error.is_some());
    let error = sink.exporter().status().last_error.unwrap();
    assert!(error.contains("certificate"), "{error}");
    assert!(collector.seen().is_empty());
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let authority = Authority::new();
    let empty = authority.write("empty.pem", "");
    for (file, message) in [(empty, "it holds no certificate in PEM"), (authority.directory.path().join("none"), "")] {
        let tls = TlsFiles { authorities: Some(file.clone()), ..TlsFiles::default() };
        let settings = ExportSettings { tls, ..settings("https://127.0.0.1:1", Protocol::HttpProtobuf) };
        let error = OtlpSink::start(&settings, identity(), Clock::system()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot use {} for TLS: {message}", file.display())), "{error}");
    }
}
