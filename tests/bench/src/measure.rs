//! Measuring in turns: the machine's moods then meet both sides.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::Result;

/// What one measurement gave in each round.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples {
    values: Vec<f64>,
}

impl Samples {
    pub(crate) fn add(&mut self, value: f64) {
        self.values.push(value);
    }

    /// Round by round, what `self` is of `other`.
    pub(crate) fn of(&self, other: &Self) -> Self {
        Self { values: self.values.iter().zip(&other.values).map(|(one, other)| one / other).collect() }
    }

    pub(crate) fn median(&self) -> f64 {
        percentile(&self.values, 0.5)
    }

    pub(crate) fn least(&self) -> f64 {
        percentile(&self.values, 0.0)
    }

    pub(crate) fn most(&self) -> f64 {
        percentile(&self.values, 1.0)
    }
}

/// The value that `share` of them do not exceed.
pub(crate) fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss)]
    let nth = (last as f64 * share).round() as usize;
    sorted.get(nth).copied().unwrap_or(f64::NAN)
}

/// So many a second since `begun`.
pub(crate) fn rate(count: usize, begun: Instant) -> f64 {
    float(count) / begun.elapsed().as_secs_f64()
}

#[allow(clippy::cast_precision_loss)]
pub(crate) fn float(count: usize) -> f64 {
    count as f64
}

/// A directory for one measurement, gone with it.
pub(crate) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    pub(crate) fn new(within: &Path) -> Result<Self> {
        let path = within.join(format!("{}", std::process::id()));
        // What an earlier process of this number left.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path)?;
        Ok(Self { path })
    }

    /// A database's name in it; there is no such file yet.
    pub(crate) fn file(&self) -> PathBuf {
        self.path.join("bench.db")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// How often a second 4 KiB can be appended and synced: the disk, without a database.
pub(crate) fn synced_appends(within: &Path, time: Duration) -> Result<f64> {
    let scratch = Scratch::new(within)?;
    let mut file = fs::File::create(scratch.file())?;
    let block = [7; 4096];
    let (mut appended, begun) = (0, Instant::now());
    while begun.elapsed() < time {
        file.write_all(&block)?;
        file.sync_data()?;
        appended += 1;
    }
    Ok(rate(appended, begun))
}

/// This process's resident memory, in MiB.
pub(crate) fn resident() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS in /proc/self/status")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024.0)
}
