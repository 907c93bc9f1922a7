//! Families cut into requests of so many series each.

use tta_telemetry::{MetricFamily, MetricPoint, MetricValue};

/// Points of one family, for one request.
pub(super) struct Piece<'f> {
    pub(super) family: &'f MetricFamily,
    pub(super) points: &'f [MetricPoint],
}

/// The pieces of a request, and how many series they are.
pub(super) struct Batch<'f> {
    pub(super) pieces: Vec<Piece<'f>>,
    pub(super) series: u64,
}

/// All families in requests of at most `most` series, by `weight` of a point: one that is more by itself goes
/// alone.
pub(super) fn batches(families: &[MetricFamily], most: u64, weight: fn(&MetricPoint) -> u64) -> Vec<Batch<'_>> {
    let mut done = Vec::new();
    let mut open = Batch { pieces: Vec::new(), series: 0 };
    for family in families {
        let mut points = family.points.as_slice();
        while !points.is_empty() {
            let mut taken = 0;
            let mut series = open.series;
            for point in points {
                let after = series + weight(point);
                if after > most && (taken > 0 || series > 0) {
                    break;
                }
                series = after;
                taken += 1;
            }
            let (now, later) = points.split_at(taken);
            if !now.is_empty() {
                open.pieces.push(Piece { family, points: now });
                open.series = series;
            }
            points = later;
            if !points.is_empty() || open.series >= most {
                done.push(std::mem::replace(&mut open, Batch { pieces: Vec::new(), series: 0 }));
            }
        }
    }
    if open.series > 0 {
        done.push(open);
    }
    done
}

/// A point is a series, of OTLP.
pub(super) fn one(_: &MetricPoint) -> u64 {
    1
}

/// The series that Prometheus makes of a point: a histogram's buckets, sum and count each.
pub(super) fn flat(point: &MetricPoint) -> u64 {
    match &point.value {
        MetricValue::Histogram(values) => values.limits.len() as u64 + 3,
        MetricValue::Count(_) | MetricValue::Number(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tta_telemetry::{MetricKind, Unit};

    fn family(name: &'static str, points: usize) -> MetricFamily {
        let point = |number: usize| MetricPoint {
            labels: vec![("n".into(), number.to_string().into())],
            value: MetricValue::Count(number as u64),
        };
        let points = (0..points).map(point).collect();
        MetricFamily { name: name.into(), help: "".into(), kind: MetricKind::Counter, unit: Unit::None, points }
    }

    #[test]
    fn families_share_requests_and_are_cut_where_they_are_full() {
        let families = [family("a", 3), family("b", 0), family("c", 8)];
        let shown = |most, weight| {
            let text = |batch: &Batch<'_>| {
                let pieces = batch.pieces.iter().map(|piece| format!("{}{}", piece.family.name, piece.points.len()));
                pieces.collect::<Vec<_>>().join("+")
            };
            batches(&families, most, weight).iter().map(text).collect::<Vec<_>>()
        };
        assert_eq!(shown(5, one), ["a3+c2", "c5", "c1"]);
        assert_eq!(shown(100, one), ["a3+c8"]);
        assert_eq!(shown(3, |_| 5), vec!["a1", "a1", "a1", "c1", "c1", "c1", "c1", "c1", "c1", "c1", "c1"]);
    }
}
