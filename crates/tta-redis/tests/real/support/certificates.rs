//! Certificates for a server of a test's own: made anew for each, and gone with its directory.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// Where a server finds what it shows to clients.
pub(crate) struct Certificates {
    /// The authority's certificate, as PEM: what clients are to trust.
    pub(crate) authority: String,
    authority_file: PathBuf,
    server_file: PathBuf,
    key_file: PathBuf,
}

impl Certificates {
    /// An authority, and a certificate of it for 127.0.0.1; the files in `directory`.
    pub(crate) fn write(directory: &Path) -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let server = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
        let write = |name: &str, pem: &str| {
            let path = directory.join(name);
            std::fs::write(&path, pem).unwrap();
            path
        };
        Self {
            authority: authority.pem(),
            authority_file: write("authority.pem", &authority.pem()),
            server_file: write("server.pem", &server.pem()),
            key_file: write("server.key", &key.serialize_pem()),
        }
    }

    /// What the server is started with.
    pub(crate) fn arguments(&self) -> [(&'static str, &Path); 3] {
        [
            ("--tls-ca-cert-file", &self.authority_file),
            ("--tls-cert-file", &self.server_file),
            ("--tls-key-file", &self.key_file),
        ]
    }
}
