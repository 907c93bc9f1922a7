//! By redis-rs alone: the commands that the primitive sends, with what it keeps.

use super::Reading;
use super::by_primitive::Kit;
use super::load::{self, Turn, WARM_KEYS};
use super::server::Server;
use crate::measurement::Plan;
use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{AsyncConnectionConfig, Client, IntoConnectionInfo as _, cmd};
use std::time::Duration;

/// As long as the primitive's.
const PATIENCE: Duration = Duration::from_secs(10);
const HOUR_MS: u64 = 3_600_000;

/// A connection to a server in which the primitive keeps one entry.
struct Link {
    connection: MultiplexedConnection,
    key: String,
    entry: Vec<u8>,
}

impl Link {
    async fn new(server: &Server) -> anyhow::Result<Self> {
        Kit::new(server)?.ask(0).await?;
        let tcp = TcpSettings::default().set_nodelay(true);
        let client = Client::open(server.url().into_connection_info()?.set_tcp_settings(tcp))?;
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE)).set_response_timeout(Some(PATIENCE));
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        let key: String = cmd("RANDOMKEY").query_async(&mut connection).await?;
        let entry = get(connection.clone(), &key).await?;
        let entry = entry.ok_or_else(|| anyhow::anyhow!("the primitive has kept nothing"))?;
        Ok(Self { connection, key, entry })
    }
}

async fn get(mut connection: MultiplexedConnection, key: &str) -> anyhow::Result<Option<Vec<u8>>> {
    Ok(cmd("GET").arg(key).query_async(&mut connection).await?)
}

async fn set(mut connection: MultiplexedConnection, key: &str, entry: &[u8]) -> anyhow::Result<()> {
    Ok(cmd("SET").arg(key).arg(entry).arg("PX").arg(HOUR_MS).query_async(&mut connection).await?)
}

fn found(entry: Option<Vec<u8>>, is_meant_to_be: bool) -> anyhow::Result<()> {
    anyhow::ensure!(entry.is_some() == is_meant_to_be, "found {entry:?}");
    Ok(())
}

pub(super) fn gets(server: &Server, plan: &Plan) -> anyhow::Result<Reading> {
    load::alone_runtime()?.block_on(async {
        let link = Link::new(server).await?;
        load::alone(plan, async || found(get(link.connection.clone(), &link.key).await?, true)).await
    })
}

pub(super) fn crowd(server: &Server, plan: &Plan) -> anyhow::Result<Reading> {
    let runtime = load::crowd_runtime()?;
    let Link { connection, key, entry } = runtime.block_on(async {
        let link = Link::new(server).await?;
        for number in 0..WARM_KEYS {
            set(link.connection.clone(), &format!("{}{number}", link.key), &link.entry).await?;
        }
        anyhow::Ok(link)
    })?;
    load::crowd(&runtime, plan, move |turn| {
        let (connection, key, entry) = (connection.clone(), key.clone(), entry.clone());
        async move {
            match turn {
                Turn::Hit(number) => found(get(connection, &format!("{key}{number}")).await?, true),
                Turn::Miss(number) => {
                    let key = format!("{key}{number}");
                    found(get(connection.clone(), &key).await?, false)?;
                    set(connection, &key, &entry).await
                }
            }
        }
    })
}
