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

/// Whose token a request had, without the token: its scope, and the how manieth token of that scope it
/// is, in the order in which they were given, from 1. Routes find it among the request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) scope: Scope,
    pub(crate) number: u32,
}

/// What came of asking whether a request may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Granted(Caller),
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
    /// all of them and each to its end. What follows tells only what the reply tells.
    pub(super) fn access(&self, given: &[u8], wanted: Scope) -> Access {
        let given = fingerprint(given);
        // The place from 1, so that 0 is nobody's. No token is there twice.
        let mut found = 0;
        for (place, (token, _)) in (1_u32..).zip(self.0.iter()) {
            let is_same: Choice = token.0.ct_eq(&given.0);
            found.conditional_assign(&place, is_same);
        }
        let Some(index) = found.checked_sub(1).and_then(|place| usize::try_from(place).ok()) else {
            return Access::Unknown;
        };
        let Some(scope) = self.0.get(index).map(|(_, scope)| *scope) else { return Access::Unknown };
        if scope.allows() & wanted.bit() == 0 {
            return Access::TooLittle;
        }
        let before = self.0.iter().take(index).filter(|(_, other)| *other == scope).count();
        Access::Granted(Caller { scope, number: u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1) })
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
        use Access::{TooLittle, Unknown};
        let granted = |scope| Access::Granted(Caller { scope, number: 1 });
        let of = |given: &str| Scope::ALL.map(|wanted| tokens.access(given.as_bytes(), wanted));
        assert_eq!(of("read"), [granted(Scope::Read), TooLittle, TooLittle]);
        assert_eq!(of("write"), [TooLittle, granted(Scope::Write), TooLittle]);
        assert_eq!(of("admin"), [granted(Scope::Admin); 3]);
        for wrong in ["", "rea", "reads", "READ", "other"] {
            assert_eq!(of(wrong), [Unknown; 3], "{wrong}");
        }
        assert_eq!(format!("{tokens:?}"), "Tokens { read: 1, write: 1, admin: 1 }");
    }

    #[test]
    fn a_caller_is_known_by_the_place_of_its_token_among_those_of_its_scope() {
        let all = [("a", Scope::Read), ("b", Scope::Admin), ("c", Scope::Read), ("d", Scope::Admin)];
        let tokens = Tokens::new(all.map(|(token, scope)| (fingerprint(token.as_bytes()), scope)).to_vec());
        for (token, scope, number) in [("a", Scope::Read, 1), ("c", Scope::Read, 2), ("d", Scope::Admin, 2)] {
            assert_eq!(tokens.access(token.as_bytes(), Scope::Read), Access::Granted(Caller { scope, number }));
        }
    }
}
