//! A workflow as a Mermaid flowchart (mermaid.js.org, flowchart syntax).

use super::{Flat, Graph, Look};

pub(super) fn draw(graph: &Graph) -> String {
    let flat = Flat::of(graph);
    let mut out = String::from("flowchart TD\n");
    let mut indent = String::from("    ");
    for (id, (label, look)) in flat.nodes.iter().enumerate() {
        let (open, closed) = flat.frames(id);
        for (frame, title) in open {
            out.push_str(&format!("{indent}subgraph g{frame}[\"{}\"]\n", escape(title)));
            indent.push_str("    ");
        }
        let label = escape(label);
        out.push_str(&match look {
            Look::Step => format!("{indent}n{id}[\"{label}\"]\n"),
            Look::Fork => format!("{indent}n{id}[/\"{label}\"\\]\n"),
            Look::Decision => format!("{indent}n{id}{{\"{label}\"}}\n"),
        });
        for _ in 0..closed {
            indent.truncate(indent.len() - 4);
            out.push_str(&format!("{indent}end\n"));
        }
    }
    for (from, to, condition) in &flat.edges {
        let condition = if condition.is_empty() { String::new() } else { format!("|\"{}\"|", escape(condition)) };
        out.push_str(&format!("    n{from} -->{condition} n{to}\n"));
    }
    out
}

/// Inside a quoted label the quote and markup need entities; so do `#`, with which Mermaid's own
/// entities begin, and the backtick, which would make it Markdown.
fn escape(label: &str) -> String {
    let mut escaped = String::with_capacity(label.len());
    for character in label.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '#' => escaped.push_str("#35;"),
            '`' => escaped.push_str("#96;"),
            character if character.is_control() => escaped.push(' '),
            character => escaped.push(character),
        }
    }
    escaped
}
