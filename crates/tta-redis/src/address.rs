//! Where Redis is: URLs, read without ever being printed.

use std::fmt;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};

use crate::config::RedisConfigError;

/// One server, or the known nodes of a cluster.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) nodes: Vec<ConnectionInfo>,
    #[cfg_attr(not(feature = "cluster"), expect(dead_code, reason = "there are no clusters"))]
    pub(crate) is_cluster: bool,
}

/// Hosts and ports only.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, node) in self.nodes.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match node.addr() {
                ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                    write!(f, "{comma}{host}:{port}")?;
                }
                ConnectionAddr::Unix(path) => write!(f, "{comma}{}", path.display())?,
                _ => write!(f, "{comma}?")?,
            }
        }
        Ok(())
    }
}

impl Address {
    /// Reads one URL: `redis://`, `rediss://`, `unix://`, or of a cluster `redis+cluster://` and
    /// `rediss+cluster://` with hosts separated by commas.
    pub(crate) fn of_url(url: &str) -> Result<Self, RedisConfigError> {
        let cluster = [("redis+cluster://", "redis://"), ("rediss+cluster://", "rediss://")];
        for (prefix, scheme) in cluster {
            if let Some(rest) = url.strip_prefix(prefix) {
                let rest = rest.trim_end_matches('/');
                let (user, hosts) = rest.rsplit_once('@').map_or((None, rest), |(user, hosts)| (Some(user), hosts));
                let node = |host: &str| match user {
                    Some(user) => format!("{scheme}{user}@{host}"),
                    None => format!("{scheme}{host}"),
                };
                return Self::of_cluster(hosts.split(',').map(node));
            }
        }
        Ok(Self { nodes: vec![node(url)?], is_cluster: false })
    }

    /// Reads the URLs of a cluster's nodes.
    pub(crate) fn of_cluster(urls: impl IntoIterator<Item = String>) -> Result<Self, RedisConfigError> {
        let nodes = urls.into_iter().map(|url| node(&url)).collect::<Result<Vec<_>, _>>()?;
        if nodes.is_empty() {
            return Err(RedisConfigError::new("cluster", "no nodes", "the URL of at least one node"));
        }
        if !cfg!(feature = "cluster") {
            let accepted = "a single server, unless tta-redis is built with its feature `cluster`";
            return Err(RedisConfigError::new("url", "a cluster", accepted));
        }
        Ok(Self { nodes, is_cluster: true })
    }
}

fn node(url: &str) -> Result<ConnectionInfo, RedisConfigError> {
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    if matches!(scheme, "rediss" | "valkeys") && !cfg!(feature = "tls") {
        let accepted = "redis://, unless tta-redis is built with its feature `tls`";
        return Err(RedisConfigError::new("url", "a URL with TLS", accepted));
    }
    // What is wrong with a URL is said without the URL, which may hold a password.
    url.into_connection_info().map_err(|error| {
        let what = match error.detail() {
            Some(_) => "has an invalid part".to_owned(),
            None => error.to_string(),
        };
        RedisConfigError::new("url", format!("a URL that cannot be used ({what})"), URL_FORMS)
    })
}

const URL_FORMS: &str = "redis://, rediss://, unix:// or redis+cluster://, as in redis://user:password@host:6379/0";

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> String {
        Address::of_url(url).map_or_else(|error| error.to_string(), |address| address.to_string())
    }

    #[test]
    fn urls_of_all_forms_are_read_and_shown_without_user_and_password() {
        assert_eq!(shown("redis://ada:hunter2@cache:7000/3"), "cache:7000");
        assert_eq!(shown("redis://[::1]"), "::1:6379");
        assert_eq!(shown("unix:///tmp/redis.sock"), "/tmp/redis.sock");
        #[cfg(feature = "tls")]
        assert_eq!(shown("rediss://cache"), "cache:6379");
        #[cfg(feature = "cluster")]
        {
            let cluster = Address::of_url("redis+cluster://ada:hunter2@a:1,b:2/").unwrap();
            assert_eq!((cluster.to_string().as_str(), cluster.is_cluster), ("a:1,b:2", true));
            assert!(cluster.nodes.iter().all(|node| node.redis_settings().password() == Some("hunter2")));
        }
    }

    #[test]
    fn a_url_that_cannot_be_used_is_refused_without_being_shown() {
        for url in ["hunter2", "http://ada:hunter2@cache", "redis://ada:hunter2@", "redis://a:hunter2@b/x", ""] {
            let error = shown(url);
            assert!(error.starts_with("redis: `url` is a URL that cannot be used ("), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        #[cfg(feature = "cluster")]
        assert!(Address::of_cluster([]).is_err());
    }
}
