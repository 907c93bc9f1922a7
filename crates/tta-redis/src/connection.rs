//! One live connection: to a server, or to a cluster's nodes.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{AsyncConnectionConfig, Client, Cmd, Pipeline, RedisError, RedisResult, Value};

use crate::address::Address;

/// Commands that wait to be written at a time; further ones wait with their callers.
const WRITE_QUEUE: usize = 256;

/// How to connect.
#[derive(Clone)]
pub(crate) enum Target {
    Single(Box<Client>),
    #[cfg(feature = "cluster")]
    Cluster(Box<redis::cluster::ClusterClient>),
}

/// Cheap to clone; clones share the socket, on which requests follow each other without waiting
/// for answers.
#[derive(Clone)]
pub(crate) enum Connection {
    Single(MultiplexedConnection),
    #[cfg(feature = "cluster")]
    Cluster(redis::cluster_async::ClusterConnection),
}

/// What is asked.
#[derive(Clone, Copy)]
pub(crate) enum Request<'a> {
    One(&'a Cmd),
    /// Several commands at once; to a cluster only such as concern keys of one slot.
    Many(&'a Pipeline),
    /// One command to the node of this address.
    #[cfg(feature = "cluster")]
    At(&'a Cmd, &'a str),
    /// One command to every primary; the answers with their addresses.
    #[cfg(feature = "cluster")]
    Everywhere(&'a Cmd),
}

impl Target {
    pub(crate) fn new(
        address: &Address,
        root_certificate: Option<Vec<u8>>,
        timeouts: (Duration, Duration),
    ) -> RedisResult<Self> {
        #[cfg(feature = "tls")]
        install_cryptography();
        #[cfg(feature = "cluster")]
        if address.is_cluster {
            let builder = redis::cluster::ClusterClient::builder(address.nodes.clone())
                .connection_timeout(timeouts.0)
                .response_timeout(timeouts.1)
                .overall_response_timeout(Some(timeouts.1))
                .tcp_settings(tcp())
                // Back-off is ours: see `link`.
                .retries(2);
            #[cfg(feature = "tls")]
            let builder = match root_certificate {
                Some(pem) => builder.certs(certificates(pem)),
                None => builder,
            };
            return builder.build().map(|client| Target::Cluster(Box::new(client)));
        }
        let _ = timeouts;
        let node = address.nodes.first().map(|node| node.clone().set_tcp_settings(tcp()));
        let node = node.ok_or_else(|| RedisError::from((redis::ErrorKind::InvalidClientConfig, "no address")))?;
        #[cfg(feature = "tls")]
        if let Some(pem) = root_certificate {
            return Client::build_with_tls(node, certificates(pem)).map(Self::single);
        }
        #[cfg(not(feature = "tls"))]
        drop(root_certificate);
        Client::open(node).map(Self::single)
    }

    fn single(client: Client) -> Self {
        Target::Single(Box::new(client))
    }

    pub(crate) fn is_cluster(&self) -> bool {
        !matches!(self, Target::Single(_))
    }

    pub(crate) async fn connect(&self, connect: Duration, response: Duration) -> RedisResult<Connection> {
        match self {
            Target::Single(client) => {
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(connect))
                    .set_response_timeout(Some(response))
                    .set_pipeline_buffer_size(WRITE_QUEUE);
                client.get_multiplexed_async_connection_with_config(&config).await.map(Connection::Single)
            }
            #[cfg(feature = "cluster")]
            Target::Cluster(client) => client.get_async_connection().await.map(Connection::Cluster),
        }
    }
}

impl Connection {
    pub(crate) async fn send(&mut self, request: Request<'_>) -> RedisResult<Value> {
        match (self, request) {
            (Connection::Single(connection), Request::One(command)) => command.query_async(connection).await,
            (Connection::Single(connection), Request::Many(pipeline)) => pipeline.query_async(connection).await,
            #[cfg(feature = "cluster")]
            (Connection::Cluster(connection), Request::One(command)) => command.query_async(connection).await,
            #[cfg(feature = "cluster")]
            (Connection::Cluster(connection), Request::Many(pipeline)) => pipeline.query_async(connection).await,
            #[cfg(feature = "cluster")]
            (Connection::Cluster(connection), Request::At(command, node)) => {
                routing::at(connection, command, node).await
            }
            #[cfg(feature = "cluster")]
            (Connection::Cluster(connection), Request::Everywhere(command)) => {
                routing::everywhere(connection, command).await
            }
            #[cfg(feature = "cluster")]
            (Connection::Single(connection), Request::At(command, _) | Request::Everywhere(command)) => {
                command.query_async(connection).await
            }
        }
    }
}

#[cfg(feature = "cluster")]
mod routing {
    //! Commands to nodes instead of keys.

    use redis::cluster_async::ClusterConnection;
    use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo, SingleNodeRoutingInfo};
    use redis::{Cmd, ErrorKind, RedisError, RedisResult, Value};

    pub(super) async fn at(connection: &mut ClusterConnection, command: &Cmd, node: &str) -> RedisResult<Value> {
        let address = node.rsplit_once(':').and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)));
        let Some((host, port)) = address else {
            return Err(RedisError::from((ErrorKind::Client, "a node without an address", node.to_owned())));
        };
        let route = RoutingInfo::SingleNode(SingleNodeRoutingInfo::ByAddress { host, port });
        connection.route_command(command.clone(), route).await
    }

    pub(super) async fn everywhere(connection: &mut ClusterConnection, command: &Cmd) -> RedisResult<Value> {
        let route = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
        connection.route_command(command.clone(), route).await
    }
}

/// Requests leave at once: by default a small one waits until the server has confirmed all that was
/// sent before it.
fn tcp() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}

/// Unless the program has chosen its own, as several may be compiled in.
#[cfg(feature = "tls")]
fn install_cryptography() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Lost only to another thread that installed one just now.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

#[cfg(feature = "tls")]
fn certificates(pem: Vec<u8>) -> redis::TlsCertificates {
    redis::TlsCertificates { client_tls: None, root_cert: Some(pem) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_leave_at_once() {
        let address = Address::of_url("redis://localhost").unwrap();
        let target = Target::new(&address, None, (Duration::from_secs(1), Duration::from_secs(1))).unwrap();
        assert!(matches!(target, Target::Single(client) if client.get_connection_info().tcp_settings().nodelay()));
    }
}
