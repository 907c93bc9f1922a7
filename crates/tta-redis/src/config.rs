//! How a connection is set up, and what is refused.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use redis::ConnectionInfo;
use thiserror::Error;
use tta_telemetry::{Clock, Name};

use crate::address::Address;
use crate::handle::Redis;
use crate::names;

/// A setting that cannot be used. Never shows a URL or a password.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("redis: `{parameter}` is {given}, accepted is {accepted}")]
pub struct RedisConfigError {
    /// The setting.
    pub parameter: &'static str,
    /// What was given, in words where it may be secret.
    pub given: String,
    /// What is accepted.
    pub accepted: Cow<'static, str>,
}

impl RedisConfigError {
    pub(crate) fn new(
        parameter: &'static str,
        given: impl Into<String>,
        accepted: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { parameter, given: given.into(), accepted: accepted.into() }
    }

    pub(crate) fn check(
        parameter: &'static str,
        given: &dyn fmt::Debug,
        accepted: &'static str,
        within: bool,
    ) -> Result<(), Self> {
        if within { Ok(()) } else { Err(Self::new(parameter, format!("{given:?}"), accepted)) }
    }
}

/// What the program runs for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Environment {
    /// Development and tests: a Redis without a password is as it should be.
    #[default]
    Development,
    /// Production: a Redis that takes anyone's word is reported as degraded.
    Production,
}

/// `production` and `prod`, in any case, are production; anything else is development.
impl From<&str> for Environment {
    fn from(name: &str) -> Self {
        let is_production = ["production", "prod"].iter().any(|known| name.eq_ignore_ascii_case(known));
        if is_production { Environment::Production } else { Environment::Development }
    }
}

/// Builds a [`Redis`]. Shows neither URL nor password.
#[must_use]
pub struct RedisBuilder {
    address: Result<Address, RedisConfigError>,
    username: Option<String>,
    password: Option<String>,
    database: Option<i64>,
    #[cfg(feature = "tls")]
    root_certificate: Option<Vec<u8>>,
    settings: Settings,
}

/// The checked settings of a handle.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) name: Name,
    pub(crate) key_prefix: String,
    pub(crate) environment: Environment,
    pub(crate) clock: Option<Clock>,
    pub(crate) connect_timeout: Duration,
    pub(crate) response_timeout: Duration,
    pub(crate) min_reconnect_delay: Duration,
    pub(crate) max_reconnect_delay: Duration,
    pub(crate) max_unanswered: u64,
}

impl fmt::Debug for RedisBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBuilder").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl RedisBuilder {
    pub(crate) fn new(address: Result<Address, RedisConfigError>) -> Self {
        let settings = Settings {
            name: Name::from_static("default"),
            key_prefix: "tta".to_owned(),
            environment: Environment::default(),
            clock: None,
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(1),
            min_reconnect_delay: Duration::from_millis(50),
            max_reconnect_delay: Duration::from_secs(2),
            max_unanswered: 1_000,
        };
        Self {
            address,
            username: None,
            password: None,
            database: None,
            #[cfg(feature = "tls")]
            root_certificate: None,
            settings,
        }
    }

    /// What it is called in health reports, `redis:<name>`: 1 to 100 bytes. Default `default`.
    pub fn name(mut self, name: impl Into<Name>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// The user of the server's access control list; instead of the one in the URL.
    pub fn username(mut self, username: impl Into<String>) -> Self {
        self.username = Some(username.into());
        self
    }

    /// The password; instead of the one in the URL. Never shown.
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// The number of the database, instead of the one in the URL: 0 (the default) and above, as
    /// many as the server has. A cluster has only 0.
    pub fn database(mut self, database: u32) -> Self {
        self.database = Some(database.into());
        self
    }

    /// What all keys of this program start with: 1 to 100 letters, digits, `_`, `.` or `-`.
    /// Default `tta`. Programs that share a server and a prefix share what they store.
    pub fn key_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.settings.key_prefix = prefix.into();
        self
    }

    /// What the program runs for. Default [`Environment::Development`]. In production a Redis
    /// without a password is reported as degraded.
    pub fn environment(mut self, environment: Environment) -> Self {
        self.settings.environment = environment;
        self
    }

    /// The clock of timestamps in health reports, and of the pauses between attempts to connect.
    /// Default: the system's. TTLs go by the clock of those who use the store.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.settings.clock = Some(clock);
        self
    }

    /// How long connecting may take, greetings included. Default 2 s; 1 ms to 60 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.connect_timeout = timeout;
        self
    }

    /// How long an answer may take; callers may give up earlier. Default 1 s; 1 ms to 60 s.
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.settings.response_timeout = timeout;
        self
    }

    /// The pause after the first failed attempt to connect; it doubles with each that follows.
    /// Default 50 ms; 1 ms to 60 s.
    pub fn min_reconnect_delay(mut self, delay: Duration) -> Self {
        self.settings.min_reconnect_delay = delay;
        self
    }

    /// The longest pause between attempts to connect. Default 2 s; from the first pause to 10 min.
    pub fn max_reconnect_delay(mut self, delay: Duration) -> Self {
        self.settings.max_reconnect_delay = delay;
        self
    }

    /// How many requests may have been given up by their callers in a row, without an answer
    /// between, before the connection is taken for dead and replaced. Default 1,000; 1 to 100,000.
    pub fn max_unanswered(mut self, max_unanswered: u64) -> Self {
        self.settings.max_unanswered = max_unanswered;
        self
    }

    /// The certificate authorities to trust, as PEM, instead of the system's.
    #[cfg(feature = "tls")]
    pub fn root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificate = Some(pem.into());
        self
    }

    /// Checks the settings. Does not connect, and needs no server.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub fn build(self) -> Result<Redis, RedisConfigError> {
        let mut address = self.address?;
        self.settings.check()?;
        let (username, password, database) = (self.username, self.password, self.database);
        for node in &mut address.nodes {
            *node = with_login(node.clone(), username.as_deref(), password.as_deref(), database);
        }
        #[cfg(feature = "tls")]
        let root_certificate = self.root_certificate;
        #[cfg(not(feature = "tls"))]
        let root_certificate = None;
        Redis::from_parts(address, root_certificate, self.settings)
    }
}

