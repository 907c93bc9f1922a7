//! TLS: certificates and keys from files, and their replacement while serving.
//!
//! Cryptography is ring's; TLS 1.2 and 1.3 only. No text made here holds what is in a file.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use thiserror::Error;
use tokio_rustls::TlsAcceptor;

/// Bytes of a file.
const MOST_BYTES: u64 = 1 << 20;

/// Where a certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate in PEM form, followed by those that vouch for it. At most 1 MiB.
    pub certificates: PathBuf,
    /// Its private key in PEM form (PKCS #8, SEC 1 or PKCS #1), without a passphrase. At most 1 MiB.
    pub key: PathBuf,
}

/// Why a certificate or its key is not accepted. It says nothing of their content.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("cannot use {} for TLS: {reason}", file.display())]
pub struct TlsError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// A certificate and its key, ready to serve with. Cheap to clone; all clones share what is in effect.
#[derive(Clone)]
pub struct TlsConfig {
    current: Arc<Current>,
    acceptor: TlsAcceptor,
}

impl TlsConfig {
    /// Reads the files.
    ///
    /// # Errors
    /// A file cannot be read, is not what it should be, or the key is not that of the certificate.
    pub fn from_files(files: TlsFiles) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let certified = ArcSwap::from_pointee(load(&files, &provider)?);
        let file = files.certificates.clone();
        let current = Arc::new(Current { certified, provider: Arc::clone(&provider), files });
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| TlsError { file, reason: error.to_string() })?;
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<Current>::clone(&current);
        let mut config = config.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { current, acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    /// Reads the files again. Handshakes from now on use what is in them; connections stay as they are.
    ///
    /// # Errors
    /// As [`TlsConfig::from_files`]; what was in effect stays so.
    pub fn reload(&self) -> Result<(), TlsError> {
        let certified = load(&self.current.files, &self.current.provider)?;
        self.current.certified.store(Arc::new(certified));
        Ok(())
    }

    pub(crate) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfig").field("files", &self.current.files).finish_non_exhaustive()
    }
}

/// What is in effect.
struct Current {
    certified: ArcSwap<CertifiedKey>,
    provider: Arc<CryptoProvider>,
    files: TlsFiles,
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Current").field("files", &self.files).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.certified.load_full())
    }
}

fn load(files: &TlsFiles, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let of = |file: &Path, reason: &str| TlsError { file: file.to_owned(), reason: reason.to_owned() };
    let chain = read(&files.certificates)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&chain).collect();
    // What the parser says would quote the file.
    let chain = chain.map_err(|_| of(&files.certificates, "it is not valid PEM"))?;
    if chain.is_empty() {
        return Err(of(&files.certificates, "it has no certificate (BEGIN CERTIFICATE)"));
    }
    let key = PrivateKeyDer::from_pem_slice(&read(&files.key)?).map_err(|error| match error {
        rustls::pki_types::pem::Error::NoItemsFound => of(
            &files.key,
            "it has no private key (BEGIN PRIVATE KEY); one with a passphrase (BEGIN ENCRYPTED PRIVATE KEY) is not \
             accepted",
        ),
        _ => of(&files.key, "it is not valid PEM"),
    })?;
    let key = provider.key_provider.load_private_key(key);
    let key =
        key.map_err(|_| of(&files.key, "the key is of no accepted kind: RSA of 2048 bits or more, ECDSA, Ed25519"))?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        // Some kinds of keys cannot tell.
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => Ok(certified),
        Err(rustls::Error::InconsistentKeys(_)) => Err(of(
            &files.key,
            &format!("it is not the key of the first certificate in {}", files.certificates.display()),
        )),
        Err(_) => Err(of(&files.certificates, "its first certificate cannot be read")),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let of = |reason: String| TlsError { file: path.to_owned(), reason };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| of(error.to_string()))?;
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|error| of(error.to_string()))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(of(format!("it has more than {MOST_BYTES} bytes, which are accepted")));
    }
    Ok(bytes)
}
