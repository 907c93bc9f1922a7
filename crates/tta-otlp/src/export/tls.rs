//! TLS for the client: whom to trust, and who we are.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::problem::ExportError;
use super::settings::TlsFiles;

/// The configuration, made with ring. Files are read once, here.
pub(super) fn client_config(files: &TlsFiles) -> Result<ClientConfig, ExportError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| failed("the protocol", &error))?.with_root_certificates(roots(files)?);
    let (Some(certificate), Some(key)) = (&files.certificate, &files.key) else {
        return Ok(builder.with_no_client_auth());
    };
    let chain = certificates(certificate)?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| failed(&shown(key), &error))?;
    builder.with_client_auth_cert(chain, private).map_err(|error| failed(&shown(certificate), &error))
}

/// For endpoints without TLS, where nothing of it is looked at.
pub(super) fn unused() -> Result<ClientConfig, ExportError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| failed("the protocol", &error))?;
    Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

fn roots(files: &TlsFiles) -> Result<RootCertStore, ExportError> {
    let mut roots = RootCertStore::empty();
    let Some(path) = &files.authorities else {
        // Some of a system's certificates may be odd; those that can be used are.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return Ok(roots);
    };
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| failed(&shown(path), &error))?;
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ExportError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(found) if found.is_empty() => Err(failed(&shown(path), &"it holds no certificate in PEM")),
        Ok(found) => Ok(found),
        Err(error) => Err(failed(&shown(path), &error)),
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn failed(path: &str, error: &dyn std::fmt::Display) -> ExportError {
    ExportError::Tls { path: path.to_owned(), message: error.to_string() }
}