impl Settings {
    fn check(&self) -> Result<(), RedisConfigError> {
        let check = RedisConfigError::check;
        check("name", &self.name, "1 to 100 bytes", (1..=100).contains(&self.name.len()))?;
        check("key_prefix", &self.key_prefix, names::ACCEPTED, names::is_good(&self.key_prefix))?;
        let (ms, minute) = (Duration::from_millis(1), Duration::from_secs(60));
        let short = |parameter, duration: Duration| {
            check(parameter, &duration, "1 ms to 60 s", (ms..=minute).contains(&duration))
        };
        short("connect_timeout", self.connect_timeout)?;
        short("response_timeout", self.response_timeout)?;
        short("min_reconnect_delay", self.min_reconnect_delay)?;
        let longest = self.max_reconnect_delay;
        let in_range = (self.min_reconnect_delay..=10 * minute).contains(&longest);
        check("max_reconnect_delay", &longest, "`min_reconnect_delay` to 10 min", in_range)?;
        let in_range = (1..=100_000).contains(&self.max_unanswered);
        check("max_unanswered", &self.max_unanswered, "1 to 100000", in_range)
    }
}

fn with_login(
    node: ConnectionInfo,
    username: Option<&str>,
    password: Option<&str>,
    database: Option<i64>,
) -> ConnectionInfo {
    let mut settings = node.redis_settings().clone();
    if let Some(username) = username {
        settings = settings.set_username(username);
    }
    if let Some(password) = password {
        settings = settings.set_password(password);
    }
    if let Some(database) = database {
        settings = settings.set_db(database);
    }
    node.set_redis_settings(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn refused(change: impl FnOnce(RedisBuilder) -> RedisBuilder) -> String {
        change(Redis::builder("redis://localhost")).build().unwrap_err().to_string()
    }

    #[test]
    fn settings_outside_their_range_are_refused_by_name() {
        assert_eq!(refused(|b| b.name("")), "redis: `name` is \"\", accepted is 1 to 100 bytes");
        let accepted = "1 to 100 letters, digits, `_`, `.` or `-`";
        assert_eq!(refused(|b| b.key_prefix("a:b")), format!("redis: `key_prefix` is \"a:b\", accepted is {accepted}"));
        for (text, given) in [("0ns", Duration::ZERO), ("60.001s", 60_001 * MS)] {
            let expected = |parameter| format!("redis: `{parameter}` is {text}, accepted is 1 ms to 60 s");
            assert_eq!(refused(|b| b.connect_timeout(given)), expected("connect_timeout"));
            assert_eq!(refused(|b| b.response_timeout(given)), expected("response_timeout"));
            assert_eq!(refused(|b| b.min_reconnect_delay(given)), expected("min_reconnect_delay"));
        }
        assert_eq!(
            refused(|b| b.max_reconnect_delay(49 * MS)),
            "redis: `max_reconnect_delay` is 49ms, accepted is `min_reconnect_delay` to 10 min"
        );
        assert_eq!(refused(|b| b.max_unanswered(0)), "redis: `max_unanswered` is 0, accepted is 1 to 100000");
        assert_eq!(
            refused(|b| b.max_unanswered(100_001)),
            "redis: `max_unanswered` is 100001, accepted is 1 to 100000"
        );
    }

    #[test]
    fn the_defaults_are_as_documented() {
        let settings = Redis::builder("redis://localhost").settings;
        assert_eq!((settings.name.as_str(), settings.key_prefix.as_str()), ("default", "tta"));
        assert_eq!((settings.connect_timeout, settings.response_timeout), (2_000 * MS, 1_000 * MS));
        assert_eq!((settings.min_reconnect_delay, settings.max_reconnect_delay), (50 * MS, 2_000 * MS));
        assert_eq!((settings.max_unanswered, settings.environment), (1_000, Environment::Development));
    }

    #[test]
    fn production_is_known_by_its_names() {
        for (name, environment) in [
            ("production", Environment::Production),
            ("PROD", Environment::Production),
            ("staging", Environment::Development),
            ("", Environment::Development),
        ] {
            assert_eq!(Environment::from(name), environment, "{name}");
        }
    }

    #[test]
    fn neither_builder_nor_handle_shows_a_password() {
        let builder = Redis::builder("redis://ada:hunter2@localhost").password("hunter3");
        assert!(!format!("{builder:?}").contains("hunter"));
        let redis = builder.build().unwrap();
        let shown = format!("{redis:?}");
        assert!(shown.contains("localhost:6379") && !shown.contains("hunter") && !shown.contains("ada"), "{shown}");
    }
}
