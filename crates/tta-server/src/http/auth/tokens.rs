//! The tokens of a server, and what each of them allows.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use super::require::Require;

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// To see what was recorded: metrics, traces, health in detail, the configuration.
    Read,
    /// To send: spans that are received. Does not include reading: a service that sends its own
    /// spans has no business with those of others.
    Write,
    /// Everything, changes of the configuration included.
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Admin];

    /// As it is written in configurations and replies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Read => 1,
            Self::Write => 2,
            Self::Admin => 4,
        }
    }

    /// What a token of this scope is good for.
    const fn allows(self) -> u8 {
        match self {
            Self::Admin => 7,
            other => other.bit(),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The digest of a token: of one length, whatever the token's. It has no `==`, so that nothing can
/// compare it but in constant time.
#[derive(Clone)]
pub(super) struct Fingerprint([u8; 32]);

pub(super) fn fingerprint(token: &[u8]) -> Fingerprint {
    Fingerprint(Sha256::digest(token).into())
}

/// The tokens that a server accepts. Without any, everything is open. Cheap to clone.
///
/// From [`TokenSource`](crate::TokenSource)s, by [`ServerSettings::check`](crate::ServerSettings::check).
#[derive(Clone, Default)]
pub struct Tokens(Arc<[(Fingerprint, Scope)]>);

/// What came of asking whether a request may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Granted,
    /// The token is known, but not for this.
    TooLittle,
    Unknown,
}

impl Tokens {
    pub(super) fn new(tokens: Vec<(Fingerprint, Scope)>) -> Self {
        Self(tokens.into())
    }

    /// Whether there are none, so that everything is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A layer that lets through only requests with a token for this scope, for
    /// [`Router::layer`](axum::Router::layer). It is open when there are no tokens.
    ///
    /// A missing or unknown token gets 401, one for something else 403, both with a problem body.
    pub fn require(&self, scope: Scope) -> Require {
        Require::new(self.clone(), scope)
    }

    /// Takes equally long whichever tokens there are and whichever was given: digests are compared,
    /// all of them and each to its end.
    pub(super) fn access(&self, given: &[u8], wanted: Scope) -> Access {
        let given = fingerprint(given);
        let mut allowed = 0;
        for (token, scope) in self.0.iter() {
            let is_same: Choice = token.0.ct_eq(&given.0);
            allowed |= u8::conditional_select(&0, &scope.allows(), is_same);
        }
        match allowed {
            0 => Access::Unknown,
            allowed if allowed & wanted.bit() != 0 => Access::Granted,
            _ => Access::TooLittle,
        }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |wanted| self.0.iter().filter(|(_, scope)| *scope == wanted).count();
        f.debug_struct("Tokens")
            .field("read", &of(Scope::Read))
            .field("write", &of(Scope::Write))
            .field("admin", &of(Scope::Admin))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scope_allows_its_own_and_admin_allows_all() {
        let tokens = Scope::ALL.map(|scope| (fingerprint(scope.as_str().as_bytes()), scope));
        let tokens = Tokens::new(tokens.to_vec());
        use Access::{Granted, TooLittle, Unknown};
        let of = |given: &str| Scope::ALL.map(|wanted| tokens.access(given.as_bytes(), wanted));
        assert_eq!(of("read"), [Granted, TooLittle, TooLittle]);
        assert_eq!(of("write"), [TooLittle, Granted, TooLittle]);
        assert_eq!(of("admin"), [Granted, Granted, Granted]);
        for wrong in ["", "rea", "reads", "READ", "other"] {
            assert_eq!(of(wrong), [Unknown; 3], "{wrong}");
        }
        assert_eq!(format!("{tokens:?}"), "Tokens { read: 1, write: 1, admin: 1 }");
    }
}
