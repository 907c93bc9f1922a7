//! What a store of kept traces says of itself.

/// A store's numbers. What a store does not have is `None`, and null in the reply.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StorageStatus {
    /// `memory`, `disk`, or what a [store](tta_telemetry::store::TraceStore::kind) of a program's own says.
    pub kind: &'static str,
    /// What the traces take, in bytes.
    pub bytes: u64,
    /// What they may take, in bytes.
    pub capacity_bytes: Option<u64>,
    /// Traces.
    pub traces: u64,
    /// Traces that had to give way to later ones.
    pub evicted_traces: u64,
    /// The oldest trace, in nanoseconds since the Unix epoch.
    pub oldest_unix_ns: Option<u64>,
    /// The newest trace, likewise.
    pub newest_unix_ns: Option<u64>,
    /// Files that traces are in.
    pub segments: Option<u64>,
    /// Bytes that are free where these files are.
    pub free_disk_bytes: Option<u64>,
    /// Bytes of the log that are not in segments yet.
    pub wal_lag_bytes: Option<u64>,
    /// How long traces are kept, in days.
    pub trace_ttl_days: Option<f64>,
    /// How long metrics are kept, in days.
    pub metric_ttl_days: Option<f64>,
    /// Whether what is stored is compressed.
    pub compression_enabled: bool,
    /// How much.
    pub compression_level: Option<i32>,
}

/// A store that can say how it is; any function that returns its status is one.
pub trait StorageStatusSource: Send + Sync + 'static {
    /// Its numbers now. Called on a thread for blocking work, for every reply.
    fn storage_status(&self) -> StorageStatus;
}

impl<F: Fn() -> StorageStatus + Send + Sync + 'static> StorageStatusSource for F {
    fn storage_status(&self) -> StorageStatus {
        self()
    }
}
