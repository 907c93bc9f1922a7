//! What the kernel says of the memory of a process. Does not count allocations.

use anyhow::Context as _;

/// The most that a process had at a time; its own of this one.
pub(crate) fn peak_bytes(process: Option<u32>) -> anyhow::Result<u64> {
    read(process, "VmHWM:")
}

/// What it has now.
pub(crate) fn resident_bytes(process: Option<u32>) -> anyhow::Result<u64> {
    read(process, "VmRSS:")
}

fn read(process: Option<u32>, field: &str) -> anyhow::Result<u64> {
    let process = process.map_or_else(|| "self".to_owned(), |id| id.to_string());
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let value = status.lines().find_map(|line| line.strip_prefix(field)?.split_whitespace().next());
    Ok(value.with_context(|| format!("no {field} of process {process}"))?.parse::<u64>()? << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_never_has_more_than_it_had_at_most() {
        let now = resident_bytes(None).unwrap();
        assert!(now > 1 << 20 && now <= peak_bytes(Some(std::process::id())).unwrap(), "{now}");
    }
}
