//! The switch's own numbers, from its `/metrics` page.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One reading: every sample by its name with labels.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metrics(BTreeMap<String, f64>);

/// Fetches the page; nothing where the switch does not answer.
pub(crate) async fn fetch(admin: SocketAddr) -> Option<Metrics> {
    let page = tokio::time::timeout(Duration::from_secs(2), page(admin)).await.ok()?.ok()?;
    Some(Metrics::parse(&page))
}

async fn page(admin: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(admin).await?;
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut page = Vec::new();
    stream.read_to_end(&mut page).await?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

impl Metrics {
    fn parse(page: &str) -> Self {
        let sample = |line: &str| {
            let (name, value) = line.rsplit_once(' ')?;
            let value = value.trim().parse().ok()?;
            name.starts_with("pointsman_").then(|| (name.to_owned(), value))
        };
        Self(page.lines().filter_map(sample).collect())
    }

    /// The sum of all samples of a name whose labels contain all of `labels`.
    pub(crate) fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let named = |sample: &str| sample.split('{').next() == Some(name);
        let wanted = |sample: &str| labels.iter().all(|label| sample.contains(label));
        let samples = self.0.iter().filter(|(sample, _)| named(sample) && wanted(sample));
        samples.map(|(_, value)| value).sum()
    }

    /// The cumulated buckets of a histogram over all labels: upper bound in seconds, count.
    pub(crate) fn buckets(&self, name: &str) -> Vec<(f64, f64)> {
        let mut buckets: Vec<(f64, f64)> = Vec::new();
        for (sample, count) in &self.0 {
            let Some(labels) = sample.strip_prefix(name).and_then(|s| s.strip_prefix("_bucket"))
            else {
                continue;
            };
            let bound = labels.split("le=\"").nth(1).and_then(|s| s.split('"').next());
            let bound =
                bound.and_then(|b| if b == "+Inf" { Some(f64::MAX) } else { b.parse().ok() });
            let Some(bound) = bound else { continue };
            match buckets.iter_mut().find(|(b, _)| *b == bound) {
                Some((_, sum)) => *sum += count,
                None => buckets.push((bound, *count)),
            }
        }
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        buckets
    }
}

/// A quantile of cumulated buckets, linear inside a bucket, in seconds; `None` without samples.
pub(crate) fn quantile(buckets: &[(f64, f64)], q: f64) -> Option<f64> {
    let total = buckets.last().map(|(_, count)| *count).filter(|count| *count > 0.0)?;
    let rank = q * total;
    let (mut low, mut before) = (0.0, 0.0);
    for (bound, count) in buckets {
        if *count >= rank {
            let share = (rank - before) / (count - before).max(1.0);
            return Some(if *bound == f64::MAX { low } else { low + (bound - low) * share });
        }
        (low, before) = (*bound, *count);
    }
    Some(low)
}

/// Two readings of one histogram, of two processes, as one.
pub(crate) fn add(a: &[(f64, f64)], b: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if a.is_empty() {
        return b.to_vec();
    }
    let other = |bound: f64| b.iter().find(|(x, _)| *x == bound).map_or(0.0, |(_, count)| *count);
    a.iter().map(|(bound, count)| (*bound, count + other(*bound))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "HTTP/1.1 200 OK\r\n\r\n\
        # TYPE pointsman_own_seconds histogram\n\
        pointsman_own_seconds_bucket{bank=\"a\",le=\"0.001\"} 50\n\
        pointsman_own_seconds_bucket{bank=\"a\",le=\"0.01\"} 100\n\
        pointsman_own_seconds_bucket{bank=\"a\",le=\"+Inf\"} 100\n\
        pointsman_saf_depth{bank=\"river\"} 3\n\
        pointsman_saf_depth{bank=\"mountain\"} 4\n";

    #[test]
    fn samples_and_quantiles_are_read() {
        let metrics = Metrics::parse(PAGE);
        assert_eq!(metrics.sum("pointsman_saf_depth", &[]), 7.0);
        assert_eq!(metrics.sum("pointsman_saf_depth", &["bank=\"river\""]), 3.0);
        let buckets = metrics.buckets("pointsman_own_seconds");
        assert_eq!(quantile(&buckets, 0.25), Some(0.0005));
        assert_eq!(quantile(&add(&buckets, &buckets), 0.5), Some(0.001));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
