//! The two text formats: Prometheus 0.0.4 and OpenMetrics 1.0.0.
//!
//! They differ in what a family is called (OpenMetrics leaves the ending of a counter's and an info's
//! name to the samples), in units, exemplars, escapes in help, and the last line.

use std::fmt::Write;

use tta_telemetry::{Exemplar, HistogramValue, MetricFamily, MetricKind, MetricPoint, MetricValue};

use super::numbers::{write_escaped, write_help, write_limit, write_number};

/// Writes families line by line, and remembers where it is.
#[derive(Debug, Default)]
pub(super) struct TextWriter {
    is_open: bool,
    family: usize,
    at: Place,
    /// The labels of the series that is being written.
    labels: String,
    is_done: bool,
}

#[derive(Debug, Default)]
enum Place {
    #[default]
    Head,
    /// The series, and the line of it.
    Line(usize, usize),
}

impl TextWriter {
    pub(super) fn text() -> Self {
        Self::default()
    }

    pub(super) fn open_metrics() -> Self {
        Self { is_open: true, ..Self::default() }
    }

    /// Adds lines until there are at least `enough` bytes. Whether there is more to come.
    pub(super) fn fill(&mut self, families: &[MetricFamily], enough: usize, out: &mut String) -> bool {
        while out.len() < enough && !self.is_done {
            let Some(family) = families.get(self.family) else {
                self.is_done = true;
                if self.is_open {
                    out.push_str("# EOF\n");
                }
                break;
            };
            self.at = match self.at {
                Place::Head => {
                    self.head(family, out);
                    Place::Line(0, 0)
                }
                Place::Line(series, line) => match family.points.get(series) {
                    Some(point) => self.line(family, point, series, line, out),
                    None => {
                        self.family += 1;
                        Place::Head
                    }
                },
            };
        }
        !self.is_done
    }

    fn head(&self, family: &MetricFamily, out: &mut String) {
        let name = if self.is_open { family_name(family) } else { family.name.as_str() };
        if !family.help.is_empty() {
            let _ = write!(out, "# HELP {name} ");
            write_help(out, &family.help, self.is_open);
            out.push('\n');
        }
        let kind = match family.kind {
            MetricKind::Info if !self.is_open => MetricKind::Gauge,
            kind => kind,
        };
        let _ = writeln!(out, "# TYPE {name} {}", kind.as_str());
        if self.is_open
            && let Some(unit) = unit(family)
        {
            let _ = writeln!(out, "# UNIT {name} {unit}");
        }
    }

    /// Writes one line of a series; where the next one is.
    fn line(
        &mut self,
        family: &MetricFamily,
        point: &MetricPoint,
        series: usize,
        line: usize,
        out: &mut String,
    ) -> Place {
        if line == 0 {
            self.write_labels(point);
        }
        let name = family.name.as_str();
        match &point.value {
            MetricValue::Histogram(values) => {
                if !self.histogram_line(name, values, line, out) {
                    return Place::Line(series, line + 1);
                }
            }
            MetricValue::Count(count) => {
                self.start(name, "", out);
                let _ = writeln!(out, " {count}");
            }
            MetricValue::Number(number) => {
                self.start(name, "", out);
                end(*number, out);
            }
        }
        Place::Line(series + 1, 0)
    }

    /// Whether it was the last.
    fn histogram_line(&self, name: &str, values: &HistogramValue, line: usize, out: &mut String) -> bool {
        let buckets = values.limits.len() + 1;
        if line < buckets {
            let limit = values.limits.get(line).copied().unwrap_or(f64::INFINITY);
            let count = values.cumulative.get(line).copied().unwrap_or(values.count);
            let separator = if self.labels.is_empty() { "" } else { "," };
            let _ = write!(out, "{name}_bucket{{{}{separator}le=\"", self.labels);
            write_limit(out, limit, self.is_open);
            let _ = write!(out, "\"}} {count}");
            if self.is_open
                && let Some(Some(exemplar)) = values.exemplars.get(line)
            {
                write_exemplar(exemplar, out);
            }
            out.push('\n');
        } else if line == buckets {
            self.start(name, "_sum", out);
            end(values.sum, out);
        } else {
            self.start(name, "_count", out);
            let _ = writeln!(out, " {}", values.count);
        }
        line > buckets
    }

    fn start(&self, name: &str, ending: &str, out: &mut String) {
        out.push_str(name);
        out.push_str(ending);
        if !self.labels.is_empty() {
            let _ = write!(out, "{{{}}}", self.labels);
        }
    }

    fn write_labels(&mut self, point: &MetricPoint) {
        self.labels.clear();
        // An empty value is the same as no label.
        for (key, value) in point.labels.iter().filter(|(_, value)| !value.is_empty()) {
            if !self.labels.is_empty() {
                self.labels.push(',');
            }
            let _ = write!(self.labels, "{}=\"", key.as_str());
            write_escaped(&mut self.labels, value);
            self.labels.push('"');
        }
    }
}

fn end(number: f64, out: &mut String) {
    out.push(' ');
    write_number(out, number);
    out.push('\n');
}

/// Times are given to the millisecond, as precise as Prometheus keeps them.
fn write_exemplar(exemplar: &Exemplar, out: &mut String) {
    let _ = write!(out, " # {{trace_id=\"{}\",span_id=\"{}\"}} ", exemplar.trace_id, exemplar.span_id);
    write_number(out, exemplar.value);
    let ms = exemplar.unix_ns / 1_000_000;
    let _ = write!(out, " {}.{:03}", ms / 1_000, ms % 1_000);
}

/// What OpenMetrics calls a family.
fn family_name(family: &MetricFamily) -> &str {
    let ending = match family.kind {
        MetricKind::Counter => "_total",
        MetricKind::Info => "_info",
        MetricKind::Gauge | MetricKind::Histogram => "",
    };
    family.name.strip_suffix(ending).unwrap_or(&family.name)
}

/// The unit, if the family's name ends in it, without which it must not be said.
pub(super) fn unit(family: &MetricFamily) -> Option<&'static str> {
    let unit = family.unit.as_str();
    let before = family_name(family).strip_suffix(unit)?;
    (!unit.is_empty() && family.kind != MetricKind::Info && before.ends_with('_')).then_some(unit)
}
