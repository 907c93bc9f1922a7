//! A trace as a tree of text: what ran under what, how long, and why it failed.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;

use crate::format::{clip, duration, wrap};
use crate::id::SpanId;
use crate::model::{Attribute, SpanRecord, SpanStatus, Trace, Value};

/// Columns of a line; texts are clipped to fit.
const WIDTH: usize = 80;
/// Columns of the timeline at the right.
const BAR: usize = 20;
/// Columns of a duration, with the blank before it.
const DURATION: usize = 10;
/// Levels that are indented. Deeper spans stand below each other and say how deep they are, so
/// that a line has room for its name and a trace that nests thousands deep takes no more memory
/// than a flat one.
const MAX_INDENT: usize = 10;

/// An error's text gets this many columns even in a deep tree.
const NARROWEST: usize = 30;
/// Lines of one error text; messages can be pages long.
const MOST_LINES: usize = 8;

/// Shows a trace as a tree, 80 columns wide.
///
/// Every span is one line: its name, what kind of primitive it is unless that says nothing new,
/// its duration, and where in the run it lies. Failed spans carry a cross and their error below;
/// what was lost is said at the end. Below the tenth level the indentation stops and the level is
/// written instead: `⋮12 name`.
///
/// ```text
/// triage                                              3.00 ms ████████████████████
/// ├─ validate                                         1.00 ms ██████▋
/// ╰─ fetch ✗                                          2.00 ms       ██████████████
///       timeout: step took longer than 2 ms
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TraceTree<'a> {
    trace: &'a Trace,
    timing: bool,
    attributes: bool,
}

impl<'a> TraceTree<'a> {
    /// With timing, without attributes.
    #[must_use]
    pub fn new(trace: &'a Trace) -> Self {
        Self { trace, timing: true, attributes: false }
    }

    /// Whether durations and timelines are shown. Without them the text of a deterministic run is
    /// always the same, so that tests can compare it whole.
    #[must_use]
    pub fn timing(mut self, shown: bool) -> Self {
        self.timing = shown;
        self
    }

    /// Whether attributes and events are shown below their span.
    #[must_use]
    pub fn attributes(mut self, shown: bool) -> Self {
        self.attributes = shown;
        self
    }

    fn head(&self, span: &SpanRecord) -> String {
        let mut text = span.name.to_string();
        // The kind of a plain function is no news, nor is one that repeats the name.
        if !["lambda", "attempt", "workflow"].contains(&span.kind.as_str()) && span.kind != span.name {
            text.push_str(&format!(" ({})", span.kind));
        }
        text.push_str(match (span.status, span.handled) {
            (SpanStatus::Ok, _) => "",
            (SpanStatus::Error, false) => " ✗",
            (SpanStatus::Error, true) => " ✗ handled",
            (SpanStatus::Cancelled, _) => " ⊘ cancelled",
        });
        text
    }

    fn write_span(&self, f: &mut fmt::Formatter<'_>, line: &Line<'_>, bounds: (u64, u64)) -> fmt::Result {
        let span = line.span;
        let head = format!("{}{}{}", line.indent, line.branch(), self.head(span));
        if self.timing {
            let room = WIDTH - BAR - DURATION - 1;
            let took = duration(span.duration_ns);
            let bar = bar(span, bounds);
            writeln!(f, "{:<room$}{took:>DURATION$} {}", clip(&head, room), bar.trim_end())?;
        } else {
            writeln!(f, "{}", clip(&head, WIDTH))?;
        }
        let below = format!("{}{}", line.indent, line.continuation());
        // Below a span with children the rule goes on down to them.
        let rule = line.has_children && line.depth < MAX_INDENT;
        let below = format!("{below}{}", if rule { "│  " } else { "   " });
        let room = WIDTH.saturating_sub(below.chars().count()).max(NARROWEST);
        for text in error_lines(span) {
            for (at, line) in wrap(&text, room).into_iter().take(MOST_LINES).enumerate() {
                writeln!(f, "{below}{}{line}", if at == 0 { "" } else { "  " })?;
            }
        }
        if self.attributes {
            for Attribute { key, value } in span.attributes.iter().filter(|attribute| !is_shown(span, attribute)) {
                writeln!(f, "{}", clip(&format!("{below}{key} = {value}"), WIDTH))?;
            }
            for link in &span.links {
                let details: Vec<_> = link.attributes.iter().map(|a| format!(" {}={}", a.key, a.value)).collect();
                let text = format!("{below}→ {} in {}{}", link.span_id, link.trace_id, details.concat());
                writeln!(f, "{}", clip(&text, WIDTH))?;
            }
            for event in &span.events {
                let details: Vec<_> = event.attributes.iter().map(|a| format!(" {}={}", a.key, a.value)).collect();
                writeln!(f, "{}", clip(&format!("{below}• {}{}", event.name, details.concat()), WIDTH))?;
            }
        }
        Ok(())
    }

