//! One live connection: to a server, or to a cluster's nodes.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, Pipeline, RedisError, RedisResult, Value};

use crate::address::Address;

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
    /// With how long an answer may take, retries of the client's included.
    Cluster(redis::cluster_async::ClusterConnection, Duration),
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
        let node = address.nodes.first().cloned();
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
                let config =
                    AsyncConnectionConfig::new().set_connection_timeout(connect).set_response_timeout(response);
                client.get_multiplexed_async_connection_with_config(&config).await.map(Connection::Single)
            }
            #[cfg(feature = "cluster")]
            Target::Cluster(client) => {
                client.get_async_connection().await.map(|connection| Connection::Cluster(connection, response))
            }
        }
    }
}

impl Connection {
    pub(crate) async fn send(&mut self, request: Request<'_>) -> RedisResult<Value> {
        match (self, request) {
            (Connection::Single(connection), Request::One(command)) => command.query_async(connection).await,
            (Connection::Single(connection), Request::Many(pipeline)) => pipeline.query_async(connection).await,
            #[cfg(feature = "cluster")]
            (Connection::Cluster(connection, limit), request) => {
                let answer = tokio::time::timeout(*limit, routing::send(connection, request)).await;
                answer.unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
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
    use redis::{ErrorKind, RedisError, RedisResult, Value};

    use super::Request;

    pub(super) async fn send(connection: &mut ClusterConnection, request: Request<'_>) -> RedisResult<Value> {
        match request {
            Request::One(command) => command.query_async(connection).await,
            Request::Many(pipeline) => pipeline.query_async(connection).await,
            Request::At(command, node) => connection.route_command(command, address_of(node)?).await,
            Request::Everywhere(command) => {
                let route = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
                connection.route_command(command, route).await
            }
        }
    }

    fn address_of(node: &str) -> RedisResult<RoutingInfo> {
        let address = node.rsplit_once(':').and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)));
        match address {
            Some((host, port)) => Ok(RoutingInfo::SingleNode(SingleNodeRoutingInfo::ByAddress { host, port })),
            None => Err(RedisError::from((ErrorKind::ClientError, "a node without an address", node.to_owned()))),
        }
    }
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
