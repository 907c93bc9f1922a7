//! What one server takes at most, and for how long.

use std::time::Duration;

use super::error::ServerError;

const MOST_CONNECTIONS: usize = 10_000;
const LONGEST: Duration = Duration::from_secs(3_600);

/// What a server takes at most, and for how long.
///
/// ```
/// use tta_server::ServerLimits;
/// let limits = ServerLimits { connections: 8, ..ServerLimits::default() };
/// assert_eq!(limits.write_timeout.as_secs(), 10);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Connections at the same time, 1 to 10,000. Default: 64. Further ones wait, and those that
    /// are idle are closed for them.
    pub connections: usize,
    /// How long the head of a request may take to arrive, and a connection may be idle, above 0 to
    /// 1 h. Default: 10 s.
    pub header_timeout: Duration,
    /// How long a client may take nothing of what is sent to it before it is cut off, above 0 to
    /// 1 h. Default: 10 s.
    pub write_timeout: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        let ten = Duration::from_secs(10);
        Self { connections: 64, header_timeout: ten, write_timeout: ten }
    }
}

impl ServerLimits {
    pub(crate) fn check(&self) -> Result<(), ServerError> {
        let invalid = |setting, given, accepted| Err(ServerError::Limit { setting, given, accepted });
        if !(1..=MOST_CONNECTIONS).contains(&self.connections) {
            return invalid("connections", self.connections.to_string(), "1 to 10000");
        }
        for (setting, given) in [("header_timeout", self.header_timeout), ("write_timeout", self.write_timeout)] {
            if given.is_zero() || given > LONGEST {
                return invalid(setting, format!("{given:?}"), "above 0 s, up to 3600 s");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_out_of_range_are_refused_by_name() {
        let said = |limits: ServerLimits| limits.check().unwrap_err().to_string();
        let default = ServerLimits::default;
        assert_eq!(default().check(), Ok(()));
        assert_eq!(said(ServerLimits { connections: 0, ..default() }), "`connections` is 0, accepted is 1 to 10000");
        assert_eq!(
            said(ServerLimits { write_timeout: Duration::ZERO, ..default() }),
            "`write_timeout` is 0ns, accepted is above 0 s, up to 3600 s"
        );
        assert!(said(ServerLimits { header_timeout: Duration::MAX, ..default() }).starts_with("`header_timeout` is "));
    }
}