    fn write_losses(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let trace = self.trace;
        if trace.dropped.over_span_limit > 0 {
            writeln!(f, "({} records dropped: over the span limit)", trace.dropped.over_span_limit)?;
        }
        if trace.dropped.over_byte_limit > 0 {
            writeln!(f, "({} records dropped: out of memory for traces)", trace.dropped.over_byte_limit)?;
        }
        if trace.incomplete {
            writeln!(f, "(decided before its end: {})", trace.decision.reason)?;
        }
        Ok(())
    }
}

impl fmt::Display for TraceTree<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = lines(self.trace);
        let start = self.trace.spans.iter().map(|span| span.start_unix_ns).min().unwrap_or(0);
        let end = self.trace.spans.iter().map(SpanRecord::end_unix_ns).max().unwrap_or(0);
        for line in &lines {
            self.write_span(f, line, (start, end))?;
        }
        self.write_losses(f)
    }
}

/// One span and how it hangs in the tree.
struct Line<'a> {
    span: &'a SpanRecord,
    indent: String,
    last: bool,
    /// 0 at the top.
    depth: usize,
    has_children: bool,
}

impl Line<'_> {
    fn branch(&self) -> Cow<'static, str> {
        match (self.depth, self.last) {
            (0, _) => "".into(),
            (depth, _) if depth > MAX_INDENT => format!("⋮{depth} ").into(),
            (_, true) => "╰─ ".into(),
            (_, false) => "├─ ".into(),
        }
    }

    fn continuation(&self) -> &'static str {
        match (self.depth, self.last) {
            (0, _) => "",
            (depth, _) if depth > MAX_INDENT => "",
            (_, true) => "   ",
            (_, false) => "│  ",
        }
    }
}

/// Depth first without recursion: a trace may nest as deep as it has spans. A span whose parent is
/// not in the trace is shown at the top, so that nothing is hidden; a cycle of parents, which only
/// foreign data can hold, is cut where it closes.
fn lines(trace: &Trace) -> Vec<Line<'_>> {
    let known: HashSet<SpanId> = trace.spans.iter().map(|span| span.span_id).collect();
    let mut children: HashMap<SpanId, Vec<&SpanRecord>> = HashMap::new();
    let mut tops = Vec::new();
    for span in &trace.spans {
        match span.parent_span_id.filter(|parent| known.contains(parent) && span.span_id != trace.root_span_id) {
            Some(parent) => children.entry(parent).or_default().push(span),
            None => tops.push(span),
        }
    }
    let mut lines = Vec::with_capacity(trace.spans.len());
    let mut seen = HashSet::new();
    let mut stack: Vec<(&SpanRecord, String, bool, usize)> =
        tops.iter().rev().map(|span| (*span, String::new(), true, 0)).collect();
    let mut rest = trace.spans.iter();
    loop {
        while let Some((span, indent, last, depth)) = stack.pop() {
            if !seen.insert(span.span_id) {
                continue;
            }
            let below = children.get(&span.span_id).map(Vec::as_slice).unwrap_or_default();
            let line = Line { span, indent, last, depth, has_children: !below.is_empty() };
            let indent = format!("{}{}", line.indent, line.continuation());
            let children = below.iter().rev().enumerate();
            stack.extend(children.map(|(at, child)| (*child, indent.clone(), at == 0, depth + 1)));
            lines.push(line);
        }
        match rest.find(|span| !seen.contains(&span.span_id)) {
            Some(cut) => stack.push((cut, String::new(), true, 0)),
            None => return lines,
        }
    }
}

/// Whether [`error_lines`] says this already.
fn is_shown(span: &SpanRecord, attribute: &Attribute) -> bool {
    span.status == SpanStatus::Error
        && match attribute.key.as_str() {
            "error.type" | "error.message" => true,
            "error.chain" => matches!(attribute.value, Value::List(_)),
            _ => false,
        }
}

/// `type: message`, then what caused it.
fn error_lines(span: &SpanRecord) -> Vec<String> {
    if span.status != SpanStatus::Error {
        return Vec::new();
    }
    let texts = ["error.type", "error.message"].map(|key| span.attribute(key).map(ToString::to_string));
    let known: Vec<String> = texts.into_iter().flatten().collect();
    let mut lines = Vec::new();
    if !known.is_empty() {
        lines.push(known.join(": "));
    }
    if let Some(Value::List(causes)) = span.attribute("error.chain") {
        lines.extend(causes.iter().map(|cause| format!("caused by: {cause}")));
    }
    lines
}

/// Where in the run a span lies, in eighths of a column.
fn bar(span: &SpanRecord, (start, end): (u64, u64)) -> String {
    let total = end.saturating_sub(start).max(1) as f64;
    let eighths = |ns: u64| (ns.saturating_sub(start) as f64 / total * (BAR * 8) as f64).round() as usize;
    let (from, to) = (eighths(span.start_unix_ns), eighths(span.end_unix_ns()).min(BAR * 8));
    let first = (from / 8).min(BAR - 1);
    let mut text = " ".repeat(first);
    if to <= from + 1 {
        text.push('▏');
        return text;
    }
    let whole = (to / 8).saturating_sub(first);
    text.push_str(&"█".repeat(whole));
    if let Some(partial) = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'].get((to % 8).wrapping_sub(1)) {
        text.push(*partial);
    }
    text
}

#[cfg(test)]
mod tests;
