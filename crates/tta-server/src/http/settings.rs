//! What a server is told, as plain fields, and their check.

use std::net::{Ipv4Addr, SocketAddr};

use super::auth::{Scope, TokenSource, Tokens, load_tokens};
use super::binding;
use super::error::{ServerError, SettingsErrors};
use super::limits::ServerLimits;
use super::tls::{TlsConfig, TlsFiles};

/// What a server is told: where it listens, who may ask, and what it takes at most.
///
/// ```
/// use tta_server::{ServerSettings, TokenSource};
/// let settings = ServerSettings { address: "0.0.0.0:8000".parse()?, ..ServerSettings::default() };
/// let error = settings.check().unwrap_err().to_string();
/// assert!(error.starts_with("cannot serve at 0.0.0.0:8000 without tokens"));
///
/// let read_tokens = vec![TokenSource::Value("5f0c1a9b7e3d2846".into())];
/// let checked = ServerSettings { read_tokens, ..settings }.check()?;
/// assert!(checked.warning().is_some_and(|warning| warning.starts_with("not encrypted")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// Where to listen; port 0 is any that is free. Default: 127.0.0.1:8000, which only programs of
    /// this machine reach. Another address needs tokens or `insecure`.
    pub address: SocketAddr,
    /// Serves everything, at whatever address and by whatever name, to whoever asks, when there are no
    /// tokens. Default: false: then a server without tokens answers only requests for `localhost` or an
    /// IP address, so that no web page reaches it through a name of its own.
    pub insecure: bool,
    /// Certificate and key. Default: none, so that nothing is encrypted.
    pub tls: Option<TlsFiles>,
    /// Tokens for reading. Default: none. At most 100 tokens in all, of 16 to 1,024 bytes. With none
    /// of any scope, everything is open.
    pub read_tokens: Vec<TokenSource>,
    /// Tokens for sending spans, likewise.
    pub write_tokens: Vec<TokenSource>,
    /// Tokens for everything, likewise.
    pub admin_tokens: Vec<TokenSource>,
    /// What it takes at most.
    pub limits: ServerLimits,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 8000)),
            insecure: false,
            tls: None,
            read_tokens: Vec::new(),
            write_tokens: Vec::new(),
            admin_tokens: Vec::new(),
            limits: ServerLimits::default(),
        }
    }
}

impl ServerSettings {
    /// Reads tokens and certificates, and checks all of it. What it was before is not changed by
    /// files that change later.
    ///
    /// # Errors
    /// All that is wrong at once: files, tokens, limits, and an address that would be exposed.
    pub fn check(&self) -> Result<CheckedSettings, SettingsErrors> {
        let mut errors = self.limits.problems();
        let scopes =
            [(Scope::Read, &self.read_tokens), (Scope::Write, &self.write_tokens), (Scope::Admin, &self.admin_tokens)];
        let sources: Vec<_> =
            scopes.into_iter().flat_map(|(scope, sources)| sources.iter().map(move |source| (scope, source))).collect();
        let tokens = load_tokens(&sources, |name| std::env::var(name).ok());
        let tokens = tokens.unwrap_or_else(|wrong| {
            errors.extend(wrong.into_iter().map(ServerError::Token));
            Tokens::default()
        });
        let tls = self.tls.clone().map(TlsConfig::from_files).transpose().unwrap_or_else(|error| {
            errors.push(error.into());
            None
        });
        // Tokens that were meant to be there are a problem of their own.
        let has_tokens = !sources.is_empty();
        let warning = binding::check(self.address, has_tokens, self.tls.is_some(), self.insecure);
        let warning = warning.unwrap_or_else(|error| {
            errors.push(error);
            None
        });
        if !errors.is_empty() {
            return Err(SettingsErrors::new(errors));
        }
        let (address, limits, is_insecure) = (self.address, self.limits.clone(), self.insecure);
        Ok(CheckedSettings { address, warning, tls, tokens, limits, is_insecure })
    }
}

/// Settings that were found to be in order, and what was read for them.
#[derive(Clone, Debug)]
pub struct CheckedSettings {
    address: SocketAddr,
    warning: Option<String>,
    tls: Option<TlsConfig>,
    tokens: Tokens,
    limits: ServerLimits,
    is_insecure: bool,
}

impl CheckedSettings {
    /// The same at another address, for a program that listens at several: tokens and certificates
    /// are shared.
    ///
    /// # Errors
    /// [`ServerError::Exposed`]: the address would be open to others.
    pub fn at(&self, address: SocketAddr) -> Result<Self, ServerError> {
        let warning = binding::check(address, !self.tokens.is_empty(), self.tls.is_some(), self.is_insecure)?;
        Ok(Self { address, warning, ..self.clone() })
    }

    /// The same with other limits.
    ///
    /// # Errors
    /// [`ServerError::Limit`]: one is out of range.
    pub fn within(&self, limits: ServerLimits) -> Result<Self, ServerError> {
        limits.check()?;
        Ok(Self { limits, ..self.clone() })
    }

    /// Where to listen.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the one who runs the server should be told, if anything: what is exposed at its address.
    #[must_use]
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// The tokens, for the routes to ask for.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Certificate and key, to be reloaded when their files change.
    #[must_use]
    pub fn tls(&self) -> Option<&TlsConfig> {
        self.tls.as_ref()
    }

    /// What it takes at most.
    #[must_use]
    pub fn limits(&self) -> &ServerLimits {
        &self.limits
    }

    /// Whether only programs of this machine are to ask, without tokens.
    pub(crate) fn is_private(&self) -> bool {
        self.address.ip().to_canonical().is_loopback() && self.tokens.is_empty() && !self.is_insecure
    }

    /// Without tokens or a certificate: an address of this machine, unless it is insecure on purpose.
    pub(crate) fn open(address: SocketAddr, limits: ServerLimits, is_insecure: bool) -> Result<Self, ServerError> {
        limits.check()?;
        let warning = binding::check(address, false, false, is_insecure)?;
        Ok(Self { address, warning, tls: None, tokens: Tokens::default(), limits, is_insecure })
    }
}
