//! The redactor in effect of one engine, which settings replace while it runs.
//!
//! Owns sharing it. Does not own who uses it: what leaves an engine, and logs.

use std::hash::{BuildHasher, RandomState};
use std::ops::Deref;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::{Redaction, Redactor};

/// The redactor that is in effect, now and after every change of the settings. Cheap to clone;
/// clones follow the same engine. Got from [`Telemetry::redactor`](crate::Telemetry::redactor).
///
/// ```
/// use tta_telemetry::{Redaction, Telemetry};
///
/// let telemetry = Telemetry::builder().build()?;
/// let redactor = telemetry.redactor().clone();
/// assert_eq!(redactor.current().redact_text("token=abc123"), "token=[REDACTED]");
/// telemetry.set_redaction(&Redaction::builder().enabled(false).build()?);
/// assert_eq!(redactor.current().redact_text("token=abc123"), "token=abc123");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct SharedRedactor(Arc<ArcSwap<Redactor>>);

impl SharedRedactor {
    /// The redactor as it is now: one atomic load. Not to be kept.
    #[inline]
    pub fn current(&self) -> impl Deref<Target = Arc<Redactor>> {
        self.0.load()
    }

    pub(crate) fn set(&self, redaction: &Redaction) {
        self.0.store(Arc::new(Redactor::new(redaction, random_salt())));
    }
}

/// By the default settings, until an engine has others.
impl Default for SharedRedactor {
    fn default() -> Self {
        Self(Arc::new(ArcSwap::from_pointee(Redactor::new(&Redaction::default(), random_salt()))))
    }
}

/// Not from the engine's source of ids: whoever seeds that counts on the order of what it gives,
/// and a salt that can be foretold keeps nothing secret.
fn random_salt() -> [u8; 32] {
    let mut salt = [0; 32];
    for (place, part) in salt.chunks_exact_mut(8).enumerate() {
        part.copy_from_slice(&RandomState::new().hash_one(place).to_le_bytes());
    }
    salt
}
