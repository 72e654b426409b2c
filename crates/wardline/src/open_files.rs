//! How many files and sockets this process, and the programs that it starts, may have open.

use anyhow::Context as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit as far as this user may; answers with what it is then.
pub(crate) fn allow_many() -> anyhow::Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    // Without a number there is no limit.
    let most = limit.maximum.or(limit.current).unwrap_or(u64::MAX);
    setrlimit(Resource::Nofile, Rlimit { current: Some(most), ..limit })
        .context("the limit of open files cannot be raised; raise it before with `ulimit -n`")?;
    Ok(most)
}

/// What the limit is now.
pub(crate) fn allowed() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
